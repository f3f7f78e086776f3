"""How fast the pipeline is beside what it replaces and beside what it cannot beat.

    .venv/bin/python -m benchmarks.pipeline [--quick] [--model FOLDER --vectors FILE --sentences FILE]

- augment_vs_reference_loop: TinyBERT's published way of working (benchmarks/reference_loop.py) by ours; more is better.
- teach_vs_bare_forward: a bare loop over the same batches that reads the same signals and drops them, by teaching a
  shard with all its writing; 1 would be free of cost.
- read_vs_memcpy: reading 32 random rows packed, warm, by copying as many bytes in one piece; 1 would be a plain copy.
- offline_vs_live_epoch: an epoch with the teacher in the loop by an epoch from the cache; more is better.

Each baseline and its counterpart run in turn in one process on one thread; the last line is one JSON object.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks import synthetic
from benchmarks.inputs import Inputs, read_arguments
from benchmarks.measure import finish, ratio
from distill.batch import Batch
from distill.encoder import Encoder
from distill.keeping import Keeping
from distill.needs import identity_of, open_readers, wanted_groups
from distill.packed import PackedReader
from distill.recipe import load_recipe
from distill.student import make_student
from distill.teach import ShardTeacher, settings_of
from distill.teacher import CachedTeacher, LiveTeacher
from distill.tokens import Tokenizer
from distill.train import Trainer
from distill.training_rows import TrainingRows
from schemas import rows, tokens
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec
from schemas.configuration import Student, Teaching, Training
from schemas.digest import digest
from schemas.example import Example
from schemas.manifest import SideFile
from schemas.signal import Family
from schemas.task import Task

TASK = Task(texts=("sentence",), labels=("negative", "positive"))


class Bench(Inputs):
    """What the comparisons share, with a cache of rows and their teacher."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        super().__init__(folder, arguments)
        self.rounds = 2 if self.quick else 7
        self.teacher = Checkpoint.find(str(synthetic.classifier(folder / "teacher", self.model)))
        self.cache = Cache(folder / "cache")

    def write_rows(self, count: int) -> None:
        """Write a `rows` group of one shard."""
        shutil.rmtree(self.cache.path, ignore_errors=True)
        self.cache.choose_layout("bench", count, 1)
        examples = [Example.original("bench", (text,), i % 2) for i, text in enumerate(self.sentences[:count])]
        group = self.cache.group(rows.NAME)
        counts = {"kept": count}
        rows.write_shard(group, 0, TASK.label_type, examples, lambda read: (read, counts), settings=digest("bench"))
        group.publish_manifest({}, 1)

    def side(self) -> SideFile:
        """The side file of the one shard of rows."""
        return self.cache.group(rows.NAME).manifest().shards[0]

    def shard_teacher(self, layers: int = 2) -> ShardTeacher:
        """The teacher with TinyBERT's signals for a student of some layers."""
        teaching = Teaching(max_length=128, batch_tokens=2048)
        identity = identity_of(self.teacher, teaching, 1)
        encoder = Encoder.load(self.teacher, TASK)
        student = make_student(Student(layers=layers), self.teacher, TASK, 0).shape
        signals = {column.signal for column in load_recipe("tinybert", student, encoder.shape, {}).columns}
        groups = tuple(wanted_groups(self.cache, signals, encoder.shape, Keeping(), identity))
        tokenizer = Tokenizer.load(self.teacher, teaching.max_length)
        return ShardTeacher(self.cache, encoder, tokenizer, groups, identity, teaching.batch_tokens)

    def publish(self, teacher: ShardTeacher) -> None:
        """Write the manifests of what was taught."""
        self.cache.group(tokens.name(teacher.tokenizer.fingerprint, 128)).publish_manifest({}, 1)
        for answers in teacher.groups:
            self.cache.group(answers.name).publish_manifest(settings_of(answers, teacher.identity), 1)


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


