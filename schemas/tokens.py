"""The `tokens` group of a tokenizer: ids and segments of every row, cut at a length, and what is masked in them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.group import ID

SCHEMA = pa.schema(
    [
        ID,
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("token_type_ids", pa.list_(pa.int8()), nullable=False),
    ]
)

MASKED = pa.schema(
    [
        *SCHEMA,
        pa.field("masked_positions", pa.list_(pa.int32()), nullable=False),
        pa.field("masked_ids", pa.list_(pa.int32()), nullable=False),
    ]
)
"""The columns of a group some of whose rows are masked: where, and the ids that truly stand there."""

MASKING_VERSION = 1
"""Of the way masks become ids, in the settings of masked groups alone."""

NO_ID = -1
"""Stands for the true id of a mask that hides several pieces."""


def name(fingerprint: str, max_length: int) -> str:
    """Return the group's name for a tokenizer and a longest length."""
    return f"tokens.{fingerprint[:12]}.{max_length}"


def to_batch(
    ids: Sequence[int],
    input_ids: Sequence[Sequence[int]],
    segments: Sequence[Sequence[int]],
    masks: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]] | None = None,
) -> pa.RecordBatch:
    """Turn token ids into rows; `masks` are positions and true ids of every row, in a group that has them."""
    arrays = [
        pa.array(np.asarray(ids, np.uint64)),
        pa.array(input_ids, pa.list_(pa.int32())),
        pa.array(segments, pa.list_(pa.int8())),
        *(pa.array(each, pa.list_(pa.int32())) for each in masks or ()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=MASKED if masks else SCHEMA)
