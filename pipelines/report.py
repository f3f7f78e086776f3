"""The report: every arm beside the teacher, and what became of every row that was read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from pipelines.copies import copies_sentences
from pipelines.progress import duration, size
from schemas.configuration import Configuration
from schemas.errors import ConfigurationError, DistillError, IntegrityError
from schemas.store import stored_text, write_text

if TYPE_CHECKING:
    from distill.arm_result import ArmResult
    from distill.comparison import Comparison

KEYS = {"name", "evaluated_on", "arms", "comparisons", "accounting", "teacher", "configuration"}
FIELDS = ("name", "metric", "value", "interval", "parameters", "bytes", "steps", "best_step")

MEANING = {
    "teacher": "the model that is learnt from",
    "scratch": "the student fine-tuned on labels, without distillation",
    "distilled": "the student taught by the recipe, on the rows that were read",
    "distilled+augmented": "the same, on these rows and their copies",
}


def report_path(configuration: Configuration) -> Path:
    """Return where a run's report lies."""
    return configuration.output_path / "report.json"


def page_path(configuration: Configuration) -> Path:
    """Return where the same lies as a page."""
    return configuration.output_path / "report.html"


def write_report(
    configuration: Configuration,
    results: "Sequence[ArmResult]",
    seconds_per_row: Sequence[float],
    comparisons: "Sequence[Comparison]",
    accounting: Mapping[str, int],
    quality: Mapping[str, Any] | None,
    identity: Mapping[str, Any],
) -> None:
    """Write report.json: `arms`, `comparisons`, `accounting`, `quality` of copies, and where it all came from."""
    arms = [
        {**{field: result.model_dump(mode="json")[field] for field in FIELDS}, "seconds_per_row": seconds}
        | ({"copies": result.copies} if result.copies else {})
        for result, seconds in zip(results, seconds_per_row, strict=True)
    ]
    report = {
        "format": 1,
        "name": configuration.name,
        "evaluated_on": "test" if configuration.data.test else "dev",
        "arms": arms,
        "comparisons": [comparison.model_dump(mode="json") for comparison in comparisons],
        "accounting": dict(accounting),
        **({"quality": dict(quality)} if quality else {}),
        "teacher": dict(identity),
        "configuration": configuration.model_dump(mode="json"),
    }
    write_text(report_path(configuration), json.dumps(report, indent=1) + "\n")


def read_report(path: Path) -> dict[str, Any]:
    """Read a report."""
    if not path.exists():
        raise ConfigurationError("a report", f"{path}: none", "run `distill train` first")
    try:
        report = json.loads(stored_text(path, "run `distill train` again"))
        if not report.keys() >= KEYS:
            raise ValueError(f"without {', '.join(sorted(KEYS - report.keys()))}")
        return report
    except (ValueError, AttributeError) as error:
        raise IntegrityError("a report in JSON", f"{path}: {error}", "run `distill train` again") from None


def earlier_quality(configuration: Configuration) -> dict[str, Any] | None:
    """Return what an earlier report says of copies, nothing where there is none that can be read."""
    try:
        return read_report(report_path(configuration)).get("quality")
    except DistillError:
        return None  # It is about to be written anew.


def show_report(report: Mapping[str, Any], configuration: Configuration, console: Console) -> None:
    """Print the table of arms, what it says in words, and the accounting."""
    if report["configuration"] != configuration.model_dump(mode="json"):
        console.print("note: this report was made with another configuration than the one given", highlight=False)
    metric = report["arms"][0]["metric"]
    steps = max(arm["steps"] for arm in report["arms"])
    title = f"{report['name']}: {metric} on the {report['evaluated_on']} rows, {steps:,} steps for every student"
    # All of it in eighty characters: that is what a terminal and a log file have.
    table = Table(title=title, box=SIMPLE, padding=(0, 1), pad_edge=False, show_edge=False, collapse_padding=True)
    table.add_column("arm", no_wrap=True)
    for column in ("value", "95 % interval", "parameters", "size", "a row"):
        table.add_column(column, justify="right", no_wrap=True)
    for arm in report["arms"]:
        low, high = map(number, arm["interval"])
        costs = (f"{arm['parameters']:,}", size(arm["bytes"]), milliseconds(arm["seconds_per_row"]))
        table.add_row(arm["name"], number(arm["value"]), f"{low} to {high}", *costs)
    console.print(table)
    for arm in report["arms"]:
        if arm["name"] != "teacher":
            console.print(f"{arm['name']}: {MEANING[arm['name']]}", highlight=False)
    copies = copies_sentences(report["quality"], configuration.task.kind) if report.get("quality") else ()
    for sentence in (accounted(report["accounting"]), *copies, *sentences(report)):
        console.print(sentence, highlight=False)
    for path in filter(Path.exists, (report_path(configuration), page_path(configuration))):
        console.print(str(path), highlight=False, soft_wrap=True)


