"""Reading batches of random rows packed, by the package and by what else keeps such numbers.

Every way ends with the same arrays, layer after layer and in each row after row, which is held against ours before
anything is timed. Each other way is measured beside ours in a process of its own: how fast memory is had for tensors
depends on what was freed before, by other ways of reading too.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import torch
from datasets import load_from_disk
from safetensors import safe_open

from benchmarks.bounds import picks_of, reading_by_memcpy
from benchmarks.measure import ratio
from benchmarks.payload import Payload, write_parquet, write_safetensors
from distill.packed import prepare, read_together
from distill.threads import cores, together

Read = Callable[[np.ndarray], Sequence[Any]]
"""Returns [layers, numbers] of each group for a batch of rows."""


class Reading:
    """A payload in the package's format and in those of others, and batches of random rows."""

    def __init__(self, payload: Payload, folder: Path, rounds: int) -> None:
        self.payload = payload
        self.folder = folder
        self.rounds = rounds
        self.picks = picks_of(len(payload.lengths))
        self.wanted = {reader: reader.answers.signals for reader in payload.readers()}

    @cached_property
    def columns(self) -> list[pa.LargeListArray]:
        """The numbers of both groups, a list a row."""
        return self.payload.columns()

    @cached_property
    def ends(self) -> list[np.ndarray]:
        """Where each row begins and ends in the numbers of each group."""
        return [column.offsets.to_numpy() for column in self.columns]

    @cached_property
    def layers(self) -> list[int]:
        """How many layers each group has."""
        return [len(signals) for signals in self.wanted.values()]

    @cached_property
    def safetensors_file(self) -> Path:
        """Both groups as flat tensors."""
        return write_safetensors(self.columns, self.folder / "rows.safetensors")

    def ours(self, pick: np.ndarray) -> list[np.ndarray]:
        """Read a batch as training does."""
        return [packed.numbers for packed in read_together(pick, self.wanted).values()]

    def against(self, way: str) -> float:
        """Return the time of another way of reading by ours; for `memcpy`, of ours by copying as many bytes."""
        name = f"read_vs_{way}"
        if way == "memcpy":
            return reading_by_memcpy(name, self.wanted, self.picks, self.rounds)
        other = WAYS[way](self)
        for expected, found in zip(self.ours(self.picks[0]), other(self.picks[0]), strict=True):
            assert np.array_equal(expected, np.asarray(found)), name

        def all_of(read: Read) -> int:
            return sum(each.shape[1] for pick in self.picks for each in read(pick))

        def same(expected: int, found: int) -> None:
            assert expected == found, (expected, found)

        return ratio(name, partial(all_of, other), partial(all_of, self.ours), same, rounds=self.rounds)

    def opened(self, form: str, **options: Any) -> list[tuple[Any, str, int]]:
        """Both groups as `datasets` opens them, with the name of the numbers' column and how many layers it has."""
        names = [reader.answers.family.value for reader in self.wanted]
        found = (load_from_disk(str(group.path)) for group in self.payload.groups)
        return [
            (each.select_columns(name).with_format(form, **options), name, layers)
            for each, name, layers in zip(found, names, self.layers, strict=True)
        ]

    def tensors(self, **options: Any) -> Read:
        """`datasets` in its format of tensors, a tensor a row."""
        opened = self.opened("torch", **options)
        return lambda pick: [
            torch.cat([row.view(layers, -1) for row in each[pick][name]], 1) for each, name, layers in opened
        ]

    def tables(self) -> Read:
        """`datasets` in Arrow's format."""
        opened = self.opened("arrow")
        return lambda pick: [side_by_side(each[pick][name], layers) for each, name, layers in opened]

    def parquet(self) -> Read:
        """Parquet, a row a row group."""
        opened = parquet.ParquetFile(write_parquet(self.columns, self.folder / "rows.parquet"), memory_map=True)

        def read(pick: np.ndarray) -> list[np.ndarray]:
            columns = opened.read_row_groups(pick.tolist()).columns
            return [side_by_side(column, layers) for column, layers in zip(columns, self.layers, strict=True)]

        return read

    def bare_copies(self) -> Read:
        """The copies that ours makes and nothing else, shared out before: what no reader can be faster than."""
        for pick in self.picks:
            self.ours(pick)  # Which opens the shards and makes the buffers as large as they become.
        ready = {}
        for pick in self.picks:
            reading = prepare(pick, self.wanted)
            ready[id(pick)] = list(reading.works), [packed.numbers for packed in reading.packed.values()]

        def read(pick: np.ndarray) -> list[np.ndarray]:
            works, packed = ready[id(pick)]
            together(works, len(works))
            return packed

        return read

    def slices_torch(self) -> Read:
        """Slices of a safetensors file as tensors."""
        file = safe_open(self.safetensors_file, "pt")
        found = [(file.get_slice(f"{i}"), ends, layers) for i, (ends, layers) in enumerate(self.cuts)]
        return lambda pick: [
            torch.cat([numbers[start:end].view(layers, -1) for start, end in spans(ends, pick)], 1)
            for numbers, ends, layers in found
        ]

    def slices(self) -> Read:
        """Slices of a safetensors file as arrays, copied into buffers that are used again, as ours are."""
        file = safe_open(self.safetensors_file, "np")
        longest = [max(int(np.diff(ends)[pick].sum()) for pick in self.picks) for ends in self.ends]
        buffers = [np.empty(size, np.float16) for size in longest]
        found = [(file.get_slice(f"{i}"), ends, layers) for i, (ends, layers) in enumerate(self.cuts)]
        return lambda pick: [
            copied(numbers, spans(ends, pick), layers, buffer)
            for (numbers, ends, layers), buffer in zip(found, buffers, strict=True)
        ]

    @property
    def cuts(self) -> list[tuple[np.ndarray, int]]:
        """Where rows of each group end, and how many layers they have."""
        return list(zip(self.ends, self.layers, strict=True))


