"""Candidates: the possible words of a row's eligible words, kept as a group aligned with the originals."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import pyarrow as pa

from schemas.group import ID

NAME = "candidates"


class Source(StrEnum):
    """Where a word's candidates come from; `none` where it has none and so stays as it is."""

    MASKED_LANGUAGE_MODEL = "masked_language_model"
    VECTORS = "vectors"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Position:
    """The possible words of one eligible word, best first.

    `text` says which of the row's texts; `start` and `end` are character offsets in it; `scores` are logits of the
    masked language model or cosines, as float32.
    """

    text: int
    start: int
    end: int
    source: Source
    words: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


POSITION = pa.struct(
    [
        pa.field("text", pa.int8()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("source", pa.string()),
        pa.field("words", pa.list_(pa.string())),
        pa.field("scores", pa.list_(pa.float32())),
    ]
)

SCHEMA = pa.schema([ID, pa.field("positions", pa.list_(POSITION), nullable=False)])


def to_batch(ids: Sequence[int], positions: Sequence[Sequence[Position]]) -> pa.RecordBatch:
    """Turn the positions of rows into a record batch."""
    every = [position for row in positions for position in row]
    columns = [pa.array([getattr(position, field.name) for position in every], field.type) for field in POSITION.fields]
    structs = pa.StructArray.from_arrays(columns, fields=POSITION.fields)
    offsets = pa.array([0, *accumulate(map(len, positions))], pa.int32())
    lists = pa.ListArray.from_arrays(offsets, structs, type=SCHEMA.field("positions").type)
    return pa.RecordBatch.from_arrays([pa.array(ids, pa.uint64()), lists], schema=SCHEMA)


def from_table(table: pa.Table) -> dict[int, tuple[Position, ...]]:
    """Return the positions of every row by the row's id."""
    rows: dict[int, tuple[Position, ...]] = {}
    for batch in table.to_batches():
        structs = batch.column("positions").flatten()
        text, start, end, source, words, scores = (column.to_pylist() for column in structs.flatten())
        every = list(map(Position, text, start, end, map(Source, source), map(tuple, words), map(tuple, scores)))
        ends = list(accumulate(batch.column("positions").value_lengths().to_pylist()))
        ids = batch.column("id").to_pylist()
        rows |= {key: tuple(every[first:after]) for key, first, after in zip(ids, [0, *ends[:-1]], ends, strict=True)}
    return rows
