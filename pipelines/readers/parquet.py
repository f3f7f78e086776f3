"""Parquet files, read by record batches."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.record import Record, Reject, Where, shown
from schemas.errors import DataError
from schemas.store import resource_errors

SUFFIXES = (".parquet", ".pq")
ROWS_PER_BATCH = 1024


class Undecodable(bytes):
    """A string whose bytes are not UTF-8."""


def records(path: Path, *, header: bool) -> Iterator[Record | Reject]:
    """Read rows; `header` has no meaning here. A row's number stands for its line."""
    del header
    with resource_errors(str(path)):
        try:
            yield from records_of(path)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DataError(
                "a whole Parquet file", f"{path}: {str(error).splitlines()[0]}", "fetch or write the file again"
            ) from None


def records_of(path: Path) -> Iterator[Record | Reject]:
    """Read the rows of a file that may be damaged."""
    number = 0
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        for batch in file.iter_batches(ROWS_PER_BATCH):
            for values in zip(*map(values_of, batch.columns), strict=True):
                number += 1
                where = Where(path, number, None)
                fields: dict[str | int, object] = dict(zip(names, values, strict=True))
                raw = json.dumps(fields, default=repr).encode()
                bad = next((name for name, value in fields.items() if isinstance(value, Undecodable)), None)
                yield (
                    Record(where, fields, raw) if bad is None else Reject(where, raw, "UTF-8", shown(fields[bad]), bad)
                )


def values_of(column: pa.Array) -> list[object]:
    """Return a column's values; in place of nested ones that no task can use stands their type."""
    usable = is_list_of_names(column.type)
    if pa.types.is_nested(column.type) and not usable:
        return types_of(column)
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        if usable:
            return types_of(column)
        binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
        return [decoded(value) for value in column.cast(binary).to_pylist()]


def is_list_of_names(type: pa.DataType) -> bool:
    """Whether values are lists of words, tags or labels."""
    listed = pa.types.is_list(type) or pa.types.is_large_list(type)
    return listed and (
        pa.types.is_string(type.value_type)
        or pa.types.is_large_string(type.value_type)
        or pa.types.is_integer(type.value_type)
    )


def types_of(column: pa.Array) -> list[object]:
    """Return the column's type in place of each value that is there."""
    return [None if missing else column.type for missing in column.is_null().to_pylist()]


def decoded(value: bytes | None) -> str | Undecodable | None:
    """Return the text of bytes, or the bytes where they are no text."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return Undecodable(value or b"")
