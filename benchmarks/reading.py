"""Reading batches of random rows packed, by the package and by what else keeps such numbers.

Each other way is measured beside ours in a process of its own: how fast memory is had for tensors depends on what was
freed before, by other ways of reading too.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
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


class Reading:
    """A payload in the package's format and in those of others, and batches of random rows."""

    def __init__(self, payload: Payload, folder: Path, rounds: int) -> None:
        self.payload = payload
        self.folder = folder
        self.rounds = rounds
        self.picks = picks_of(len(payload.lengths))
        self.readers = [(reader, reader.answers.signals) for reader in payload.readers()]

    @cached_property
    def columns(self) -> list[pa.LargeListArray]:
        """The numbers of both groups, a list a row."""
        return self.payload.columns()

    @cached_property
    def ends(self) -> list[np.ndarray]:
        """Where each row begins and ends in the numbers of each group."""
        return [column.offsets.to_numpy() for column in self.columns]

    @cached_property
    def buffers(self) -> list[np.ndarray]:
        """Room for the largest batch of each group."""
        longest = (max(int(np.diff(ends)[pick].sum()) for pick in self.picks) for ends in self.ends)
        return [np.empty(size, np.float16) for size in longest]

    @cached_property
    def safetensors_file(self) -> Path:
        """Both groups as flat tensors."""
        return write_safetensors(self.columns, self.folder / "rows.safetensors")

    def ours(self) -> int:
        """Read all batches as training does; return how many numbers."""
        return sum(reader.read(pick, signals).numbers.size for pick in self.picks for reader, signals in self.readers)

    def against(self, way: str) -> float:
        """Return the time of another way of reading by ours; for `memcpy`, of ours by copying as many bytes."""
        name = f"read_vs_{way}"
        if way == "memcpy":
            return reading_by_memcpy(name, [reader for reader, _ in self.readers], self.picks, self.rounds)

        def same(expected: int, found: int) -> None:
            assert expected == found, (expected, found)

        return ratio(name, WAYS[way](self), self.ours, same, rounds=self.rounds)

    def opened(self, form: str, **options: Any) -> list[tuple[Any, str]]:
        """Both groups as `datasets` opens them, with the name of the numbers' column."""
        pairs = zip(self.payload.groups, self.readers, strict=True)
        found = ((load_from_disk(str(group.path)), reader.answers.family.value) for group, (reader, _) in pairs)
        return [(each.select_columns(name).with_format(form, **options), name) for each, name in found]

    def tensors(self, **options: Any) -> Callable[[], int]:
        """`datasets` in its format of tensors, a tensor a row, put end to end."""
        opened = self.opened("torch", **options)
        return lambda: sum(torch.cat(list(each[pick][name])).numel() for pick in self.picks for each, name in opened)

    def tables(self) -> Callable[[], int]:
        """`datasets` in Arrow's format, its pieces put end to end."""
        opened = self.opened("arrow")
        return lambda: sum(packed(each[pick]) for pick in self.picks for each, _ in opened)

    def parquet(self) -> Callable[[], int]:
        """Parquet, a row a row group."""
        opened = parquet.ParquetFile(write_parquet(self.columns, self.folder / "rows.parquet"), memory_map=True)
        return lambda: sum(packed(opened.read_row_groups(pick.tolist())) for pick in self.picks)

    def bare_copies(self) -> Callable[[], int]:
        """The copies that ours makes and nothing else, all views made before: what no reader can be faster than."""
        views = []
        for pick in self.picks:
            for (reader, signals), buffer in zip(self.readers, self.buffers, strict=True):
                reader.read(pick, signals)  # Which maps its shards.
                (column,) = reader.columns
                at = 0
                for address, size in zip(column.addresses[pick].tolist(), column.sizes[pick].tolist(), strict=True):
                    count = size * len(signals)
                    views.append((buffer[at : at + count], column.mapped[0][address : address + count]))
                    at += count

        def copy() -> int:
            for target, source in views:
                np.copyto(target, source)
            return sum(target.size for target, _ in views)

        return copy

    def slices_torch(self) -> Callable[[], int]:
        """Slices of a safetensors file as tensors, put end to end."""
        file = safe_open(self.safetensors_file, "pt")
        found = [file.get_slice(name) for name in ("0", "1")]

        def read() -> int:
            return sum(
                torch.cat([numbers[start:end] for start, end in spans(ends, pick)]).numel()
                for pick in self.picks
                for numbers, ends in zip(found, self.ends, strict=True)
            )

        return read

    def slices(self) -> Callable[[], int]:
        """Slices of a safetensors file as arrays, copied into buffers that are used again, as ours are."""
        file = safe_open(self.safetensors_file, "np")
        found = [file.get_slice(name) for name in ("0", "1")]

        def read() -> int:
            return sum(
                copied(numbers, spans(ends, pick), buffer)
                for pick in self.picks
                for numbers, ends, buffer in zip(found, self.ends, self.buffers, strict=True)
            )

        return read


def packed(table: pa.Table) -> int:
    """Put the rows of a table's columns of lists end to end; return how many numbers."""
    return sum(len(column.combine_chunks().flatten()) for column in table.columns)


def spans(ends: np.ndarray, pick: np.ndarray) -> list[tuple[int, int]]:
    """Return where each of some rows begins and ends."""
    return list(zip(ends[pick].tolist(), ends[pick + 1].tolist(), strict=True))


def copied(numbers: Any, rows: list[tuple[int, int]], buffer: np.ndarray) -> int:
    """Copy rows from a sliced tensor into a buffer; return how many numbers."""
    at = 0
    for start, end in rows:
        buffer[at : at + end - start] = numbers[start:end]
        at += end - start
    return at


WAYS: dict[str, Callable[[Reading], Callable[[], int]]] = {
    "bare_copies": Reading.bare_copies,
    "datasets": Reading.tensors,
    "datasets_float16": lambda reading: reading.tensors(dtype=torch.float16),
    "datasets_arrow": Reading.tables,
    "parquet": Reading.parquet,
    "safetensors": Reading.slices,
    "safetensors_torch": Reading.slices_torch,
}


def reading_ratios(payload: Payload, rounds: int) -> dict[str, float]:
    """Return the time of every other way of reading by ours, and ours by copying as many bytes."""
    found = {}
    for way in ("memcpy", *WAYS):
        command = [sys.executable, "-m", "benchmarks.read_beside", str(payload.folder), str(len(payload.lengths)), way]
        said = subprocess.run([*command, str(rounds)], capture_output=True, text=True, check=True).stdout
        *shown, last = said.splitlines()
        print("\n".join(shown), flush=True)
        found[f"read_vs_{way}"] = json.loads(last)
    return found
