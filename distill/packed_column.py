"""A column of numbers of any rows: slices of memory maps, put end to end in one reused buffer."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int, Shaped


class Copy(NamedTuple):
    """Pieces of mapped shards, a row each, and the part of a buffer where they are put side by side."""

    pieces: list[Shaped[np.ndarray, "layers _"]]
    target: Shaped[np.ndarray, "layers numbers"]

    def make(self) -> None:
        """Copy the pieces; Python's lock is free meanwhile."""
        np.concatenate(self.pieces, axis=1, out=self.target)


@dataclass
class PackedColumn:
    """A column of numbers, `sizes` numbers a row and signal, and the buffer that rows of it are copied into.

    `addresses` are where the numbers of each row begin in its shard, known for shards that are mapped.
    """

    name: str
    dtype: np.dtype
    sizes: Int[np.ndarray, " rows"]
    addresses: Int[np.ndarray, " rows"] = field(init=False)
    mapped: dict[int, Shaped[np.ndarray, " _"]] = field(default_factory=dict)
    buffer: Shaped[np.ndarray, " _"] = field(init=False)

    def __post_init__(self) -> None:
        self.addresses = np.zeros(len(self.sizes), np.int64)
        self.buffer = np.empty(0, self.dtype)

    def room(self, layers: int, numbers: int) -> Shaped[np.ndarray, "layers numbers"]:
        """Return a part of the buffer."""
        if self.buffer.size < layers * numbers:
            self.buffer = np.empty(layers * numbers, self.dtype)
        return self.buffer[: layers * numbers].reshape(layers, numbers)

    def map(
        self, shard: int, rows: slice, view: pa.Buffer, batches: Sequence[pa.RecordBatch]
    ) -> Int[np.ndarray, " rows"]:
        """Map the column of a shard, which has these rows; return how many numbers each has.

        Raises `ValueError` for a column that is not in the map: compressed ones are unpacked elsewhere.
        """
        addresses, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for batch in batches:
            column = batch.column(self.name)
            offsets = column.offsets.to_numpy()
            buffer = column.values.buffers()[1]
            if buffer and not 0 <= buffer.address - view.address <= view.size - buffer.size:
                raise ValueError("compressed")
            addresses.append(
                (buffer.address - view.address) // self.dtype.itemsize + offsets[:-1] if buffer else offsets[:-1]
            )
            counts.append(np.diff(offsets))
        # The stream's buffers are aligned to 8 bytes, so the whole map can be seen as one array of numbers.
        self.mapped[shard] = np.frombuffer(view, self.dtype, view.size // self.dtype.itemsize)
        self.addresses[rows] = np.concatenate(addresses)
        return np.concatenate(counts)


class Filling:
    """Rows of a column on their way into its buffer: `packed` is [positions, numbers].

    `places` has of each row its shard's map, where its numbers begin, and how many a layer has.
    """

    def __init__(
        self, column: PackedColumn, rows: Int[np.ndarray, " rows"], shards: Sequence[int], positions: Sequence[int]
    ) -> None:
        sizes = column.sizes[rows]
        maps = [column.mapped[shard] for shard in shards]
        self.places = list(zip(maps, column.addresses[rows].tolist(), sizes.tolist(), strict=True))
        self.begins = [0, *np.cumsum(sizes).tolist()]
        self.packed = column.room(len(positions), self.begins[-1])
        # Neighbouring layers of a row lie end to end, so a run of them is one piece.
        self.runs = list(runs(positions))

    def rows_within(self, size: int) -> int:
        """Return how many rows, from the first on, it takes to have so many bytes, if there are as many."""
        numbers = size / (len(self.packed) * self.packed.itemsize)
        return min(bisect_left(self.begins, numbers), len(self.places))

    def copies(self, low: int, high: int) -> list[Copy]:
        """Return the copies of the rows from `low` to before `high`."""
        if low == high:
            return []
        target = self.packed[:, self.begins[low] : self.begins[high]]
        return [
            Copy(
                [
                    numbers[address + first * size : address + (first + count) * size].reshape(count, size)
                    for numbers, address, size in self.places[low:high]
                ],
                target[at : at + count],
            )
            for at, first, count in self.runs
        ]


def shares(fillings: Sequence[Filling], count: int) -> Iterator[Callable[[], None]]:
    """Yield the work of filling in so many shares of about as many bytes."""
    total = sum(filling.packed.nbytes for filling in fillings)
    marks = [total * number // count for number in range(1, count)]
    cuts, before = [], 0
    for filling in fillings:
        cuts.append([0, *(filling.rows_within(mark - before) for mark in marks), len(filling.places)])
        before += filling.packed.nbytes
    for number in range(count):
        yield partial(
            make_all,
            [
                copy
                for filling, cut in zip(fillings, cuts, strict=True)
                for copy in filling.copies(cut[number], cut[number + 1])
            ],
        )


def make_all(copies: Iterable[Copy]) -> None:
    """Make copies one after another."""
    for copy in copies:
        copy.make()


def runs(positions: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where each run of successive positions begins in the sequence, its first position, and its length."""
    begin = 0
    for end in range(1, len(positions) + 1):
        if end == len(positions) or positions[end] != positions[end - 1] + 1:
            yield begin, positions[begin], end - begin
            begin = end
