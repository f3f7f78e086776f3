"""Files of another kind than rows in lines: what they are is said, and what to do."""

from itertools import islice
from pathlib import Path

from pipelines.lines import lines
from schemas.errors import DataError


def refuse_misfit(path: Path, format: str) -> None:
    """Refuse a file without lines, lines that end as those of old Macs did, and a JSON array."""
    if format == "parquet":
        return
    head = [line.content for line in islice(lines(path), 2)]
    if not head:
        raise DataError("rows", f"{path}: none", "give a file of rows")
    returns = head[0].count(b"\r") if len(head) == 1 else 0
    if returns:
        raise DataError(
            "lines that end in a line feed",
            f"{path}:1: {returns:,} carriage returns alone, as old Macs ended lines",
            "convert the line ends, for instance: tr '\\r' '\\n' < old > new",
        )
    if format == "jsonl" and is_json_array(path):
        raise DataError(
            "JSON Lines: one object a line",
            f"{path}:1: `[`, the begin of a JSON array",
            "write one object a line, for instance: jq -c '.[]' array.json > rows.jsonl",
        )
    if format == "jsonl" and first_content(path) == b"{":
        raise DataError(
            "JSON Lines: one object a line",
            f"{path}:1: `{{`, the begin of an object over several lines",
            "write one object a line, for instance: jq -c . objects.json > rows.jsonl",
        )


def is_json_array(path: Path) -> bool:
    """Whether a file begins as an array of objects does, on one line or more."""
    first = first_content(path)
    return first == b"[" or (first.startswith(b"[") and first[1:].lstrip().startswith(b"{"))


def first_content(path: Path) -> bytes:
    """Return a file's first line that is not blank, bare."""
    return next((line.content.strip() for line in lines(path) if line.content.strip()), b"")
