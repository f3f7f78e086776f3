"""Reading a group of a teacher's answers: slices over memory maps into one reused packed buffer."""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class MappedColumn:
    """The numbers of a mapped shard, and where each row's begin."""

    numbers: np.ndarray
    addresses: list[int]


@dataclass
class PackedColumn:
    """A column of numbers, `sizes` numbers a row and signal, and the buffer that rows of it are copied into."""

    name: str
    dtype: np.dtype
    sizes: np.ndarray
    mapped: dict[int, MappedColumn] = field(default_factory=dict)
    buffer: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.buffer = np.empty(0, self.dtype)

    def pack(self, rows: np.ndarray, places: Sequence[tuple[int, int]], positions: list[int]) -> np.ndarray:
        """Return [positions, numbers] of some rows, known by shard and place there, as a view of the buffer."""
        sizes = self.sizes[rows]
        ends = np.cumsum(sizes).tolist()
        total = ends[-1]
        if self.buffer.size < len(positions) * total:
            self.buffer = np.empty(len(positions) * total, self.dtype)
        packed = self.buffer[: len(positions) * total].reshape(len(positions), total)
        # Neighbouring layers of a row lie end to end, so a run of them is one copy.
        first, count = positions[0], len(positions)
        adjacent = positions == list(range(first, first + count))
        for (shard, row), size, end in zip(places, sizes.tolist(), ends, strict=True):
            mapped = self.mapped[shard]
            numbers, address = mapped.numbers, mapped.addresses[row]
            if adjacent:
                start = address + first * size
                packed[:, end - size : end] = numbers[start : start + count * size].reshape(count, size)
                continue
            for i, position in enumerate(positions):
                start = address + position * size
                packed[i, end - size : end] = numbers[start : start + size]
        return packed

    def map(self, shard: int, view: mmap, batches: Sequence[pa.RecordBatch]) -> np.ndarray:
        """Map a shard's column; return how many numbers each row has.

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
        numbers = np.frombuffer(view, self.dtype, len(view) // self.dtype.itemsize)
        self.mapped[shard] = MappedColumn(numbers, np.concatenate(addresses).tolist())
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
        shards = np.searchsorted(self.starts, rows, side="right") - 1
        places = list(zip(shards.tolist(), (rows - self.starts[shards]).tolist(), strict=True))
        for shard in set(shards.tolist()) - self.kept_in.keys():
            self.open(shard)
        positions = [self.position[signal] for signal in signals]
        return Packed(*(column.pack(rows, places, positions) for column in self.columns))

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
                found = column.map(shard, view, batches)
            except ValueError:
                where = f"{self.group.path / side.file}: compressed"
                raise IntegrityError("uncompressed columns", where, self.group.remedy) from None
            if not np.array_equal(found, np.where(kept, column.sizes[rows] * len(self.answers.signals), 0)):
                where = f"{self.group.path / side.file}: another number"
                raise IntegrityError("as many numbers a row as its tokens ask for", where, self.group.remedy)
        self.kept_in[shard] = kept
