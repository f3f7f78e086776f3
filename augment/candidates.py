"""Candidates: what a strategy proposes for a row's words, kept as a group aligned with the originals."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import pyarrow as pa

from schemas.group import ID

PREFIX = "candidates."

NONE = "none"
"""The source of a position without candidates, which so stays as it is."""


def name(strategy: str) -> str:
    """Return the name of the group that a strategy's proposals are kept in."""
    return PREFIX + strategy


@dataclass(frozen=True, slots=True)
class Position:
    """The possible words of one eligible word, best first.

    `text` says which of the row's texts; `start` and `end` are character offsets in it; `source` names where the words
    come from; `scores` are logits of the masked language model or cosines, as float32. `near_tie` says that rounding
    errors could reorder the words.
    """

    text: int
    start: int
    end: int
    source: str
    words: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    near_tie: bool = False


Positions = tuple[Position, ...]


POSITION = pa.struct(
    [
        pa.field("text", pa.int8()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("source", pa.string()),
        pa.field("words", pa.list_(pa.string())),
        pa.field("scores", pa.list_(pa.float32())),
        pa.field("near_tie", pa.bool_()),
    ]
)

SCHEMA = pa.schema([ID, pa.field("positions", pa.list_(POSITION), nullable=False)])


def to_batch(ids: Sequence[int], positions: Sequence[Positions]) -> pa.RecordBatch:
    """Turn the positions of rows into a record batch."""
    every = [position for row in positions for position in row]
    columns = [pa.array([getattr(position, field.name) for position in every], field.type) for field in POSITION.fields]
    structs = pa.StructArray.from_arrays(columns, fields=POSITION.fields)
    offsets = pa.array([0, *accumulate(map(len, positions))], pa.int32())
    lists = pa.ListArray.from_arrays(offsets, structs, type=SCHEMA.field("positions").type)
    return pa.RecordBatch.from_arrays([pa.array(ids, pa.uint64()), lists], schema=SCHEMA)


def from_table(table: pa.Table) -> dict[int, Positions]:
    """Return the positions of every row by the row's id."""
    rows: dict[int, Positions] = {}
    for batch in table.to_batches():
        structs = batch.column("positions").flatten()
        text, start, end, source, words, scores, near = (column.to_pylist() for column in structs.flatten())
        every = list(map(Position, text, start, end, source, map(tuple, words), map(tuple, scores), near))
        ends = list(accumulate(batch.column("positions").value_lengths().to_pylist()))
        ids = batch.column("id").to_pylist()
        rows |= {key: tuple(every[first:after]) for key, first, after in zip(ids, [0, *ends[:-1]], ends, strict=True)}
    return rows
