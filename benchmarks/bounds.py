"""Bounds: what nobody can beat, beside what is measured: a bare forward pass, a copy of as many bytes."""

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.bench import Bench
from benchmarks.measure import ratio
from distill.batch import Batch
from distill.packed import PackedReader
from distill.teach import ShardTeacher, blocks


def teaching_by_forward(name: str, bench: Bench, teacher: ShardTeacher) -> float:
    """Return the time of a loop that reads the same signals of the same batches and drops them by that of teaching."""
    encoded = teacher.tokenise(bench.side())
    signals = {signal for answers in teacher.groups for signal in answers.signals}

    def bare() -> int:
        with torch.inference_mode():
            for block in blocks(encoded.lengths, teacher.batch_tokens):
                ids, segments = (
                    [np.asarray(part[row]) for row in block]
                    for part in (encoded.encoded.input_ids, encoded.encoded.token_type_ids)
                )
                teacher.encoder.read(Batch.of(block, ids, segments, padding=teacher.tokenizer.padding), signals)
        return len(encoded.ids)

    def same(expected: int, found: int) -> None:
        assert expected == found, (expected, found)

    return ratio(
        name,
        bare,
        lambda: teacher.teach(bench.side()).asked,
        same,
        rounds=bench.rounds,
        prepare=lambda: bench.forget(teacher),
    )


def picks_of(rows: int) -> list[np.ndarray]:
    """Return batches of 32 random rows."""
    generator = np.random.default_rng(0)
    return [generator.choice(rows, 32, replace=False) for _ in range(40)]


def reading_by_memcpy(name: str, readers: Sequence[PackedReader], picks: Sequence[np.ndarray], rounds: int) -> float:
    """Return the time of reading batches packed by that of copying as many bytes in memory."""
    wanted = [(reader, reader.answers.signals) for reader in readers]
    sizes = [[reader.read(pick, signals).nbytes for reader, signals in wanted] for pick in picks]
    # Memory of the size of the files, and another part of it every time, as a processor's cache would hold less.
    sources = [np.ones(sum(side.bytes for side in reader.shards), np.uint8) for reader in readers]
    targets = [np.empty(max(each), np.uint8) for each in zip(*sizes, strict=True)]
    draw = np.random.default_rng(1)
    parts = [
        (target[:size], source[start : start + size])
        for each in sizes
        for source, target, size in zip(sources, targets, each, strict=True)
        for start in [int(draw.integers(source.size - size + 1))]
    ]

    def copy() -> int:
        for target, source in parts:
            np.copyto(target, source)
        return sum(map(sum, sizes))

    def read() -> int:
        return sum(reader.read(pick, signals).nbytes for pick in picks for reader, signals in wanted)

    def same(expected: int, found: int) -> None:
        assert expected == found, (expected, found)

    return ratio(name, read, copy, same, rounds=rounds)
