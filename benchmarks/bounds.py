"""Bounds: what nobody can beat, beside what is measured: a bare forward pass, a copy of as many bytes."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from benchmarks.bench import Bench
from benchmarks.measure import ratio
from distill.batch import Batch
from distill.packed import PackedReader, read_together
from distill.teach import ShardTeacher, blocks
from distill.threads import together
from schemas.signal import Signal


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


def reading_by_memcpy(
    name: str, wanted: Mapping[PackedReader, Sequence[Signal]], picks: Sequence[np.ndarray], rounds: int
) -> float:
    """Return the time of reading batches packed by that of copying as many bytes in memory, on as many threads."""
    sizes = [[packed.nbytes for packed in read_together(pick, wanted).values()] for pick in picks]
    # Memory of the size of the files, and another part of it every time, as a processor's cache would hold less.
    sources = [np.ones(sum(side.bytes for side in reader.shards), np.uint8) for reader in wanted]
    targets = [np.empty(max(each), np.uint8) for each in zip(*sizes, strict=True)]
    draw = np.random.default_rng(1)
    threads = torch.get_num_threads()
    batches = []
    for each in sizes:
        parts = []
        for source, target, size in zip(sources, targets, each, strict=True):
            start = int(draw.integers(source.size - size + 1))
            pieces = np.array_split(source[start : start + size], threads)
            parts.append(list(zip(np.array_split(target[:size], threads), pieces, strict=True)))
        batches.append([partial(copy_all, share) for share in zip(*parts, strict=True)])

    def copy() -> int:
        for works in batches:
            together(works, threads)
        return sum(map(sum, sizes))

    def read() -> int:
        return sum(packed.nbytes for pick in picks for packed in read_together(pick, wanted).values())

    def same(expected: int, found: int) -> None:
        assert expected == found, (expected, found)

    return ratio(name, read, copy, same, rounds=rounds)


def copy_all(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
    """Copy into the first of each pair what the second holds."""
    for target, source in pairs:
        np.copyto(target, source)
