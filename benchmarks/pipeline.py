"""How fast the pipeline is beside what it replaces and beside what it cannot beat.

    .venv/bin/python -m benchmarks.pipeline [--quick] [--model FOLDER --vectors FILE --sentences FILE]

- augment_vs_reference_loop: TinyBERT's published way of working (benchmarks/reference_loop.py) by ours; more is better.
- teach_vs_bare_forward: a bare loop over the same batches that reads the same signals and drops them, by teaching a
  shard with all its writing; 1 would be free of cost.
- read_vs_memcpy: reading 32 random rows packed, warm, by copying as many bytes in one piece; 1 would be a plain copy.
- offline_vs_live_epoch: an epoch with the teacher in the loop by an epoch from the cache; more is better.

Each baseline and its counterpart run in turn in one process on one thread; the last line is one JSON object.
"""

import tempfile
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.bounds import picks_of, reading_by_memcpy, teaching_by_forward
from benchmarks.inputs import read_arguments
from benchmarks.measure import finish, ratio
from benchmarks.students import Lesson
from distill.needs import open_readers
from schemas.codec import Codec
from schemas.example import Example
from schemas.signal import TEACHER, Family


def augment_vs_reference_loop(bench: Bench) -> float:
    """Candidates for some sentences, word by word and pooled."""
    sentences = bench.sentences[: 3 if bench.quick else 40]
    examples = [Example.original("bench", (sentence,)) for sentence in sentences]

    def ours() -> list[list[set[str]]]:
        return [[set(position.words) for position in row] for row in bench.strategy().propose(examples)]

    def reference() -> list[list[set[str]]]:
        return [[found for _, found in bench.reference.candidates(sentence)] for sentence in sentences]

    def same(expected: list[list[set[str]]], found: list[list[set[str]]]) -> None:
        pairs = [(a, b) for x, y in zip(expected, found, strict=True) for a, b in zip(x, y, strict=True) if b]
        differing = sum(a != b for a, b in pairs)
        assert differing <= 0.01 * len(pairs) + 1, f"{differing} of {len(pairs)} candidate sets differ"

    return ratio("augment_vs_reference_loop", reference, ours, same, rounds=bench.rounds)


def teach_vs_bare_forward(bench: Bench) -> float:
    """Teach one shard whole, and run the same batches bare."""
    bench.write_rows(60 if bench.quick else 600)
    return teaching_by_forward("teach_vs_bare_forward", bench, bench.shard_teacher())


def read_vs_memcpy(bench: Bench) -> float:
    """Read the hidden states and attention scores of 32 random rows, and copy as many bytes."""
    bench.write_rows(120 if bench.quick else 1300)
    teacher = bench.shard_teacher()
    teacher.teach(bench.side())
    bench.publish(teacher)
    loaded = bench.training_rows(teacher)
    signals = {s for answers in teacher.groups for s in answers.signals if s.family is not Family.LOGITS}
    readers = open_readers(bench.cache, TEACHER, signals, loaded, Codec.F16, teacher.identity)
    wanted = {reader: reader.answers.signals for reader in readers}
    return reading_by_memcpy("read_vs_memcpy", wanted, picks_of(len(loaded.ids)), max(5, bench.rounds))


def offline_vs_live_epoch(bench: Bench) -> float:
    """Train a two-layer student for an epoch, both stages, from the cache and with the teacher in the loop."""
    bench.write_rows(48 if bench.quick else 480)
    lesson = Lesson(bench, "tinybert", {"intermediate_epochs": 1, "prediction_epochs": 1})
    lesson.teach()

    def same(expected: int, found: int) -> None:
        assert expected == found, (expected, found)

    rounds = 2 if bench.quick else 5
    return ratio("offline_vs_live_epoch", lesson.train_live, lesson.train_cached, same, rounds=rounds)


def main() -> None:
    settings = read_arguments(__doc__, "under a minute on two cores")
    comparisons = (augment_vs_reference_loop, teach_vs_bare_forward, read_vs_memcpy, offline_vs_live_epoch)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), settings)
        finish({comparison.__name__: comparison(bench) for comparison in comparisons})


if __name__ == "__main__":
    main()
