"""A cache of made-up rows of one shard, their teacher, and what it is asked for."""

import argparse
import shutil
from pathlib import Path

from benchmarks import synthetic
from benchmarks.inputs import Inputs
from distill.encoder import Encoder
from distill.keeping import Keeping
from distill.needs import identity_of, wanted_groups
from distill.recipe import load_recipe
from distill.student import make_student
from distill.teach import ShardTeacher, settings_of
from distill.tokens import Tokenizer
from distill.training_rows import TrainingRows
from schemas import rows, tokens
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Student, Teaching
from schemas.digest import digest
from schemas.example import Example
from schemas.manifest import SideFile
from schemas.signal import TEACHER
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

    def shard_teacher(self, layers: int = 2, recipe: str = "tinybert") -> ShardTeacher:
        """The teacher with a recipe's signals for a student of some layers."""
        teaching = Teaching(max_length=128, batch_tokens=2048)
        identity = identity_of(self.teacher, teaching, 1)
        encoder = Encoder.load(self.teacher, TASK)
        student = make_student(Student(layers=layers), self.teacher, TASK, 0).shape
        signals = {column.signal for column in load_recipe(recipe, student, encoder.shape, {}).columns}
        groups = tuple(wanted_groups(self.cache, TEACHER, signals, encoder.shape, Keeping(), identity))
        tokenizer = Tokenizer.load(self.teacher, teaching.max_length)
        return ShardTeacher(self.cache, encoder, tokenizer, groups, identity, teaching.batch_tokens)

    def publish(self, teacher: ShardTeacher) -> None:
        """Write the manifests of what was taught."""
        self.cache.group(tokens.name(teacher.tokenizer.fingerprint, 128)).publish_manifest({}, 1)
        for answers in teacher.groups:
            self.cache.group(answers.name).publish_manifest(settings_of(answers, teacher.identity), 1)

    def training_rows(self, teacher: ShardTeacher) -> TrainingRows:
        """The rows as a student reads them."""
        tokenizer = teacher.tokenizer
        return TrainingRows.of(self.cache, tokens.name(tokenizer.fingerprint, 128), tokenizer.padding, TASK)

    def forget(self, teacher: ShardTeacher) -> None:
        """Remove what was taught."""
        for answers in teacher.groups:
            shutil.rmtree(self.cache.group(answers.name).path, ignore_errors=True)