def side_by_side(column: pa.ChunkedArray, layers: int) -> np.ndarray:
    """Put the lists of a column side by side, layer after layer."""
    pieces = []
    for chunk in column.chunks:
        values, ends = chunk.values.to_numpy(), chunk.offsets.to_numpy().tolist()
        pieces += [values[start:end].reshape(layers, -1) for start, end in pairwise(ends)]
    return np.concatenate(pieces, axis=1)


def spans(ends: np.ndarray, pick: np.ndarray) -> list[tuple[int, int]]:
    """Return where each of some rows begins and ends."""
    return list(zip(ends[pick].tolist(), ends[pick + 1].tolist(), strict=True))


def copied(numbers: Any, rows: list[tuple[int, int]], layers: int, buffer: np.ndarray) -> np.ndarray:
    """Copy rows from a sliced tensor into a buffer, layer after layer."""
    total = sum(end - start for start, end in rows) // layers
    packed = buffer[: layers * total].reshape(layers, total)
    at = 0
    for start, end in rows:
        size = (end - start) // layers
        packed[:, at : at + size] = numbers[start:end].reshape(layers, size)
        at += size
    return packed


WAYS: dict[str, Callable[[Reading], Read]] = {
    "bare_copies": Reading.bare_copies,
    "datasets": Reading.tensors,
    "datasets_float16": lambda reading: reading.tensors(dtype=torch.float16),
    "datasets_arrow": Reading.tables,
    "parquet": Reading.parquet,
    "safetensors": Reading.slices,
    "safetensors_torch": Reading.slices_torch,
}

ON_ONE_THREAD = ("memcpy", "bare_copies", "datasets", "safetensors")


def reading_ratios(payload: Payload, rounds: int) -> dict[str, float]:
    """Return the time of every other way of reading by ours, and ours by copying as many bytes.

    All of them are given all cores, and some then one thread.
    """
    wanted = [(way, cores(), f"read_vs_{way}") for way in ("memcpy", *WAYS)]
    wanted += [(way, 1, f"read_vs_{way}_one_thread") for way in ON_ONE_THREAD]
    found = {}
    for way, threads, name in wanted:
        options = [str(payload.folder), str(len(payload.lengths)), way, str(rounds), str(threads)]
        command = [sys.executable, "-m", "benchmarks.read_beside", *options]
        *shown, last = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        print("\n".join(f"threads {threads}: {line}" for line in shown), flush=True)
        found[name] = json.loads(last)
    return found
