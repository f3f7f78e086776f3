"""What shards cost and save: time to write and read them beside what bounds it and beside other formats, and bytes.

    .venv/bin/python -m benchmarks.shards [--quick]

What is kept is what TinyBERT wants of a BERT-base teacher for a student of four layers: five hidden states of width
768 and the scores of twelve heads in four blocks, of rows of 5 to 128 tokens, 40 on average. Reading and sizes are of
made-up numbers, written through the writer of the package; writing is with a model of that shape with random weights.

- write_vs_forward: a bare loop over the same batches that reads the same signals and drops them, by teaching a shard
  with all its writing; 1 would be free of cost, 0.9 is wanted.
- read_vs_memcpy: reading 32 random rows packed, warm, by copying as many bytes in memory; 3 or less is wanted.
- read_vs_datasets, read_vs_parquet, read_vs_safetensors: the same rows packed into one buffer from `datasets` in its
  format "arrow", from Parquet with a row a row group, from slices of a safetensors file, by ours; 5, 5, 2 are wanted.
  Rows of this size are one copy each, for `datasets` as for us: where that is all, nobody can be five times as fast.
- read_vs_datasets_torch: the same rows as `datasets` gives tensors, one a row, in float32; nothing is wanted of it.
- hash_share: hashing every shard once, by a whole cold epoch of reading in a fresh process (benchmarks/cold_epoch.py);
  0.05 or less is wanted.
- f16_vs_naive_20, _40, int8_vs_naive_20, _40: all layers in float32, padded to 128, by bytes of our files for rows of
  20 and 40 tokens; 75, 31, 145 and 60 are wanted.

Each baseline and its counterpart run in turn in one process on one thread; the last line is one JSON object.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from datasets import load_from_disk
from safetensors import safe_open

from benchmarks import synthetic
from benchmarks.inputs import read_arguments
from benchmarks.measure import finish, ratio
from benchmarks.payload import NAIVE, Payload, lengths_of, write_parquet, write_safetensors
from benchmarks.pipeline import Bench, picks_of, reading_by_memcpy, teaching_by_forward
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
STUDENT_LAYERS = 4
COLD_EPOCHS = 3


class Reading:
    """A payload in the package's format and in those of others, and batches of random rows."""

    def __init__(self, payload: Payload, folder: Path, rounds: int) -> None:
        self.payload = payload
        self.folder = folder
        self.rounds = rounds
        self.picks = picks_of(len(payload.lengths))
        self.readers = payload.readers()

    @cached_property
    def columns(self) -> list[pa.LargeListArray]:
        """The numbers of both groups, a list a row."""
        return self.payload.columns()

    def ours(self) -> int:
        """Read all batches as training does; return the bytes of numbers."""
        return sum(r.read(pick, r.answers.signals).nbytes for pick in self.picks for r in self.readers)

    def against(self, name: str, baseline: Callable[[], int]) -> float:
        """Return the time of another way of reading by ours."""

        def same(expected: int, found: int) -> None:
            assert expected == found, (expected, found)

        return ratio(name, baseline, self.ours, same, rounds=self.rounds)

    def memcpy(self) -> float:
        """Ours by copying as many bytes."""
        return reading_by_memcpy("read_vs_memcpy", self.readers, self.picks, self.rounds)

    def opened(self, form: str) -> list[Any]:
        """The numbers of both groups, as `datasets` opens them."""
        pairs = zip(self.payload.groups, self.readers, strict=True)
        found = ((load_from_disk(str(group.path)), reader.answers.family.value) for group, reader in pairs)
        return [each.select_columns(name).with_format(form) for each, name in found]

    def datasets(self) -> float:
        """`datasets` in Arrow's format, its pieces put end to end."""
        opened = self.opened("arrow")
        return self.against(
            "read_vs_datasets", lambda: sum(packed(each[pick]) for pick in self.picks for each in opened)
        )

    def datasets_torch(self) -> float:
        """`datasets` in its format of tensors, a tensor a row."""
        opened = self.opened("torch")
        width = self.payload.codec.dtype.itemsize

        def read() -> int:
            columns = (column for pick in self.picks for each in opened for column in each[pick].values())
            return sum(row.numel() * width for column in columns for row in column)

        return self.against("read_vs_datasets_torch", read)

    def parquet(self) -> float:
        """Parquet, a row a row group."""
        opened = parquet.ParquetFile(write_parquet(self.columns, self.folder / "rows.parquet"), memory_map=True)
        return self.against(
            "read_vs_parquet", lambda: sum(packed(opened.read_row_groups(pick.tolist())) for pick in self.picks)
        )

    def safetensors(self) -> float:
        """Slices of a safetensors file, copied into buffers that are used again, as ours are."""
        path = write_safetensors(self.columns, self.folder / "rows.safetensors")
        ends = [column.offsets.to_numpy() for column in self.columns]
        longest = [max(int(np.diff(each)[pick].sum()) for pick in self.picks) for each in ends]
        buffers = [np.empty(size, np.float16) for size in longest]
        with safe_open(path, "np") as file:
            slices = [file.get_slice(name) for name in ("0", "1")]

            def read() -> int:
                return sum(
                    copied(each, end, pick, buffer)
                    for pick in self.picks
                    for each, end, buffer in zip(slices, ends, buffers, strict=True)
                )

            return self.against("read_vs_safetensors", read)


