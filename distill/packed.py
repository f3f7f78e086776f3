"""Reading groups of a teacher's answers: slices over memory maps into reused packed buffers, by all threads."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float16, Int, Shaped

from distill.packed_column import Filling, PackedColumn, shares
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
        self.opened: set[int] = set()
        self.answered = np.zeros(len(lengths), bool)
        codec = self.answers.codec
        self.columns = [PackedColumn(self.answers.family.value, codec.dtype, self.answers.size(lengths))]
        if codec.scales:
            self.columns.append(PackedColumn(SCALES, np.dtype("<f2"), self.answers.vectors(lengths)))

    @property
    def file(self) -> Path:
        """The file of the teacher's weights that signals are computed with, checked."""
        self.group.check_weights(self.manifest)
        return self.group.path / self.answers.family.file

    def shards_of(self, rows: Int[np.ndarray, " rows"]) -> list[int]:
        """Return the shard of each of some rows."""
        return (np.searchsorted(self.starts, rows, side="right") - 1).tolist()

    def fillings(
        self, rows: Int[np.ndarray, " rows"], shards: Sequence[int], signals: Sequence[Signal]
    ) -> list[Filling]:
        """Return what fills the buffer of each column with signals of rows, whose shards are given and open.

        Raises `ValueError` for a row without an answer: `kept` says which have one.
        """
        if self.failed and not self.answered[rows].all():
            raise ValueError(f"{self.group.path}: no answer for row {rows[~self.answered[rows]][0]}")
        positions = [self.position[signal] for signal in signals]
        return [Filling(column, rows, shards, positions) for column in self.columns]

    def kept(self) -> Bool[np.ndarray, " rows"]:
        """Return which rows have an answer; opens every shard only where some row has none."""
        if not self.failed:
            return np.ones_like(self.answered)
        open_all({self: range(len(self.shards))})
        return self.answered.copy()

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
        self.answered[rows] = kept
        self.opened.add(shard)


class Reading(NamedTuple):
    """What is read of some rows: the views that are filled, and the work of filling them, in so many shares."""

    packed: dict[PackedReader, Packed]
    works: Iterator[Callable[[], None]]
    shares: int


def open_all(wanted: Mapping[PackedReader, Iterable[int]]) -> None:
    """Open the shards of readers that are not open yet, several at once."""
    works = [
        partial(reader.open, shard)
        for reader, shards in wanted.items()
        for shard in sorted(set(shards) - reader.opened)
    ]
    together(works, len(works))


def prepare(rows: Int[np.ndarray, " rows"], wanted: Mapping[PackedReader, Sequence[Signal]]) -> Reading:
    """Open what readers need for signals of rows, make room and share out the copies."""
    shards = {reader: reader.shards_of(rows) for reader in wanted}
    open_all(shards)
    fillings = {reader: reader.fillings(rows, shards[reader], signals) for reader, signals in wanted.items()}
    packed = {reader: Packed(*(filling.packed for filling in each)) for reader, each in fillings.items()}
    size = sum(each.nbytes for each in packed.values())
    count = max(1, min(torch.get_num_threads(), size // SHARE))
    return Reading(packed, shares([each for some in fillings.values() for each in some], count), count)


def read_together(
    rows: Int[np.ndarray, " rows"], wanted: Mapping[PackedReader, Sequence[Signal]]
) -> dict[PackedReader, Packed]:
    """Return each reader's signals of the same rows, one row after another, copied by as many threads as torch has.

    The arrays are views of the readers' buffers, which the next call overwrites.
    """
    reading = prepare(rows, wanted)
    together(reading.works, reading.shares)
    return reading.packed
