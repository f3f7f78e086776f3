"""Reading a group of a teacher's answers: slices over memory maps into one reused packed buffer."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from schemas.answers import Answers, Status
from schemas.errors import IntegrityError
from schemas.group import Group
from schemas.signal import Signal


@dataclass(frozen=True)
class MappedShard:
    """The numbers of one mapped shard, where each row's begin, and which rows have an answer."""

    values: np.ndarray
    addresses: list[int]
    kept: np.ndarray


class PackedReader:
    """Answers of any rows of one group, layer by layer, without padding.

    Rows are numbered through all shards. A shard is hashed, validated and mapped when its first row is wanted.
    """

    def __init__(self, group: Group, lengths: np.ndarray) -> None:
        manifest = group.manifest()
        self.group = group
        self.answers = Answers.of(manifest.settings)
        self.shards = manifest.shards
        self.starts = np.concatenate([[0], np.cumsum([side.rows for side in manifest.shards])]).astype(np.int64)
        if self.starts[-1] != len(lengths):
            raise IntegrityError(f"{len(lengths):,} rows", f"{group.path}: {self.starts[-1]:,}", group.remedy)
        self.failed = manifest.accounting.get("not_finite", 0)
        self.sizes = self.answers.size(lengths)
        self.position = {signal: i for i, signal in enumerate(self.answers.signals)}
        self.mapped: dict[int, MappedShard] = {}
        self.buffer = np.empty(0, self.answers.codec.dtype)

    def read(self, rows: np.ndarray, signals: tuple[Signal, ...]) -> np.ndarray:
        """Return [signals, numbers]: each signal's numbers of the rows, one after another.

        The array is a view of a buffer that the next call overwrites.
        """
        sizes = self.sizes[rows]
        ends = np.cumsum(sizes).tolist()
        total = ends[-1]
        if self.buffer.size < len(signals) * total:
            self.buffer = np.empty(len(signals) * total, self.answers.codec.dtype)
        packed = self.buffer[: len(signals) * total].reshape(len(signals), total)
        positions = [self.position[signal] for signal in signals]
        # Neighbouring layers of a row lie end to end, so a run of them is one copy.
        first, count = positions[0], len(positions)
        adjacent = positions == list(range(first, first + count))
        shards = np.searchsorted(self.starts, rows, side="right") - 1
        local = (rows - self.starts[shards]).tolist()
        for shard, row, size, end in zip(shards.tolist(), local, sizes.tolist(), ends, strict=True):
            mapped = self.mapped.get(shard) or self.open(shard)
            values, address = mapped.values, mapped.addresses[row]
            if adjacent:
                start = address + first * size
                packed[:, end - size : end] = values[start : start + count * size].reshape(count, size)
                continue
            for i, position in enumerate(positions):
                start = address + position * size
                packed[i, end - size : end] = values[start : start + size]
        return packed

    def kept(self) -> np.ndarray:
        """Return which rows have an answer; opens every shard only where some row has none."""
        if not self.failed:
            return np.ones(int(self.starts[-1]), bool)
        shards = range(len(self.shards))
        return np.concatenate([(self.mapped.get(shard) or self.open(shard)).kept for shard in shards])

    def open(self, shard: int) -> MappedShard:
        """Check and map a shard."""
        side = self.shards[shard]
        view, batches = self.group.open_shard(side, self.answers.schema)
        base = pa.py_buffer(view).address
        itemsize = self.answers.codec.dtype.itemsize
        addresses, counts, kept = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, bool)]
        for batch in batches:
            column = batch.column(self.answers.family.value)
            offsets = column.offsets.to_numpy()
            values = column.values.buffers()[1]
            if values and not 0 <= values.address - base <= len(view) - values.size:
                # Compressed buffers are unpacked elsewhere; nothing of ours writes them.
                raise IntegrityError("uncompressed columns", f"{self.group.path / side.file}", self.group.remedy)
            first = (values.address - base) // itemsize if values else 0
            addresses.append(first + offsets[:-1])
            counts.append(np.diff(offsets))
            kept.append(batch.column("status").to_numpy() == Status.KEPT)
        usable = np.concatenate(kept)
        sizes = self.sizes[self.starts[shard] : self.starts[shard + 1]] * len(self.answers.signals)
        if not np.array_equal(np.concatenate(counts), np.where(usable, sizes, 0)):
            raise IntegrityError(
                "as many numbers a row as its tokens ask for", f"{self.group.path / side.file}", self.group.remedy
            )
        # The stream's buffers are aligned to 8 bytes, so the whole map can be seen as one array of numbers.
        numbers = np.frombuffer(view, self.answers.codec.dtype, len(view) // itemsize)
        self.mapped[shard] = MappedShard(numbers, np.concatenate(addresses).tolist(), usable)
        return self.mapped[shard]
