"""Arms: the teacher and the students that a report compares, trained on the same number of steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from distill.arm_result import ArmResult, finish, finished, save_model
from distill.comparison import Comparison, compare
from distill.configured import recipe_of
from distill.encoder import Encoder, accelerator
from distill.evaluate import HeldOut, evaluate, seconds_per_row, value
from distill.kept_copies import keep_copies
from distill.recipe import Recipe, load_recipe
from distill.student import make_student, start_of, student_shape, tokenizer_source
from distill.teacher import Teacher, kept, kept_of
from distill.teachers import Teachers
from distill.threads import use_all_cores
from distill.tokens import Tokenizer
from distill.train import TRAINER_SETTINGS, ProgressOf, Trainer, label_by_teacher
from distill.training_rows import TrainingRows
from schemas import tokens
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.digest import digest
from schemas.errors import DataError
from schemas.example import Example
from schemas.rows import NAME as ROWS
from schemas.signal import Column, answer_of
from schemas.task import Task


@dataclass(frozen=True)
class Splits:
    """Held-out rows: `dev` chooses a checkpoint, `test` is reported."""

    dev: Sequence[Example]
    test: Sequence[Example]


@dataclass(frozen=True)
class Todo:
    """An arm that is to be trained: by which recipe, for how many steps; `input` is the digest of all it depends on."""

    name: str
    recipe: Recipe
    steps: int
    input: str


@dataclass(frozen=True)
class Arms:
    """Everything that the arms of one run share."""

    configuration: Configuration
    teachers: Teachers
    splits: Splits
    progress: ProgressOf

    @property
    def teacher(self) -> Checkpoint:
        """The run's own teacher."""
        return self.teachers.own

    @property
    def identity(self) -> dict[str, Any]:
        """What its answers depend on."""
        return self.teachers.identities[self.configuration.teacher_name]

    @property
    def answer(self) -> Column:
        """Where its answers to the task are kept."""
        return Column(self.configuration.teacher_name, answer_of(self.task.kind))

    @property
    def folder(self) -> Path:
        """Folder of the students."""
        return self.configuration.output_path / "students"

    @property
    def task(self) -> Task:
        """What texts and labels mean."""
        return self.configuration.task

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The teacher's tokenizer."""
        return Tokenizer.load(self.teacher, self.configuration.teach.max_length)

    @cached_property
    def source(self) -> Checkpoint:
        """The checkpoint whose tokenizer all students read with: the teacher's, unless theirs is another."""
        return tokenizer_source(self.configuration.student, self.teacher)

    @cached_property
    def students_tokenizer(self) -> Tokenizer:
        """The tokenizer of all students."""
        if self.source is self.teacher:
            return self.tokenizer
        return Tokenizer.load(self.source, self.configuration.teach.max_length)

    @cached_property
    def test(self) -> HeldOut:
        """The rows a report is about, as the teacher reads them."""
        return HeldOut.of(self.splits.test, self.tokenizer, self.task, accelerator())

    @cached_property
    def students_test(self) -> HeldOut:
        """The rows a report is about, as students read them."""
        if self.source is self.teacher:
            return self.test
        return HeldOut.of(self.splits.test, self.students_tokenizer, self.task, accelerator())

    @cached_property
    def cache(self) -> Cache:
        """Where rows and answers are."""
        return Cache(self.configuration.cache_path)

    @cached_property
    def taught(self) -> TrainingRows:
        """The rows of the cache as the teacher read them."""
        group = tokens.name(self.tokenizer.fingerprint, self.tokenizer.max_length)
        return TrainingRows.of(self.cache, group, self.tokenizer.padding, self.task)

    @cached_property
    def rows(self) -> TrainingRows:
        """The same rows as students read them."""
        if self.source is self.teacher:
            return self.taught
        return TrainingRows.tokenised(self.cache, self.students_tokenizer, self.task)

    def run(self) -> list[ArmResult]:
        """Evaluate the teacher and train the arms; finished arms are read, not trained again."""
        use_all_cores()
        dev = HeldOut.of(self.splits.dev, self.students_tokenizer, self.task, accelerator())
        wanted = [arm for arm in self.configuration.train.arms if arm != "distilled+augmented" or has_copies(self.rows)]
        todo = [self.todo(name) for name in wanted]
        # What does not fit is said before the first arm is trained, not after.
        for arm in todo:
            if not isinstance(arm, ArmResult) and self.configuration.train.teacher == "cached":
                self.teachers_for(arm.recipe)
        results = [self.evaluate_teacher()]
        for arm in todo:
            results.append(arm if isinstance(arm, ArmResult) else self.train(arm, dev))
        return results

    def seconds_per_row(self, results: Sequence[ArmResult]) -> list[float]:
        """Time the models of all arms side by side."""
        teacher = (Encoder.load_accelerated(self.teacher, self.task), self.test)
        folders = [self.folder / result.name for result in results[1:]]
        students = [Encoder.load_accelerated(Checkpoint(folder), self.task) for folder in folders]
        return seconds_per_row([teacher, *((student, self.students_test) for student in students)])

    def compare(self, results: Sequence[ArmResult]) -> list[Comparison]:
        """Compare the trained arms on the test rows."""
        return compare(results, self.folder, self.test.judge, self.configuration.seed)

    def evaluate_teacher(self) -> ArmResult:
        """Evaluate the teacher, unless that was done."""
        input = digest([self.identity, self.test_digest()])
        path = self.folder / "teacher"
        if (done := finished(path, input)) is not None:
            return done
        encoder = Encoder.load_accelerated(self.teacher, self.task)
        found = evaluate(encoder, self.test, self.configuration.seed)
        return finish(path, ArmResult.of("teacher", input, encoder, found), found)

    def todo(self, name: str) -> "ArmResult | Todo":
        """Return an arm's result if it is there, or what is to be done for it."""
        settings = self.configuration.train
        recipe = self.recipe_of(name)
        total = settings.steps or sum(self.recipe_of("distilled").steps(int(self.rows.counts.sum()), settings.batch))
        input = self.input(name, recipe, total)
        return finished(self.folder / name, input) or Todo(name, recipe, total, input)

    def train(self, todo: "Todo", dev: HeldOut) -> ArmResult:
        """Train and evaluate one student."""
        name, recipe, path = todo.name, todo.recipe, self.folder / todo.name
        configuration = self.configuration
        student = make_student(configuration.student, self.teacher, self.task, configuration.seed)
        teachers = self.teachers_for(recipe)
        own = teachers.get(configuration.teacher_name)
        labelled = label_by_teacher(self.rows, own, accelerator()) if own and needs_labels(recipe) else self.rows
        chosen, copies = self.kept(todo, self.choose(name, recipe, labelled, teachers))
        trainer = Trainer(
            student=student,
            recipe=recipe,
            shapes=self.teachers.shapes,
            teachers=teachers,
            rows=labelled,
            chosen=chosen,
            steps=recipe.steps(0, configuration.train.batch, todo.steps),
            settings=configuration.train,
            seed=configuration.seed,
            folder=path,
            input=todo.input,
            evaluate=lambda encoder: value(encoder, dev),
            progress=self.progress(name),
        )
        progress = trainer.run()
        found = evaluate(student, self.students_test, configuration.seed)
        save_model(student, self.source, path)
        result = ArmResult.of(name, todo.input, student, found, todo.steps, progress.best_step)
        result = finish(path, result.model_copy(update={"copies": copies}), found)
        trainer.state.clear()
        return result

    def recipe_of(self, name: str) -> Recipe:
        """Return the recipe of an arm: the configured one, or labels alone."""
        teacher = self.teachers.shapes[self.configuration.teacher_name]
        if name == "scratch":
            student = student_shape(self.configuration.student, self.teacher, self.task)
            recipe = load_recipe("finetune", student, teacher, {})
        else:
            recipe = recipe_of(self.configuration, self.teacher, teacher)
        return recipe.with_learning_rate(self.configuration.train.learning_rate)

    def teachers_for(self, recipe: Recipe) -> dict[str, Teacher]:
        """Return the teachers as configured; a recipe that learns from labels alone has none."""
        columns = set(recipe.columns)
        if columns and needs_labels(recipe):
            # Rows without a label get the teacher's.
            columns.add(self.answer)
        if self.configuration.train.teacher == "live":
            return self.teachers.live(columns, self.cache, self.source)
        return self.teachers.cached(columns, self.cache, self.taught)

    def choose(self, name: str, recipe: Recipe, rows: TrainingRows, teachers: Mapping[str, Teacher]) -> np.ndarray:
        """Return the numbers of the rows an arm learns from."""
        usable = rows.has_answers if name == "distilled+augmented" else rows.has_answers & rows.is_original
        if needs_labels(recipe):
            usable = usable & rows.is_labelled
        if not usable.any():
            raise DataError(
                f"rows that the arm `{name}` can learn from",
                "none with a label" if needs_labels(recipe) else "none with a word",
                "label some rows, or leave the arm out of `train.arms`",
            )
        return np.flatnonzero(kept_of(usable, teachers, recipe.columns))

    def filters(self, name: str) -> bool:
        """Whether an arm may leave out copies."""
        return name == "distilled+augmented" and self.configuration.train.keep_copies.leaves_out

    def kept(self, todo: "Todo", chosen: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        """Return the chosen rows without the copies that are left out, and counts of these; cached answers decide."""
        if not self.filters(todo.name):
            return chosen, {}
        teachers = self.teachers.cached([self.answer], self.cache, self.taught)
        answered = kept(teachers, [self.answer], len(self.taught.ids)) & self.taught.has_answers
        own = teachers[self.answer.teacher]
        return keep_copies(self.taught, chosen, own, answered, self.configuration.train.keep_copies)

    def input(self, name: str, recipe: Recipe, total: int) -> str:
        """Return the digest of everything an arm's result depends on."""
        configuration = self.configuration
        parts: dict[str, Any] = {
            "name": name,
            "rows": [[side.ids, side.accounting] for side in self.cache.group(ROWS).manifest().shards],
            "teacher": self.identity,
            "student": configuration.student.model_dump(mode="json"),
            "start": start_of(configuration.student),
            "training": configuration.train.model_dump(mode="json", include=TRAINER_SETTINGS),
            "recipe": recipe.digest,
            "seed": configuration.seed,
            "steps": total,
            "dev": [example.id for example in self.splits.dev],
            "test": self.test_digest(),
        }
        if self.filters(name):
            parts["keep_copies"] = configuration.train.keep_copies.model_dump(mode="json")
        if recipe.columns:
            parts["sources"] = self.teachers.sources(recipe.columns, self.cache)
        return digest(parts)

    def test_digest(self) -> str:
        """Return the digest of what the held-out rows are and how they are judged."""
        task = self.configuration.task.model_dump(mode="json")
        return digest([task, self.configuration.seed, [example.id for example in self.splits.test]])


def needs_labels(recipe: Recipe) -> bool:
    """Whether some stage learns from labels."""
    return any(stage.wants_labels for stage in recipe.stages)


def has_copies(rows: TrainingRows) -> bool:
    """Whether there are rows that were made, not read."""
    return not rows.is_original.all()
