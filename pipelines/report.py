"""The report: every arm beside the teacher, and what became of every row that was read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from pipelines.progress import duration, size
from schemas.configuration import Configuration
from schemas.errors import ConfigurationError, IntegrityError
from schemas.store import stored_text, write_text

if TYPE_CHECKING:
    from distill.arm_result import ArmResult

FIELDS = ("name", "metric", "value", "interval", "parameters", "bytes", "seconds_per_row", "steps", "best_step")

MEANING = {
    "scratch": "the student fine-tuned on labels, without distillation",
    "distilled": "the student taught by the recipe, on the rows that were read",
    "distilled+augmented": "the same, on these rows and their copies",
}


def report_path(configuration: Configuration) -> Path:
    """Return where a run's report lies."""
    return configuration.output_path / "report.json"


def write_report(
    configuration: Configuration,
    results: "Sequence[ArmResult]",
    accounting: Mapping[str, int],
    identity: Mapping[str, Any],
) -> None:
    """Write report.json: `arms`, `accounting` and where it all came from."""
    arms = [{field: result.model_dump(mode="json")[field] for field in FIELDS} for result in results]
    report = {
        "format": 1,
        "name": configuration.name,
        "evaluated_on": "test" if configuration.data.test else "dev",
        "arms": arms,
        "accounting": dict(accounting),
        "teacher": dict(identity),
        "configuration": configuration.model_dump(mode="json"),
    }
    write_text(report_path(configuration), json.dumps(report, indent=1) + "\n")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report."""
    if not path.exists():
        raise ConfigurationError("a report", f"{path}: none", "run `distill train` first")
    try:
        return json.loads(stored_text(path, "run `distill train` again"))
    except ValueError as error:
        raise IntegrityError("a report in JSON", f"{path}: {error}", "run `distill train` again") from None


def show_report(report: Mapping[str, Any], configuration: Configuration, console: Console) -> None:
    """Print the table of arms, what it says in words, and the accounting."""
    if report["configuration"] != configuration.model_dump(mode="json"):
        console.print("note: this report was made with another configuration than the one given", highlight=False)
    metric = report["arms"][0]["metric"]
    title = f"{report['name']}: {metric} on the {report['evaluated_on']} rows"
    table = Table(title=title, box=SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("arm", no_wrap=True)
    for column in (metric, "95 % interval", "parameters", "size", "a row", "steps"):
        table.add_column(column, justify="right", no_wrap=True)
    for arm in report["arms"]:
        low, high = map(number, arm["interval"])
        steps = f"{arm['steps']:,}" if arm["steps"] else ""
        costs = (f"{arm['parameters']:,}", size(arm["bytes"]), milliseconds(arm["seconds_per_row"]), steps)
        table.add_row(arm["name"], number(arm["value"]), f"{low} to {high}", *costs)
    console.print(table)
    for arm in report["arms"]:
        if arm["name"] in MEANING:
            console.print(f"{arm['name']}: {MEANING[arm['name']]}", highlight=False)
    for sentence in sentences(report):
        console.print(sentence, highlight=False)
    console.print(f"report: {report_path(configuration)}", highlight=False, soft_wrap=True)


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Return what a report says, the worst news first."""
    arms = {arm["name"]: arm for arm in report["arms"]}
    said: list[str] = []
    best = max(
        (arm for arm in report["arms"] if arm["name"].startswith("distilled") and arm["value"] is not None),
        key=lambda arm: arm["value"],
        default=None,
    )
    scratch, teacher = arms.get("scratch"), arms.get("teacher")
    if best and scratch and scratch["value"] is not None and best["value"] <= scratch["value"]:
        said.append("Distillation did not help here: the student fine-tuned on labels alone is as good or better.")
    if any(arm["value"] is None for arm in report["arms"]):
        said.append("A metric without a value is undefined on these rows: one class only, or constant answers.")
    if best and teacher and teacher["value"]:
        faster = teacher["seconds_per_row"] / best["seconds_per_row"]
        said.append(
            f"The best student ({best['name']}) keeps {best['value'] / teacher['value']:.1%} of the teacher's "
            f"{best['metric']} with {best['parameters'] / teacher['parameters']:.1%} of its parameters, "
            f"{faster:.1f} times as fast."
        )
    return [*said, accounted(report["accounting"])]


def accounted(counts: Mapping[str, int]) -> str:
    """Return what became of the rows that were read."""
    text = (
        f"rows: {counts['read']:,} read = {counts['kept']:,} kept + {counts['merged']:,} merged + "
        f"{counts['rejected']:,} rejected"
    )
    if counts["held_out"]:
        text += f" (and {counts['held_out']:,} held out as dev)"
    return f"{text}; {counts['copies']:,} copies made" if "copies" in counts else text


def number(value: float | None) -> str:
    """Return a metric as it is printed."""
    return "undefined" if value is None else f"{value:.4f}"


def milliseconds(seconds: float) -> str:
    """Return a time per row as it is printed."""
    return f"{seconds * 1000:.2f} ms" if seconds < 1 else duration(seconds)
