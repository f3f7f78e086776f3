"""JSON lines: one object a line, strict where the standard library is not."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.lines import decoded, lines
from pipelines.record import Record, Reject, shown

SUFFIXES = (".jsonl", ".ndjson", ".json")
DEEPEST = 100
"""Levels of nesting, far below where Python would give up, so that every process refuses the same lines."""
MOST_DIGITS = 4000
NAMES = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}


class RefusedError(ValueError):
    """JSON that Python would accept and we do not: `expected` and `found` in words."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found


def records(path: Path, *, header: bool) -> Iterator[Record | Reject]:
    """Read rows; `header` has no meaning here, every row names its own fields."""
    del header
    for line in lines(path):
        text = decoded(line)
        if isinstance(text, Reject):
            yield text
            continue
        try:
            yield Record(line.where, parse(text), line.raw)
        except RefusedError as error:
            yield Reject(line.where, line.raw, error.expected, f"{error.found}: {shown(text)}")


def parse(text: str) -> dict[str | int, Any]:
    """Return the object that a line holds; raises `RefusedError` that names the column where it is known."""
    if not text.strip():
        raise RefusedError("a JSON object", "a blank line")
    if text.count("[") + text.count("{") > DEEPEST:
        refuse_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=distinct, parse_constant=constant, parse_int=integer)
    except json.JSONDecodeError as error:
        raise RefusedError("a JSON object", f"column {error.colno}: {error.msg}") from None
    except RefusedError as error:
        raise RefusedError(error.expected, f"{column_of(text, error.found)}{error.found}") from None
    if not isinstance(value, dict):
        raise RefusedError("a JSON object", f"{NAMES.get(type(value), 'a number')} at column 1")
    return value


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of pairs whose keys differ."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise RefusedError("every key once", f"{shown(twice)} twice")
    return found


def constant(literal: str) -> float:
    """Refuse NaN, Infinity and -Infinity, which are no JSON."""
    raise RefusedError("JSON numbers", literal)


def integer(digits: str) -> int:
    """Read an integer of sane length."""
    if len(digits) > MOST_DIGITS:
        raise RefusedError(f"at most {MOST_DIGITS} digits", f"{digits[:20]}…")
    return int(digits)


def column_of(text: str, literal: str) -> str:
    """Return where a literal stands outside strings, in words; nothing where it cannot be told."""
    bare = re.escape(literal.removesuffix("…"))
    for found in re.finditer(rf'"(?:[^"\\]|\\.)*"|({bare})', text):
        if found.group(1):
            return f"column {found.start() + 1}: "
    return ""


def refuse_depth(text: str) -> None:
    """Refuse a line that nests deeper than any row of a data set does."""
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', text):
        if found.group(1):
            depth += 1
        elif found.group(2):
            depth -= 1
        if depth > DEEPEST:
            raise RefusedError(f"at most {DEEPEST} levels of nesting", f"more at column {found.start() + 1}")