def sentences(report: Mapping[str, Any]) -> list[str]:
    """Return what a report says: what helped, what the best student is worth, and what is missing or was left out."""
    said = [effects(report["comparisons"], report["arms"][0]["metric"])] if report["comparisons"] else []
    students = [arm for arm in report["arms"] if arm["name"] != "teacher" and arm["value"] is not None]
    best, teacher = max(students, key=lambda arm: arm["value"], default=None), report["arms"][0]
    kept = best and retention(best, teacher)
    if best and kept is not None:
        said.append(
            f"The best student ({best['name']}) keeps {kept:.1%} of the teacher's "
            f"{best['metric']} with {best['parameters'] / teacher['parameters']:.1%} of its parameters, "
            f"{teacher['seconds_per_row'] / best['seconds_per_row']:.1f} times as fast."
        )
    if not report["comparisons"]:
        said.append("One student alone says nothing of what distillation or augmentation add: `train.arms` names more.")
    if "distilled+augmented" in report["configuration"]["train"]["arms"] and not report["accounting"].get("copies"):
        said.append("No copies were made, so there is no arm distilled+augmented.")
    said += [left_out(arm) for arm in report["arms"] if "copies" in arm]
    if any(arm["value"] is None for arm in report["arms"]):
        said.append("A metric without a value is undefined on these rows: one class only, or constant answers.")
    return said


def left_out(arm: Mapping[str, Any]) -> str:
    """Return how many copies an arm learnt from, and why it did not from the others."""
    counts = arm["copies"]
    return (
        f"{arm['name']} learnt from {counts['kept']:,} of {counts['copies']:,} copies: {counts['disagreeing']:,} have "
        f"another verdict than their original, of {counts['unsure']:,} the teacher is not sure enough "
        "(`train.keep_copies`)."
    )


def retention(arm: Mapping[str, Any], teacher: Mapping[str, Any]) -> float | None:
    """Return which share of the teacher's metric an arm keeps, `None` where a share would mean nothing."""
    values = (arm["value"], teacher["value"])
    return values[0] / values[1] if None not in values and min(values) > 0 else None


def effects(comparisons: Sequence[Mapping[str, Any]], metric: str) -> str:
    """Return what distillation and augmentation did, by the paired differences."""
    subjects = {
        ("distilled", "scratch"): "distillation",
        ("distilled+augmented", "distilled"): "augmentation on top of it",
    }
    known = {(each["name"], each["against"]): each for each in comparisons}
    if not known.keys() & subjects.keys():
        subjects = {("distilled+augmented", "scratch"): "distillation with augmentation"}
    parts = [f"{subject} {effect(known[pair], metric)}" for pair, subject in subjects.items() if pair in known]
    return f"At equal steps, on the same rows: {'; '.join(parts)}."


def effect(comparison: Mapping[str, Any], metric: str) -> str:
    """Return one paired difference in words."""
    low, high = comparison["interval"]
    if comparison["difference"] is None or low is None:
        return f"cannot be judged by {metric} here"
    interval = f"(95 % interval {low:+.4f} to {high:+.4f})"
    if low > 0:
        return f"adds {comparison['difference']:.4f} to {metric} {interval}"
    if high < 0:
        return f"takes {-comparison['difference']:.4f} from {metric} {interval}"
    return f"makes no difference to {metric} that these rows can show {interval}"


def accounted(counts: Mapping[str, int]) -> str:
    """Return what became of the rows that were read, or of the documents they were made of."""
    if "documents_read" in counts:
        return accounted_corpus(counts)
    unlabelled = f" ({counts['unlabelled']:,} without a label)" if counts.get("unlabelled") else ""
    text = (
        f"rows: {counts['read']:,} read = {counts['kept']:,} kept{unlabelled} + {counts['merged']:,} merged + "
        f"{counts['rejected']:,} rejected"
    )
    if counts["held_out"]:
        text += f" (and {counts['held_out']:,} held out as dev)"
    return f"{text}; {counts['copies']:,} copies made" if "copies" in counts else text


def accounted_corpus(counts: Mapping[str, int]) -> str:
    """Return what became of the documents of a corpus."""
    text = (
        f"documents: {counts['documents_read']:,} read = {counts['documents_kept']:,} kept + "
        f"{counts['documents_merged']:,} merged + {counts['documents_rejected']:,} rejected; "
        f"{counts['sentences']:,} sentences"
    )
    if "kept" not in counts:
        return text
    silent = f" ({counts['documents_silent']:,} documents have none)" if counts["documents_silent"] else ""
    masked = f", {counts['masked']:,} positions masked" if counts["masked"] else ""
    return (
        f"{text}, {counts['pieces']:,} pieces{silent}; segments: {counts['kept'] + counts['merged']:,} made = "
        f"{counts['kept']:,} rows + {counts['merged']:,} merged{masked}"
    )


def number(value: float | None) -> str:
    """Return a metric as it is printed."""
    return "undefined" if value is None else f"{value:.4f}"


def milliseconds(seconds: float) -> str:
    """Return a time per row as it is printed."""
    return f"{seconds * 1000:.2f} ms" if seconds < 1 else duration(seconds)
