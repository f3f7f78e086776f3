"""The `rows` group: texts, label and provenance of every row, originals and copies alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool
from pyarrow import compute

from schemas.digest import digest, ids_digest
from schemas.example import MASKING, Change, Example, Label, Span, masks_of
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


COPIES = pa.schema([field for field in schema(pa.null()) if field.name not in ("label", "count")])
"""The columns of copies before they are put beside their originals."""


def to_batch(examples: Sequence[Example], label_type: pa.DataType) -> pa.RecordBatch:
    """Turn examples into rows."""
    return batch_of(examples, schema(label_type))


def copies_to_batch(copies: Sequence[Example]) -> pa.RecordBatch:
    """Turn copies into rows of `COPIES`."""
    return batch_of(copies, COPIES)


def batch_of(examples: Sequence[Example], schema: pa.Schema) -> pa.RecordBatch:
    """Turn examples into rows of some columns, which are named as their fields."""
    columns = [pa.array([getattr(example, field.name) for example in examples], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def complete(copies: pa.Table, originals: pa.Table) -> pa.Table:
    """Give copies of some originals what they keep of them: the label and the count."""
    kept = originals.drop(COPIES.names).take(compute.index_in(copies.column("origin"), originals.column("id")))  # pyright: ignore[reportAttributeAccessIssue]
    columns = [copies.column(name) if name in COPIES.names else kept.column(name) for name in originals.schema.names]
    return pa.Table.from_arrays(columns, schema=originals.schema)


def faults(copies: pa.Table, originals: pa.Table) -> dict[str, Bool[np.ndarray, " copies"]]:
    """Return, for each way in which copies can be wrong, which are."""
    index = compute.index_in(copies.column("origin"), originals.column("id"))  # pyright: ignore[reportAttributeAccessIssue]
    unknown = index.is_null().to_numpy(zero_copy_only=False)
    if unknown.any():
        return {"of no row": unknown}
    own, theirs = copies.column("texts").combine_chunks(), originals.column("texts").take(index).combine_chunks()
    counts = own.value_lengths().to_numpy(zero_copy_only=False)
    other = counts != theirs.value_lengths().to_numpy(zero_copy_only=False)
    if other.any():
        return {"another number of texts": other}
    ids = copies.column("id").to_numpy()
    repeated = np.ones(len(ids), np.bool_)
    repeated[np.unique(ids, return_index=True)[1]] = False
    differs = compute.not_equal(own.flatten(), theirs.flatten()).to_numpy(zero_copy_only=False)  # pyright: ignore[reportAttributeAccessIssue]
    alike = np.bincount(np.repeat(np.arange(len(counts)), counts), differs, minlength=len(counts)) == 0
    for place in np.flatnonzero(alike).tolist():
        alike[place] = not masks_of(Change(**change) for change in copies.column("changes")[place].as_py())
    return {"a copy twice": repeated, "the row itself": alike}


def first_of_each(copies: pa.Table) -> pa.Table:
    """Return the copies without those that show a model what an earlier one of the same original does."""
    seen: set[tuple] = set()
    first = []
    for batch in copies.select(["origin", "texts", "changes"]).to_batches(ROWS_PER_BATCH):
        for row in batch.to_pylist():
            shown = (row["origin"], *row["texts"], *masks_of(Change(**change) for change in row["changes"]))
            first.append(shown not in seen)
            seen.add(shown)
    return copies.filter(pa.array(first, pa.bool_()))


def in_order(table: pa.Table) -> pa.Table:
    """Sort rows as those of a shard are, which is `Example.order`."""
    texts = table.column("texts").combine_chunks()
    lengths = np.zeros(len(table), np.int64)
    np.add.at(lengths, compute.list_parent_indices(texts), compute.utf8_length(texts.flatten()))  # pyright: ignore[reportAttributeAccessIssue]
    return table.take(np.lexsort((table.column("id").to_numpy(), lengths))).combine_chunks()


def write_shard(
    group: Group,
    shard: int,
    label_type: pa.DataType,
    originals: Sequence[Example],
    grow: Callable[[pa.Table], tuple[pa.Table, Mapping[str, int]]],
    *,
    settings: str,
) -> None:
    """Write the rows that grow from a shard's originals, unless those of the same originals and settings are there.

    `grow` returns the originals and their copies, and counts of them; it is asked only if there is something to write.
    """
    ids = ids_digest(np.array([original.id for original in originals], np.uint64))
    input = digest([settings, ids, [original.count for original in originals]])
    committed = group.committed(shard)
    if committed is not None and committed.input == input:
        return
    grown, accounting = grow(pa.Table.from_batches([to_batch(originals, label_type)]))
    table = in_order(grown)
    with group.writer(shard, table.schema) as writer:
        for batch in table.to_batches(ROWS_PER_BATCH):
            writer.write(batch)
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


def has_masks(group: Group) -> bool:
    """Whether some row of the group has masked positions."""
    return any(is_masked(group.read_shard(side)) for side in group.manifest().shards)


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
