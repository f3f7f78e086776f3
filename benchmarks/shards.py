"""What shards cost and save: time to write and read them beside what bounds it and beside other formats, and bytes.

    .venv/bin/python -m benchmarks.shards [--quick]

What is kept is what TinyBERT wants of a BERT-base teacher for a student of four layers: five hidden states of width
768 and the scores of twelve heads in four blocks, of rows of 5 to 128 tokens, 40 on average. Reading and sizes are of
made-up numbers, written through the writer of the package; writing is with a model of that shape with random weights.

- write_vs_forward: a bare loop over the same batches that reads the same signals and drops them, by teaching a shard
  with all its writing; 1 would be free of cost, 0.9 is wanted.
- read_vs_memcpy: reading 32 random rows packed, warm, by copying as many bytes from anywhere in memory of the size of
  the files, in one piece a thread; 3 or less is wanted.
- read_vs_bare_copies: just the copies that ours makes of the same rows, by ours; 1 would be the limit of the hardware.
- read_vs_datasets: `datasets` in its format of tensors, by ours; 5 is wanted. What it gives is float32, so twice the
  bytes. read_vs_datasets_float16: the same, asked for float16. read_vs_datasets_arrow: its format "arrow", which copies
  the rows that it takes, and next to a plain copy nobody can be five times as fast, so nothing is wanted of it.
- read_vs_parquet: a Parquet file with a row a row group, by ours; 5 is wanted.
- read_vs_safetensors: slices of a safetensors file as arrays, copied into buffers that are used again, as ours are, by
  ours; 2 is wanted. read_vs_safetensors_torch: slices as tensors.
  Every way of reading ends with the same array, layer after layer and in each row after row, which is held against
  ours; tensors are put together by torch.cat. All are given all cores: ours shares the copies out among them, torch its
  work, and what copies NumPy's arrays has no use for a second core. read_vs_…_one_thread: the same where all have one
  thread, most of which goes into copies that nobody can do without; less than is wanted with all cores.
- hash_share: hashing every shard once, several at a time as readers do, by a whole cold epoch of reading in a fresh
  process (benchmarks/cold_epoch.py); 0.05 or less is wanted.
- f16_vs_naive_20, _40, int8_vs_naive_20, _40: all layers in float32, padded to 128, by bytes of our files for rows of
  20 and 40 tokens; 75, 31, 145 and 60 are wanted.
- offline_vs_live_logits_1, _3, _10, offline_vs_live_hidden_1, _3, _10: training so many two-layer students with their
  six-layer teacher in the loop, by teaching a cache once and training them from it (benchmarks/students.py): recipe
  `hinton`, which wants logits alone, for 3 epochs, and `tinybert`, which wants hidden states and attention, for 3
  epochs of each of its two stages. Making a student and saving it are in both; below 1, offline loses, and the fewest
  passes over the rows for which it pays are printed.

Each baseline and its counterpart run in turn in one process, every way of reading in a fresh one, all but reading and
hashing on one thread; the last line is one JSON object.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import synthetic
from benchmarks.bench import Bench
from benchmarks.bounds import teaching_by_forward
from benchmarks.inputs import read_arguments
from benchmarks.measure import finish
from benchmarks.payload import NAIVE, Payload, lengths_of
from benchmarks.reading import reading_ratios
from benchmarks.students import offline_vs_live
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
STUDENT_LAYERS = 4
COLD_EPOCHS = 3


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
    arguments = read_arguments(__doc__, "about two minutes on two cores")
    rows, rounds = (128, 5) if arguments.quick else (1024, 21)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        payload = Payload(folder / "payload", lengths_of(rows), Codec.F16).write()
        found = {
            "hash_share": hash_share(payload),
            **reading_ratios(payload, rounds),
            **sizes(folder, 64 if arguments.quick else 256),
            **offline_vs_live(Bench(folder / "students", arguments)),
        }
        finish({"write_vs_forward": write_vs_forward(Base(folder, arguments)), **found})


if __name__ == "__main__":
    main()
