"""The sample: rows of a cache as a page shows them, changes marked, with the teacher's verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipelines.families import Family, Member, families
from pipelines.mark import NAMES, Mark, marks, source_name
from pipelines.verdict import label_text, verdict_of
from schemas import rows
from schemas.cache import Cache
from schemas.task import Task


@dataclass(frozen=True)
class Line:
    """A row as it is shown: its texts as marks, its label, what the teacher says, and how surely.

    `classes` are those that the teacher names.
    """

    texts: list[list[Mark]]
    is_original: bool
    label: str
    verdict: str
    classes: tuple[str, ...]
    share: float | None
    flip: bool
    sources: list[str]


@dataclass(frozen=True)
class Source:
    """A source of changes that was met: what it is called, and what its colour is known by, if it has one."""

    name: str
    kind: str


@dataclass(frozen=True)
class Sample:
    """Some originals with their copies, `most` of each at most where a number is given; what a filter can choose of."""

    families: list[list[Line]]
    classes: list[str]
    sources: list[Source]
    most: int | None = None

    @classmethod
    def of(
        cls, cache: Cache, task: Task, identity: Mapping[str, Any] | None, originals: int, most: int | None = None
    ) -> "Sample":
        """Take the first originals of a cache, none where it has no rows."""
        if not cache.group(rows.NAME).is_published():
            return cls([], [], [], most)
        return cls.of_families(islice(families(cache, identity), originals), task, most)

    @classmethod
    def of_families(cls, every: Iterable[Family], task: Task, most: int | None = None) -> "Sample":
        """Show families."""
        cut = [family[: None if most is None else most + 1] for family in every]
        shown = [lines(family, task) for family in cut]
        named = {name for family in shown for line in family for name in line.classes}
        met = {change.source for family in cut for member in family for change in member.example.changes}
        return cls(
            families=shown,
            classes=[*(label for label in task.labels if label in named), *sorted(named - {*task.labels})],
            sources=[
                *(Source(name, kind) for kind, name in NAMES.items() if kind in met),
                *(Source(name, "") for name in sorted(met - NAMES.keys())),
            ],
            most=most,
        )

    @property
    def has_copies(self) -> bool:
        """Whether some row was made, not read."""
        return any(len(family) > 1 for family in self.families)

    @property
    def is_judged(self) -> bool:
        """Whether the teacher was asked for some row."""
        return any(line.verdict for family in self.families for line in family)


def lines(family: Sequence[Member], task: Task) -> list[Line]:
    """Return an original and its copies as they are shown."""
    return [shown(member, family[0], task) for member in family]


def shown(member: Member, original: Member, task: Task) -> Line:
    """Return a row as it is shown."""
    example = member.example
    verdict, before = verdict_of(member, task), verdict_of(original, task)
    return Line(
        texts=[marks(example, number) for number in range(len(example.texts))],
        is_original=example.is_original,
        label=label_text(example, task),
        verdict="" if verdict is None else verdict.text,
        classes=() if verdict is None else verdict.classes,
        share=None if verdict is None else verdict.share,
        flip=verdict is not None and before is not None and verdict.meaning != before.meaning,
        sources=sorted({source_name(change.source) for change in example.changes}),
    )
