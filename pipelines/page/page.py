"""Pages for people who were not there: the report of a run, and the rows of a cache."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.copies import table
from pipelines.mark import source_name
from pipelines.page.plots import FRAME, costs, curves
from pipelines.page.sample import Sample
from pipelines.page.template import write_filled
from pipelines.report import MEANING, accounted, page_path, retention, sentences
from schemas.cache import Cache
from schemas.configuration import Configuration
from schemas.example import MASKING
from schemas.task import Task

FAMILIES = 40
COPIES = 6


def write_page(configuration: Configuration, report: Mapping[str, Any], notes: Mapping[str, Any]) -> None:
    """Write report.html from the report, the notes of the run, the loss logs and a sample of the cache."""
    cache = Cache(configuration.cache_path)
    write_filled(
        page_path(configuration),
        "page.html",
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
        copies=shown_copies(report["quality"], configuration.task) if report.get("quality") else None,
        sample=Sample.of(cache, configuration.task, report["teacher"], FAMILIES, COPIES),
        groups=[group.manifest() for group in cache.groups()],
        notes={"versions": {}, "machine": {}, "stages": {}, **notes},
        configuration=json.dumps(report["configuration"], indent=1),
        frame=FRAME,
    )


def write_rows(path: Path, configuration: Configuration, identity: Mapping[str, Any] | None, originals: int) -> None:
    """Write some rows of a cache with all their copies as a page."""
    cache = Cache(configuration.cache_path)
    write_filled(
        path,
        "inspect.html",
        name=configuration.name,
        cache=str(cache.path),
        groups=[group.manifest() for group in cache.groups()],
        sample=Sample.of(cache, configuration.task, identity, originals),
    )


def relative(arm: Mapping[str, Any], teacher: Mapping[str, Any]) -> dict[str, float | None]:
    """Return which share of the teacher's metric an arm keeps, and how many times as fast and as small it is."""
    return {
        "retention": retention(arm, teacher),
        "faster": teacher["seconds_per_row"] / arm["seconds_per_row"],
        "smaller": teacher["bytes"] / arm["bytes"],
    }


def shown_copies(quality: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """Return what the section on copies shows."""
    strategies, figures = table(quality, task.kind)
    changes = [
        {**each, "by": source_name(each["source"]), "masked": each["source"] in MASKING}
        for each in quality["substitutions"]
    ]
    return {
        "originals": quality["originals"],
        "strategies": strategies,
        "figures": figures,
        "substitutions": changes,
    }