def packed(table: pa.Table) -> int:
    """Put the rows of a table's columns of lists end to end; return the bytes of numbers."""
    return sum(column.combine_chunks().flatten().nbytes for column in table.columns)


def copied(numbers: Any, ends: np.ndarray, pick: np.ndarray, buffer: np.ndarray) -> int:
    """Copy rows from a sliced tensor into a buffer; return the bytes."""
    at = 0
    for start, end in zip(ends[pick].tolist(), ends[pick + 1].tolist(), strict=True):
        buffer[at : at + end - start] = numbers[start:end]
        at += end - start
    return at * buffer.itemsize


def hash_share(payload: Payload) -> float:
    """Hashing by a cold epoch of reading; the median of a few processes."""
    shares = []
    command = [sys.executable, "-m", "benchmarks.cold_epoch", str(payload.folder), str(len(payload.lengths))]
    for _ in range(COLD_EPOCHS):
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        shares.append(found["hashing"] / found["cold"])
        print("epoch: " + ", ".join(f"{name} {value:.3g} s" for name, value in found.items()), flush=True)
    return float(np.median(shares))


def sizes(folder: Path, rows: int) -> dict[str, float]:
    """All layers in float32, padded, by our files."""
    found = {}
    for codec in (Codec.F16, Codec.INT8):
        for length in (20, 40):
            payload = Payload(folder / f"{codec}-{length}", np.full(rows, length), codec).write()
            found[f"{codec}_vs_naive_{length}"] = NAIVE / payload.bytes_per_row
    return found


class Base(Bench):
    """A BERT-base teacher with random weights, and texts of the lengths of the payload."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        super().__init__(folder, arguments)
        self.teacher = Checkpoint.find(str(synthetic.classifier(folder / "base", self.model, **BASE)))
        self.sentences = texts(lengths_of(24 if self.quick else 96))
        self.rounds = 2 if self.quick else 3


def texts(lengths: np.ndarray) -> list[str]:
    """Return sentences that have, with their two special tokens, just these lengths: of words of one piece each."""
    draw, known = random.Random(3), synthetic.words()
    known = known[: len(known) * 9 // 10]
    return [" ".join(draw.choices(known, k=length - 2)) for length in lengths.tolist()]


def write_vs_forward(bench: Base) -> float:
    """Teach a shard whole, and run the same batches bare."""
    bench.write_rows(len(bench.sentences))
    return teaching_by_forward("write_vs_forward", bench, bench.shard_teacher(STUDENT_LAYERS))


def main() -> None:
    arguments = read_arguments(__doc__, "about a minute on two cores")
    rows, rounds = (128, 5) if arguments.quick else (1024, 7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        payload = Payload(folder / "payload", lengths_of(rows), Codec.F16).write()
        # Cold epochs come first: pages of files that this process has mapped could not be dropped.
        found = {"hash_share": hash_share(payload)}
        reading = Reading(payload, folder, rounds)
        found |= {
            "read_vs_memcpy": reading.memcpy(),
            "read_vs_datasets": reading.datasets(),
            "read_vs_datasets_torch": reading.datasets_torch(),
            "read_vs_parquet": reading.parquet(),
            "read_vs_safetensors": reading.safetensors(),
            **sizes(folder, 64 if arguments.quick else 256),
        }
        finish({"write_vs_forward": write_vs_forward(Base(folder, arguments)), **found})


if __name__ == "__main__":
    main()
