"""The sample: rows of a cache as a page shows them, changed words by themselves, with the teacher's verdict."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.families import Family, Member
from pipelines.verdict import label_text, verdict_of
from schemas.task import Task

COPIES = 6
SOURCES = {"masked_language_model": "masked LM", "vectors": "word vectors"}


@dataclass(frozen=True)
class Piece:
    """A part of a text; `original` is what stood there if it was replaced, `source` where the new word is from."""

    text: str
    original: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Line:
    """A row as it is shown: its texts in pieces, its label, what the teacher says, and how surely.

    `classes` are those that the teacher names.
    """

    texts: list[list[Piece]]
    is_original: bool
    label: str
    verdict: str
    classes: tuple[str, ...]
    share: float | None
    flip: bool
    sources: list[str]


def lines(family: Family, task: Task) -> list[Line]:
    """Return an original and some of its copies as they are shown."""
    original = family[0]
    return [shown(member, original, task) for member in (original, *family[1 : 1 + COPIES])]


def shown(member: Member, original: Member, task: Task) -> Line:
    """Return a row as it is shown."""
    example = member.example
    verdict, before = verdict_of(member, task), verdict_of(original, task)
    return Line(
        texts=[list(pieces(member, number)) for number in range(len(example.texts))],
        is_original=example.is_original,
        label=label_text(example, task),
        verdict="" if verdict is None else verdict.text,
        classes=() if verdict is None else verdict.classes,
        share=None if verdict is None else verdict.share,
        flip=verdict is not None and before is not None and verdict.meaning != before.meaning,
        sources=sorted({SOURCES.get(change.source, change.source) for change in example.changes}),
    )


def pieces(member: Member, number: int) -> Iterator[Piece]:
    """Yield a text in pieces, replaced words by themselves."""
    text, at = member.example.texts[number], 0
    for change in sorted((c for c in member.example.changes if c.text == number), key=lambda c: c.start):
        yield Piece(text[at : change.start])
        source = SOURCES.get(change.source, change.source)
        yield Piece(text[change.start : change.end], change.original, source)
        at = change.end
    yield Piece(text[at:])
