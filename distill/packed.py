"""Reading groups of a teacher's answers: slices over memory maps into reused packed buffers, by all threads."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float16, Int, Shaped

from distill.packed_column import Copy, Filling, PackedColumn, shares
from distill.threads import together
from schemas.answers import SCALES, Answers, Status, failures
from schemas.errors import IntegrityError
from schemas.group import Group
from schemas.signal import Signal

SHARE = 1 << 20
"""Bytes that a thread must have to copy: fewer are copied sooner than handed over."""


class Packed(NamedTuple):
    """Signals of some rows, one row after another, and the scales of their vectors where the codec scales."""

    numbers: Shaped[np.ndarray, "signals numbers"]
    scales: Float16[np.ndarray, "signals scales"] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.numbers.nbytes + (0 if self.scales is None else self.scales.nbytes)


class PackedReader:
    """Answers of any rows of one group, layer by layer, without padding.

    Rows are numbered through all shards. A shard is hashed, validated and mapped when its first row is wanted.
    """

    def __init__(self, group: Group, lengths: Int[np.ndarray, " rows"]) -> None:
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

    def read(self, rows: Int[np.ndarray, " rows"], signals: Sequence[Signal]) -> Packed:
        """Return each signal's numbers of the rows, one after another.

        The arrays are views of buffers that the next call overwrites.
        """
        return read_together(rows, {self: signals})[self]

    def shards_of(self, rows: Int[np.ndarray, " rows"]) -> list[int]:
        """Return the shard of each of some rows."""
        return (np.searchsorted(self.starts, rows, side="right") - 1).tolist()

    def fillings(
        self, rows: Int[np.ndarray, " rows"], shards: Sequence[int], signals: Sequence[Signal]
    ) -> list[Filling]:
        """Return what fills the buffer of each column with signals of rows, whose shards are given and open."""
        positions = [self.position[signal] for signal in signals]
        return [Filling(column, rows, shards, positions) for column in self.columns]

    def kept(self) -> Bool[np.ndarray, " rows"]:
        """Return which rows have an answer; opens every shard only where some row has none."""
        if not self.failed:
            return np.ones(int(self.starts[-1]), bool)
        open_all({self: range(len(self.shards))})
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


def open_all(wanted: Mapping[PackedReader, Iterable[int]]) -> None:
    """Open the shards of readers that are not open yet, several at once."""
    works = [
        partial(reader.open, shard)
        for reader, shards in wanted.items()
        for shard in sorted(set(shards) - reader.kept_in.keys())
    ]
    together(works, len(works))


def read_together(
    rows: Int[np.ndarray, " rows"], wanted: Mapping[PackedReader, Sequence[Signal]]
) -> dict[PackedReader, Packed]:
    """Return what `read` of each reader gives of the same rows, copied by as many threads as torch has."""
    if not wanted:
        return {}
    shards = {reader: reader.shards_of(rows) for reader in wanted}
    open_all(shards)
    fillings = {reader: reader.fillings(rows, shards[reader], signals) for reader, signals in wanted.items()}
    found = {reader: Packed(*(filling.packed for filling in each)) for reader, each in fillings.items()}
    size = sum(packed.nbytes for packed in found.values())
    count = max(1, min(torch.get_num_threads(), size // SHARE))
    flat = [filling for each in fillings.values() for filling in each]
    together((partial(make, copies) for copies in shares(flat, count)), count)
    return found


def make(copies: Iterable[Copy]) -> None:
    """Make copies one after another."""
    for copy in copies:
        copy.make()