def teaching_by_forward(name: str, bench: Bench, teacher: ShardTeacher) -> float:
    """Return the time of a loop that reads the same signals of the same batches and drops them by that of teaching."""
    encoded = teacher.tokenise(bench.side())
    signals = {signal for answers in teacher.groups for signal in answers.signals}

    def bare() -> int:
        with torch.inference_mode():
            for block in teacher.blocks(encoded.lengths):
                ids, segments = (
                    [np.asarray(part[row]) for row in block]
                    for part in (encoded.encoded.input_ids, encoded.encoded.token_type_ids)
                )
                teacher.encoder.read(Batch.of(block, ids, segments, padding=teacher.tokenizer.padding), signals)
        return len(encoded.ids)

    def forget() -> None:
        for answers in teacher.groups:
            shutil.rmtree(bench.cache.group(answers.name).path, ignore_errors=True)

    def same(expected: int, found: int) -> None:
        assert expected == found, (expected, found)

    return ratio(
        name,
        bare,
        lambda: teacher.teach(bench.side()).asked,
        same,
        rounds=bench.rounds,
        prepare=forget,
    )


def read_vs_memcpy(bench: Bench) -> float:
    """Read the hidden states and attention scores of 32 random rows, and copy as many bytes."""
    bench.write_rows(120 if bench.quick else 1300)
    teacher = bench.shard_teacher()
    teacher.teach(bench.side())
    bench.publish(teacher)
    loaded = TrainingRows.of(
        bench.cache, tokens.name(teacher.tokenizer.fingerprint, 128), teacher.tokenizer.padding, TASK
    )
    signals = {s for answers in teacher.groups for s in answers.signals if s.family is not Family.LOGITS}
    readers = open_readers(bench.cache, signals, loaded, Codec.F16, teacher.identity)
    return reading_by_memcpy("read_vs_memcpy", readers, picks_of(len(loaded.ids)), max(5, bench.rounds))


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


def offline_vs_live_epoch(bench: Bench) -> float:
    """Train a two-layer student for an epoch, both stages, from the cache and with the teacher in the loop."""
    count = 48 if bench.quick else 480
    bench.write_rows(count)
    teacher = bench.shard_teacher()
    teacher.teach(bench.side())
    bench.publish(teacher)
    loaded = TrainingRows.of(
        bench.cache, tokens.name(teacher.tokenizer.fingerprint, 128), teacher.tokenizer.padding, TASK
    )
    student = Student(layers=2)
    shape = make_student(student, bench.teacher, TASK, 0).shape
    recipe = load_recipe("tinybert", shape, teacher.encoder.shape, {})
    signals = {column.signal for column in recipe.columns}

    def epoch(live: bool) -> int:
        answering = (
            LiveTeacher(teacher.encoder)
            if live
            else CachedTeacher(open_readers(bench.cache, signals, loaded, Codec.F16, teacher.identity))
        )
        trainer = Trainer(
            student=make_student(student, bench.teacher, TASK, 0),
            recipe=recipe,
            teacher_shape=teacher.encoder.shape,
            teacher=answering,
            rows=loaded,
            chosen=np.arange(count),
            steps=(-(-count // 16), -(-count // 16)),
            settings=Training(batch=16, checkpoint_every=10**6),
            seed=0,
            folder=bench.folder / "student",
            input="0" * 32,
        )
        trainer.run()
        shutil.rmtree(bench.folder / "student")
        return sum(trainer.steps)

    def same(expected: int, found: int) -> None:
        assert expected == found, (expected, found)

    return ratio(
        "offline_vs_live_epoch", lambda: epoch(True), lambda: epoch(False), same, rounds=2 if bench.quick else 5
    )


def main() -> None:
    settings = read_arguments(__doc__, "under a minute on two cores")
    comparisons = (augment_vs_reference_loop, teach_vs_bare_forward, read_vs_memcpy, offline_vs_live_epoch)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), settings)
        finish({comparison.__name__: comparison(bench) for comparison in comparisons})


if __name__ == "__main__":
    main()
