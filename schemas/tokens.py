"""The `tokens` group of a tokenizer: ids and segments of every row, cut at a length; what is masked in them; and, where
a model judges words, the number of each word's first piece, -1 for a word that was cut away."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from schemas.group import ID
from schemas.task import Kind, Unit, unit_of

FIRST_PIECES = "first_pieces"


def schema(kind: Kind, *, masked: bool = False) -> pa.Schema:
    """Return the columns of the group for a kind of task, and for rows some of which are masked."""
    integers = pa.list_(pa.int32())
    fields = [
        ID,
        pa.field("input_ids", integers, nullable=False),
        pa.field("token_type_ids", pa.list_(pa.int8()), nullable=False),
    ]
    if unit_of(kind) is Unit.WORD:
        fields.append(pa.field(FIRST_PIECES, integers, nullable=False))
    if masked:
        fields += [pa.field(name, integers, nullable=False) for name in ("masked_positions", "masked_ids")]
    return pa.schema(fields)


MASKING_VERSION = 1
"""Of the way masks become ids, in the settings of masked groups alone."""

NO_ID = -1
"""Stands for the true id of a mask that hides several pieces."""


def name(fingerprint: str, max_length: int) -> str:
    """Return the group's name for a tokenizer and a longest length."""
    return f"tokens.{fingerprint[:12]}.{max_length}"


def to_batch(schema: pa.Schema, ids: Sequence[int], columns: Mapping[str, Sequence[Sequence[int]]]) -> pa.RecordBatch:
    """Turn token ids into rows: of the columns by name those that the group has."""
    arrays = [pa.array(columns[field.name], field.type) for field in list(schema)[1:]]
    return pa.RecordBatch.from_arrays([pa.array(np.asarray(ids, np.uint64)), *arrays], schema=schema)
