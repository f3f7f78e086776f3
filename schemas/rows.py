"""The `rows` group: texts, label and provenance of every row, originals and copies alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from schemas.digest import digest, ids_digest
from schemas.example import MASKING, Change, Example, Label, Span
from schemas.group import ID, Group

NAME = "rows"
ROWS_PER_BATCH = 4096

CHANGE = pa.struct(
    [
        pa.field("text", pa.int8()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("original", pa.string()),
        pa.field("source", pa.string()),
    ]
)

SPAN = pa.struct(
    [
        pa.field("text", pa.int8()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("label", pa.int32()),
    ]
)


def schema(label_type: pa.DataType) -> pa.Schema:
    """Return the columns of the group for a task's type of label."""
    return pa.schema(
        [
            ID,
            pa.field("origin", pa.uint64(), nullable=False),
            pa.field("texts", pa.list_(pa.string()), nullable=False),
            pa.field("label", label_type),
            pa.field("count", pa.int32(), nullable=False),
            pa.field("strategy", pa.string(), nullable=False),
            pa.field("draw", pa.int32(), nullable=False),
            pa.field("changes", pa.list_(CHANGE), nullable=False),
            pa.field("spans", pa.list_(SPAN), nullable=False),
        ]
    )


def to_batch(examples: Sequence[Example], label_type: pa.DataType) -> pa.RecordBatch:
    """Turn examples into rows."""
    columns = [
        [example.id for example in examples],
        [example.origin for example in examples],
        [list(example.texts) for example in examples],
        [example.label for example in examples],
        [example.count for example in examples],
        [example.strategy for example in examples],
        [example.draw for example in examples],
        [example.changes for example in examples],
        [example.spans for example in examples],
    ]
    fields = schema(label_type)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=fields)


def write_shard(
    group: Group,
    shard: int,
    label_type: pa.DataType,
    originals: Sequence[Example],
    grown: Iterable[Example],
    *,
    settings: str,
    accounting: Mapping[str, int],
) -> None:
    """Write the rows that grow from a shard's originals, unless those of the same originals and settings are there.

    Growing may take long and count what it does: `grown` is run through only if it is written, and `accounting` is
    read after that.
    """
    ids = ids_digest(np.array([original.id for original in originals], np.uint64))
    input = digest([settings, ids, [original.count for original in originals]])
    committed = group.committed(shard)
    if committed is not None and committed.input == input:
        return
    everything = sorted(grown, key=lambda example: example.order)
    with group.writer(shard, schema(label_type)) as writer:
        for start in range(0, len(everything), ROWS_PER_BATCH):
            writer.write(to_batch(everything[start : start + ROWS_PER_BATCH], label_type))
        writer.commit(settings=settings, input=input, accounting=dict(accounting))


def labels(table: pa.Table) -> list[Label]:
    """Return the labels of rows."""
    return list(map(label_in, table.column("label").to_pylist()))


def label_in(value: Any) -> Label:
    """Return a label as examples have it, from how Arrow gives it."""
    return tuple(value) if isinstance(value, list) else value


def only_originals(table: pa.Table) -> pa.Table:
    """Return the rows that were read, without their copies."""
    return table.filter(compute.field("id") == compute.field("origin"))


def is_masked(table: pa.Table) -> bool:
    """Whether some row has masked positions."""
    sources = (chunk.flatten().field("source").unique().to_pylist() for chunk in table.column("changes").chunks)
    return any(source in MASKING for each in sources for source in each)


def examples(table: pa.Table) -> Iterator[Example]:
    """Turn rows back into examples."""
    for batch in table.to_batches():
        for row in batch.to_pylist():
            yield Example(
                id=row["id"],
                origin=row["origin"],
                texts=tuple(row["texts"]),
                label=label_in(row["label"]),
                count=row["count"],
                strategy=row["strategy"],
                draw=row["draw"],
                changes=tuple(Change(**change) for change in row["changes"]),
                spans=tuple(Span(**span) for span in row["spans"]),
            )
