"""Verdicts: what the teacher says of a row, and what its label is, in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from pipelines.families import Logits, Member
from schemas.example import Example
from schemas.tags import OUTSIDE, are_entity_tags, entities
from schemas.task import NO_ANSWERS, Kind, Task

NOTHING = "none of them"
NO_ENTITY = "no entity"


@dataclass(frozen=True)
class Verdict:
    """What was said in words, the classes it names, how much of the probability it has where one class excludes others.

    `meaning` is what makes it another verdict than the original's; numbers, which always differ, have none.
    """

    text: str
    classes: tuple[str, ...]
    meaning: object = None
    share: float | None = None


def verdict_of(member: Member, task: Task) -> Verdict | None:
    """Return what the teacher says of a row, `None` where it was not asked."""
    logits = member.logits
    if logits is None:
        return None
    match task.kind:
        case Kind.CLASSIFICATION:
            best = int(logits.argmax())
            shares = [math.exp(value - max(logits)) for value in logits.tolist()]
            name = task.labels[best]
            return Verdict(name, (name,), name, shares[best] / sum(shares))
        case Kind.REGRESSION:
            return Verdict(f"{logits[0]:.3f}", ())
        case Kind.MULTI_LABEL:
            return of_classes([i for i, value in enumerate(logits.tolist()) if value > 0], task)
        case Kind.TOKEN_CLASSIFICATION:
            return of_words(member.example, classes_of_words(logits), member.places, task)
        case Kind.NONE:
            raise NO_ANSWERS
        case _:
            assert_never(task.kind)


def label_text(example: Example, task: Task) -> str:
    """Return a row's label in words, nothing where it has none."""
    if not example.is_labelled:
        return ""
    match task.kind:
        case Kind.CLASSIFICATION:
            assert isinstance(example.label, int)
            return task.labels[example.label]
        case Kind.REGRESSION:
            return f"{example.label:g}"
        case Kind.MULTI_LABEL:
            assert isinstance(example.label, tuple)
            return of_classes(example.label, task).text
        case Kind.TOKEN_CLASSIFICATION:
            tagged = [span for span in example.spans if span.label is not None]
            classes = [span.label for span in tagged]
            return of_words(example, classes, [(span.start, span.end) for span in tagged], task).text
        case Kind.NONE:
            raise NO_ANSWERS
        case _:
            assert_never(task.kind)


def of_classes(classes: Sequence[int], task: Task) -> Verdict:
    """Return the verdict that names some classes of a row."""
    names = tuple(task.labels[each] for each in classes)
    return Verdict(", ".join(names) or NOTHING, names, names)


def classes_of_words(logits: Logits) -> list[int | None]:
    """Return the class of every word, `None` for one that was cut away."""
    return [None if np.isnan(word).any() else int(word.argmax()) for word in logits]


def of_words(example: Example, classes: Sequence[int | None], places: Sequence[tuple[int, int]], task: Task) -> Verdict:
    """Return the verdict that names entities, or, where tags mean no entities, every word's tag."""
    text = example.texts[0]
    tags = [OUTSIDE if each is None else task.labels[each] for each in classes]
    if are_entity_tags(task.labels):
        found = entities(tags)
        parts = [(text[places[each.start][0] : places[each.end - 1][1]], each.type) for each in found]
    else:
        found = tags
        parts = [(text[start:end], tag) for (start, end), tag in zip(places, tags, strict=True)]
    said = "; ".join(f"{words}: {name}" for words, name in parts) or NO_ENTITY
    return Verdict(said, tuple(sorted({name for _, name in parts})), tuple(found))
