"""Protected parts: which characters of a row's texts no copy may change."""

import json
from collections.abc import Sequence

from pipelines.record import Record, Reject, shown
from schemas.example import Span
from schemas.task import Task


def protected_of(record: Record, task: Task, texts: Sequence[str]) -> tuple[Span, ...] | Reject:
    """Return a row's protected parts, none where the field is absent or empty; in CSV and TSV it holds JSON."""
    if task.protected is None:
        return ()
    field = record.fields.get(task.protected)
    if field is None or field == "":
        return ()
    try:
        parts = json.loads(field) if isinstance(field, str) else field
    except ValueError:
        parts = field
    spans = [span_of(part, texts) for part in parts] if isinstance(parts, list) else [None]
    if None in spans:
        within = "[text, start, end]" if len(texts) > 1 else "[start, end]"
        expected = f"a list of {within}, characters of the text counted from 0, the end not included"
        return Reject(record.where, record.raw, expected, shown(field), task.protected)
    return tuple(sorted(span for span in spans if span))


def span_of(part: object, texts: Sequence[str]) -> Span | None:
    """Return one part, `None` where it is none of these texts."""
    if not isinstance(part, list) or any(type(number) is not int for number in part):
        return None
    if len(part) != (3 if len(texts) > 1 else 2):
        return None
    text, start, end = part if len(part) == 3 else (0, *part)
    inside = 0 <= text < len(texts) and 0 <= start < end <= len(texts[text])
    return Span(text, start, end) if inside else None
