"""The `tokens` group of a tokenizer: ids and segments of every row, cut at a length; where a model judges words, also
the number of each word's first piece, -1 for a word that was cut away."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.group import ID
from schemas.task import Kind, Unit, unit_of

FIRST_PIECES = "first_pieces"


def schema(kind: Kind) -> pa.Schema:
    """Return the columns of the group for a kind of task."""
    fields = [
        ID,
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("token_type_ids", pa.list_(pa.int8()), nullable=False),
    ]
    if unit_of(kind) is Unit.WORD:
        fields.append(pa.field(FIRST_PIECES, pa.list_(pa.int32()), nullable=False))
    return pa.schema(fields)


def name(fingerprint: str, max_length: int) -> str:
    """Return the group's name for a tokenizer and a longest length."""
    return f"tokens.{fingerprint[:12]}.{max_length}"


def to_batch(kind: Kind, ids: Sequence[int], *columns: Sequence[Sequence[int]]) -> pa.RecordBatch:
    """Turn token ids, segments and, where there are any, first pieces into rows."""
    fields = schema(kind)
    arrays = [pa.array(np.asarray(ids, np.uint64))]
    arrays += [pa.array(column, field.type) for column, field in zip(columns, list(fields)[1:], strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=fields)
