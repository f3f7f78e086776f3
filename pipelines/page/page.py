"""The report as one page: a file that needs nothing else, for people who were not there when it was made."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines.families import families
from pipelines.page.plots import FRAME, costs, curves
from pipelines.page.sample import COPIES, SOURCES, lines
from pipelines.printable import printable
from pipelines.progress import size
from pipelines.report import MEANING, accounted, milliseconds, number, page_path, retention, sentences
from schemas.cache import Cache
from schemas.configuration import Configuration
from schemas.store import write_text

FAMILIES = 40


def write_page(configuration: Configuration, report: Mapping[str, Any], notes: Mapping[str, Any]) -> None:
    """Write report.html from the report, the notes of the run, the loss logs and a sample of the cache."""
    environment = Environment(
        loader=PackageLoader("pipelines.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "size": size, "milliseconds": milliseconds, "printable": printable}
    labels = configuration.task.labels
    cache = Cache(configuration.cache_path)
    sample = [lines(family, configuration.task) for family in islice(families(cache), FAMILIES)]
    named = {name for family in sample for line in family for name in line.classes}
    page = environment.get_template("page.html").render(
        report=report,
        said=sentences(report),
        accounted=accounted(report["accounting"]),
        meaning=MEANING,
        arms=[{**arm, **relative(arm, report["arms"][0])} for arm in report["arms"]],
        costs=costs(report["arms"]),
        curves=curves(
            configuration.output_path / "students",
            configuration.task.metric.value,
            [arm["name"] for arm in report["arms"]],
        ),
        sample=sample,
        has_copies=any(len(family) > 1 for family in sample),
        classes=[*(label for label in labels if label in named), *sorted(named - {*labels})],
        copies=COPIES,
        sources=list(SOURCES.values()),
        groups=[group.manifest() for group in cache.groups()],
        notes=notes,
        configuration=json.dumps(report["configuration"], indent=1),
        frame=FRAME,
    )
    write_text(page_path(configuration), page)


# Numbers beside the teacher's


def relative(arm: Mapping[str, Any], teacher: Mapping[str, Any]) -> dict[str, float | None]:
    """Return which share of the teacher's metric an arm keeps, and how many times as fast and as small it is."""
    return {
        "retention": retention(arm, teacher),
        "faster": teacher["seconds_per_row"] / arm["seconds_per_row"],
        "smaller": teacher["bytes"] / arm["bytes"],
    }
