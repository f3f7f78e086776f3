"""The `tokens` group of a tokenizer: ids and segments of every row, cut at a length."""

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


def name(fingerprint: str, max_length: int) -> str:
    """Return the group's name for a tokenizer and a longest length."""
    return f"tokens.{fingerprint[:12]}.{max_length}"


def to_batch(
    ids: Sequence[int], input_ids: Sequence[Sequence[int]], segments: Sequence[Sequence[int]]
) -> pa.RecordBatch:
    """Turn token ids into rows."""
    arrays = [
        pa.array(np.asarray(ids, np.uint64)),
        pa.array(input_ids, pa.list_(pa.int32())),
        pa.array(segments, pa.list_(pa.int8())),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
