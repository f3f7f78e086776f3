"""Rows of delimited files: fields find their names in the header, or are known by position."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.record import Record, Reject, Where, shown
from schemas.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
"""What usually stands between the fields of such files, the most usual first."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one row, not yet named."""

    where: Where
    fields: list[str]
    raw: bytes


def named(rows: Iterator[Fields | Reject], *, header: bool) -> Iterator[Record | Reject]:
    """Name the fields of rows; the header, or else the first good row, says how many there are."""
    names: Sequence[str | int] | None = None
    for row in rows:
        if isinstance(row, Reject):
            if header and names is None:
                raise row.error()
            yield row
            continue
        if names is None:
            names = column_names(row) if header else range(len(row.fields))
            if header:
                continue
        if len(row.fields) == len(names):
            yield Record(row.where, dict(zip(names, row.fields, strict=True)), row.raw)
        else:
            expected = f"{len(names)} fields, as in the {'header' if header else 'first row'}"
            yield Reject(row.where, row.raw, expected, f"{len(row.fields)}: {shown(row.raw)}")


def column_names(row: Fields) -> list[str]:
    """Return the names in a header; two columns may not share one."""
    for name, count in Counter(row.fields).items():
        if name and count > 1:
            raise DataError(
                "columns with names of their own", f"{row.where}: {shown(name)} twice", "rename one in the header"
            )
    return row.fields
