"""The plan: what is done, what would be done, and what it costs, before anything is paid."""

from dataclasses import dataclass, field

from rich.table import Column, Table

from pipelines.printable import Terminal
from pipelines.progress import duration, size
from pipelines.report import accounted

LONG = 600.0
"""Seconds from which a plan says what would shorten it."""
LOWER = {
    "augment": "lower the number of rows, or `augment.copies: 0`",
    "teacher": "lower `fine_tuning.epochs`, or name a teacher that is fine-tuned already",
    "teach": "lower `augment.copies` or `teach.max_length`",
    "train": "lower `train.steps` (or the recipe's epochs and `augment.copies`), or name fewer `train.arms`",
}


@dataclass(frozen=True)
class Line:
    """One stage: what it would do, bytes on disk, seconds, and how much of it is done."""

    stage: str
    work: str
    bytes: float
    seconds: float
    state: str


TITLE = "plan (estimated from a small sample)"


@dataclass
class Plan:
    """What became of the rows that were read, what the stages would do, and what else to know."""

    accounting: dict[str, int]
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def show_plan(plan: Plan) -> None:
    """Print a plan."""
    console = Terminal()
    console.print(accounted(plan.accounting), highlight=False)
    table = Table("stage", Column("work", overflow="fold"), "disk", "time", "state", title=TITLE)
    for line in plan.lines:
        table.add_row(line.stage, line.work, size(line.bytes) if line.bytes else "", duration(line.seconds), line.state)
    console.print(table)
    console.print(total(plan), highlight=False)
    for note in plan.notes:
        console.print(note, highlight=False, soft_wrap=True)
    for warning in plan.warnings:
        console.print(f"warning: {warning}", highlight=False, soft_wrap=True)


def total(plan: Plan) -> str:
    """Return what is left to do of all stages, and for a long plan what would shorten it."""
    seconds = sum(line.seconds for line in plan.lines)
    said = f"what is to do: about {duration(seconds)}, {size(sum(line.bytes for line in plan.lines))}"
    if seconds < LONG:
        return said
    longest = max(plan.lines, key=lambda line: line.seconds)
    return (
        f"{said}; {duration(longest.seconds)} of it for `{longest.stage}`: {LOWER[longest.stage]}; "
        "`--limit 200` tries everything on few rows first"
    )
