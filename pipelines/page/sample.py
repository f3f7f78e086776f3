"""The sample: rows of a cache as a page shows them, changed words by themselves, with the teacher's verdict."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.families import Family, Member
from schemas.task import Kind, Task

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
    """A row as it is shown: its texts in pieces, its label, what the teacher says and how surely."""

    texts: list[list[Piece]]
    is_original: bool
    label: str
    verdict: str
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
    verdict, share = judged(member, task)
    label = "" if example.label is None else named(example.label, task)
    flips = task.kind is Kind.CLASSIFICATION and bool(verdict) and verdict != judged(original, task)[0]
    return Line(
        texts=[list(pieces(member, number)) for number in range(len(example.texts))],
        is_original=example.is_original,
        label=label,
        verdict=verdict,
        share=share,
        flip=flips,
        sources=sorted({SOURCES.get(change.source, change.source) for change in example.changes}),
    )


def judged(member: Member, task: Task) -> tuple[str, float | None]:
    """Return what the teacher says of a row, and how much of its probability that has."""
    if member.logits is None:
        return "", None
    if task.kind is Kind.REGRESSION:
        return f"{member.logits[0]:.3f}", None
    shares = [math.exp(value - max(member.logits)) for value in member.logits.tolist()]
    best = max(range(len(shares)), key=shares.__getitem__)
    return named(best, task), shares[best] / sum(shares)


def named(label: float, task: Task) -> str:
    """Return a label by its name, a number as it is."""
    return task.labels[int(label)] if task.kind is Kind.CLASSIFICATION else f"{label:g}"


def pieces(member: Member, number: int) -> Iterator[Piece]:
    """Yield a text in pieces, replaced words by themselves."""
    text, at = member.example.texts[number], 0
    for change in sorted((c for c in member.example.changes if c.text == number), key=lambda c: c.start):
        yield Piece(text[at : change.start])
        source = SOURCES.get(change.source, change.source)
        yield Piece(text[change.start : change.end], change.original, source)
        at = change.end
    yield Piece(text[at:])
