"""Guesses at labels: classes, numbers, sets of classes or tags of words, and their names in order."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from schemas.errors import DataError
from schemas.label import SEPARATOR
from schemas.tags import OUTSIDE, are_entity_tags
from schemas.task import Kind

FEW = 10
MOST = 0.9
"""Share of a column that says what it holds: a few bad rows are for reading to refuse, not for guessing."""
MOST_LABELS = 1000


@dataclass(frozen=True)
class Labels:
    """What the label column holds: names in order, or numbers."""

    kind: Kind
    names: tuple[str, ...] = ()


def find_labels(values: Iterator[object]) -> Labels:
    """Return what a label column holds, of all its values: sets of names, many different fractions, else classes."""
    found: dict[str, object] = {}
    parts: set[str] = set()
    listed = False
    for value in values:
        if value in (None, ""):
            continue
        listed |= isinstance(value, list)
        found.setdefault(label_name(value), value)
        parts.update(names_in(value))
        if len(parts) > MOST_LABELS:
            break
    # Names that are always parted in the same way are names with that character in them.
    if listed or len(parts) < len(found):
        return Labels(Kind.MULTI_LABEL, in_order(few(parts)))
    numbers = bool(found) and sum(map(is_number, found.values())) >= MOST * len(found)
    if numbers and (len(found) > MOST_LABELS or (len(found) > FEW and any("." in name for name in found))):
        return Labels(Kind.REGRESSION)
    return Labels(Kind.CLASSIFICATION, in_order(few(found)))


def find_tags(values: Iterator[object]) -> Labels:
    """Return the tags of all words: `O` first, then those of each type together."""
    tags: set[str] = set()
    for value in values:
        tags.update(names_in(value) if isinstance(value, list) else [])
        few(tags)
    if are_entity_tags(list(tags)):
        return Labels(Kind.TOKEN_CLASSIFICATION, tuple(sorted(tags, key=lambda tag: (tag != OUTSIDE, tag[2:], tag))))
    return Labels(Kind.TOKEN_CLASSIFICATION, in_order(tags))


def few(names: Collection[str]) -> Collection[str]:
    """Return names; refuse more of them than any task has."""
    if len(names) > MOST_LABELS:
        raise DataError(
            f"at most {MOST_LABELS:,} labels", "more in the column taken for labels", "write the configuration by hand"
        )
    return names


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Return names sorted, numbers by their size."""
    return tuple(sorted(names, key=float if all(map(is_number, names)) else str))


def is_number(value: object) -> bool:
    """Whether a field is a number or reads like one."""
    if isinstance(value, str):
        return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value.strip()) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_names(value: object) -> bool:
    """Whether a value is a list of names or indices."""
    return isinstance(value, list) and all(isinstance(each, str | int) for each in value)


def names_in(value: object) -> list[str]:
    """Return the names that a label holds: those of a list, or of a text that parts them."""
    if isinstance(value, list):
        return [label_name(each) for each in value]
    name = label_name(value)
    if SEPARATOR in name:
        return [] if name == SEPARATOR else name.split(SEPARATOR)
    return [name]


def label_name(value: object) -> str:
    """Return a label as tasks name it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
