"""Labels as files have them: names or indices of classes, numbers, sets of classes, tags of words.

Every function raises `ValueError` that says what is allowed.
"""

import math
from collections.abc import Sequence

SEPARATOR = "|"
"""Between the names of several labels in one text field; alone, it says that none of them fits."""


def class_of(field: object, labels: Sequence[str]) -> int:
    """Return the index of a class that is given by its name or its index."""
    name = str(field).lower() if isinstance(field, bool) else str(field)
    if name in labels:
        return labels.index(name)
    # Longer digits are no index, and thousands of them are more than Python turns into a number.
    short = len(name) <= len(str(len(labels)))
    if short and name.isascii() and name.isdigit() and str(int(name)) == name and int(name) < len(labels):
        return int(name)
    raise ValueError(f"one of {', '.join(labels)}, or its index 0 to {len(labels) - 1}")


def number_of(field: object) -> float:
    """Return a finite number."""
    if isinstance(field, bool) or (isinstance(field, str) and "_" in field):
        raise ValueError("a number")  # Python alone reads 1_0 as ten.
    try:
        number = float(field)  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise ValueError("a number") from None
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


def classes_of(field: object, labels: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of a set of classes in order: a list of them, or a text with `|` between names.

    An empty list and a lone `|` are the empty set.
    """
    if isinstance(field, str):
        field = [] if field == SEPARATOR else field.split(SEPARATOR)
    try:
        found = [class_of(each, labels) for each in field] if isinstance(field, list) else None
    except ValueError:
        found = None
    if found is None or len(set(found)) < len(found):
        names = ", ".join(labels)
        raise ValueError(f"names from {names}, each once: a list, or with `{SEPARATOR}` between (alone: none of them)")
    return tuple(sorted(found))


def tags_of(field: object, labels: Sequence[str]) -> tuple[int, ...]:
    """Return the classes of a sentence's words, a list of names or indices, in order."""
    if not isinstance(field, list):
        raise ValueError(f"a list of tags, each one of {', '.join(labels)}")
    return tuple(class_of(each, labels) for each in field)
