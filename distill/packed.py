"""Reading a group of a teacher's answers: slices over memory maps into one reused packed buffer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from schemas.answers import SCALES, Answers, Status, failures
from schemas.errors import IntegrityError
from schemas.group import Group
from schemas.signal import Signal


class Packed(NamedTuple):
    """[signals, numbers] of some rows, one row after another, and [signals, scales] where the codec scales."""

    numbers: np.ndarray
    scales: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.numbers.nbytes + (0 if self.scales is None else self.scales.nbytes)


@dataclass
class PackedColumn:
    """A column of numbers, `sizes` numbers a row and signal, and the buffer that rows of it are copied into.

    `addresses` are where the numbers of each row begin in its shard, known for shards that are mapped.
    """

    name: str
    dtype: np.dtype
    sizes: np.ndarray
    addresses: np.ndarray = field(init=False)
    mapped: dict[int, np.ndarray] = field(default_factory=dict)
    buffer: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.addresses = np.zeros(len(self.sizes), np.int64)
        self.buffer = np.empty(0, self.dtype)

    def pack(self, rows: np.ndarray, shards: list[int], positions: list[int]) -> np.ndarray:
        """Return [positions, numbers] of some rows, whose shards are given, as a view of the buffer."""
        sizes = self.sizes[rows].tolist()
        total = sum(sizes)
        if self.buffer.size < len(positions) * total:
            self.buffer = np.empty(len(positions) * total, self.dtype)
        packed = self.buffer[: len(positions) * total].reshape(len(positions), total)
        places = list(zip(map(self.mapped.__getitem__, shards), self.addresses[rows].tolist(), sizes, strict=True))
        # Neighbouring layers of a row lie end to end, so a run of them is one view and all its copies are one call.
        for at, first, count in runs(positions):
            views = [
                numbers[address + first * size : address + (first + count) * size].reshape(count, size)
                for numbers, address, size in places
            ]
            np.concatenate(views, axis=1, out=packed[at : at + count])
        return packed

    def map(self, shard: int, rows: slice, view: mmap, batches: Sequence[pa.RecordBatch]) -> np.ndarray:
        """Map the column of a shard, which has these rows; return how many numbers each has.

        Raises `ValueError` for a column that is not in the map: compressed ones are unpacked elsewhere.
        """
        base = pa.py_buffer(view).address
        addresses, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for batch in batches:
            column = batch.column(self.name)
            offsets = column.offsets.to_numpy()
            buffer = column.values.buffers()[1]
            if buffer and not 0 <= buffer.address - base <= len(view) - buffer.size:
                raise ValueError("compressed")
            addresses.append((buffer.address - base) // self.dtype.itemsize + offsets[:-1] if buffer else offsets[:-1])
            counts.append(np.diff(offsets))
        # The stream's buffers are aligned to 8 bytes, so the whole map can be seen as one array of numbers.
        self.mapped[shard] = np.frombuffer(view, self.dtype, len(view) // self.dtype.itemsize)
        self.addresses[rows] = np.concatenate(addresses)
        return np.concatenate(counts)


class PackedReader:
    """Answers of any rows of one group, layer by layer, without padding.

    Rows are numbered through all shards. A shard is hashed, validated and mapped when its first row is wanted.
    """

    def __init__(self, group: Group, lengths: np.ndarray) -> None:
        self.manifest = manifest = group.manifest()
        self.group = group
        self.answers = Answers.of(manifest.settings)
        self.shards = manifest.shards
        self.starts = np.concatenate([[0], np.cumsum([side.rows for side in manifest.shards])]).astype(np.int64)
        if self.starts[-1] != len(lengths):
            raise IntegrityError(f"{len(lengths):,} rows", f"{group.path}: {self.starts[-1]:,}", group.remedy)
        self.failed = failures(manifest.accounting)
        self.position = {signal: i for i, signal in enumerate(self.answers.signals)}
        self.kept_in: dict[int, np.ndarray] = {}
        codec = self.answers.codec
        self.columns = [PackedColumn(self.answers.family.value, codec.dtype, self.answers.size(lengths))]
        if codec.scales:
            self.columns.append(PackedColumn(SCALES, np.dtype("<f2"), self.answers.vectors(lengths)))

    @property
    def file(self) -> Path:
        """The file of the teacher's weights that signals are computed with, checked."""
        self.group.check_weights(self.manifest)
        return self.group.path / self.answers.family.file

    def read(self, rows: np.ndarray, signals: tuple[Signal, ...]) -> Packed:
        """Return each signal's numbers of the rows, one after another.

        The arrays are views of buffers that the next call overwrites.
        """
        shards = (np.searchsorted(self.starts, rows, side="right") - 1).tolist()
        for shard in set(shards) - self.kept_in.keys():
            self.open(shard)
        positions = [self.position[signal] for signal in signals]
        return Packed(*(column.pack(rows, shards, positions) for column in self.columns))

    def kept(self) -> np.ndarray:
        """Return which rows have an answer; opens every shard only where some row has none."""
        if not self.failed:
            return np.ones(int(self.starts[-1]), bool)
        for shard in set(range(len(self.shards))) - self.kept_in.keys():
            self.open(shard)
        return np.concatenate([self.kept_in[shard] for shard in range(len(self.shards))])

    def open(self, shard: int) -> None:
        """Check and map a shard."""
        side = self.shards[shard]
        view, batches = self.group.open_shard(side, self.answers.schema)
        kept = np.concatenate([np.empty(0, bool), *(b.column("status").to_numpy() == Status.KEPT for b in batches)])
        rows = slice(self.starts[shard], self.starts[shard + 1])
        for column in self.columns:
            try:
                found = column.map(shard, rows, view, batches)
            except ValueError:
                where = f"{self.group.path / side.file}: compressed"
                raise IntegrityError("uncompressed columns", where, self.group.remedy) from None
            if not np.array_equal(found, np.where(kept, column.sizes[rows] * len(self.answers.signals), 0)):
                where = f"{self.group.path / side.file}: another number"
                raise IntegrityError("as many numbers a row as its tokens ask for", where, self.group.remedy)
        self.kept_in[shard] = kept


def runs(positions: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield where each run of successive positions begins in the sequence, its first position, and its length."""
    begin = 0
    for end in range(1, len(positions) + 1):
        if end == len(positions) or positions[end] != positions[end - 1] + 1:
            yield begin, positions[begin], end - begin
            begin = end
