"""Arms: the teacher and the students that a report compares, trained on the same number of steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from distill.arm_result import ArmResult, finish, finished, save_model
from distill.comparison import Comparison, compare
from distill.encoder import Encoder, accelerator, use_all_cores
from distill.evaluate import HeldOut, evaluate, seconds_per_row, value
from distill.kept_copies import keep_copies
from distill.needs import open_readers
from distill.recipe import Recipe, load_recipe
from distill.shape import ModelShape
from distill.student import make_student, start_of, student_shape
from distill.teacher import CachedTeacher, LiveTeacher, Teacher
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
from schemas.signal import answer_of
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
    teacher: Checkpoint
    splits: Splits
    identity: dict[str, Any]
    progress: ProgressOf

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
        """The teacher's tokenizer, which is every student's too."""
        return Tokenizer.load(self.teacher, self.configuration.teach.max_length)

    @cached_property
    def test(self) -> HeldOut:
        """The rows a report is about, as models read them."""
        return HeldOut.of(self.splits.test, self.tokenizer, self.task, accelerator())

    def run(self) -> list[ArmResult]:
        """Evaluate the teacher and train the arms; finished arms are read, not trained again."""
        use_all_cores()
        cache = Cache(self.configuration.cache_path)
        group = tokens.name(self.tokenizer.fingerprint, self.tokenizer.max_length)
        rows = TrainingRows.of(cache, group, self.tokenizer.padding, self.task)
        dev = HeldOut.of(self.splits.dev, self.tokenizer, self.task, accelerator())
        wanted = [arm for arm in self.configuration.train.arms if arm != "distilled+augmented" or has_copies(rows)]
        todo = [self.todo(name, rows, cache) for name in wanted]
        # What does not fit is said before the first arm is trained, not after.
        for arm in todo:
            if not isinstance(arm, ArmResult) and self.configuration.train.teacher == "cached":
                self.teacher_for(arm.recipe, rows, cache)
        results = [self.evaluate_teacher()]
        for arm in todo:
            results.append(arm if isinstance(arm, ArmResult) else self.train(arm, rows, cache, dev))
        return results

    def seconds_per_row(self, results: Sequence[ArmResult]) -> list[float]:
        """Time the models of all arms side by side."""
        folders = [self.teacher.path, *(self.folder / result.name for result in results[1:])]
        encoders = [Encoder.load_accelerated(Checkpoint(folder), self.task) for folder in folders]
        return seconds_per_row(encoders, self.test)

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

    def todo(self, name: str, rows: TrainingRows, cache: Cache) -> "ArmResult | Todo":
        """Return an arm's result if it is there, or what is to be done for it."""
        settings = self.configuration.train
        recipe = self.recipe_of(name)
        total = settings.steps or sum(self.recipe_of("distilled").steps(int(rows.counts.sum()), settings.batch))
        input = self.input(name, cache, recipe, total)
        return finished(self.folder / name, input) or Todo(name, recipe, total, input)

    def train(self, todo: "Todo", rows: TrainingRows, cache: Cache, dev: HeldOut) -> ArmResult:
        """Train and evaluate one student."""
        name, recipe, path = todo.name, todo.recipe, self.folder / todo.name
        configuration = self.configuration
        student = make_student(configuration.student, self.teacher, self.task, configuration.seed)
        teacher = self.teacher_for(recipe, rows, cache)
        wanted = needs_labels(recipe) and recipe.columns
        labelled = label_by_teacher(rows, teacher, accelerator()) if wanted else rows
        chosen, copies = self.kept(todo, labelled, self.choose(name, recipe, labelled, teacher), cache)
        trainer = Trainer(
            student=student,
            recipe=recipe,
            teacher_shape=ModelShape.of_checkpoint(self.teacher, self.task.kind),
            teacher=teacher,
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
        found = evaluate(student, self.test, configuration.seed)
        save_model(student, self.teacher, path)
        result = ArmResult.of(name, todo.input, student, found, todo.steps, progress.best_step)
        result = finish(path, result.model_copy(update={"copies": copies}), found)
        trainer.state.clear()
        return result

    def recipe_of(self, name: str) -> Recipe:
        """Return the recipe of an arm: the configured one, or labels alone."""
        settings = self.configuration.train
        student = student_shape(self.configuration.student, self.teacher, self.task)
        teacher = ModelShape.of_checkpoint(self.teacher, self.task.kind)
        if name == "scratch":
            recipe = load_recipe("finetune", student, teacher, {})
        else:
            recipe = load_recipe(settings.recipe, student, teacher, settings.dials)
        return recipe.with_learning_rate(settings.learning_rate)

    def teacher_for(self, recipe: Recipe, rows: TrainingRows, cache: Cache) -> Teacher:
        """Return the teacher as configured; a recipe that learns from labels alone has one that knows nothing."""
        signals = {column.signal for column in recipe.columns}
        if signals and needs_labels(recipe):
            # Rows without a label get the teacher's.
            signals.add(answer_of(self.task.kind))
        if self.configuration.train.teacher == "live" and signals:
            return LiveTeacher(Encoder.load_accelerated(self.teacher, self.task))
        return CachedTeacher(
            open_readers(cache, signals, rows, self.configuration.teach.codec, self.identity) if signals else []
        )

    def choose(self, name: str, recipe: Recipe, rows: TrainingRows, teacher: Teacher) -> np.ndarray:
        """Return the numbers of the rows an arm learns from."""
        usable = rows.has_answers if name == "distilled+augmented" else rows.has_answers & rows.is_original
        if needs_labels(recipe):
            usable = usable & rows.is_labelled
        if isinstance(teacher, CachedTeacher) and teacher.readers:
            usable = usable & teacher.kept({column.signal for column in recipe.columns})
        if not usable.any():
            raise DataError(
                f"rows that the arm `{name}` can learn from",
                "none with a label" if needs_labels(recipe) else "none with an answer of the teacher",
                "label some rows, or leave the arm out of `train.arms`",
            )
        return np.flatnonzero(usable)

    def filters(self, name: str) -> bool:
        """Whether an arm may leave out copies."""
        return name == "distilled+augmented" and self.configuration.train.keep_copies.leaves_out

    def kept(
        self, todo: "Todo", rows: TrainingRows, chosen: np.ndarray, cache: Cache
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Return the chosen rows without the copies that are left out, and counts of these; cached answers decide."""
        if not self.filters(todo.name):
            return chosen, {}
        configuration = self.configuration
        answer = {answer_of(self.task.kind)}
        teacher = CachedTeacher(open_readers(cache, answer, rows, configuration.teach.codec, self.identity))
        answered = teacher.kept(answer) & rows.has_answers
        return keep_copies(rows, chosen, teacher, answered, configuration.train.keep_copies)

    def input(self, name: str, cache: Cache, recipe: Recipe, total: int) -> str:
        """Return the digest of everything an arm's result depends on."""
        configuration = self.configuration
        parts: dict[str, Any] = {
            "name": name,
            "rows": [[side.ids, side.accounting] for side in cache.group(ROWS).manifest().shards],
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
            parts |= {"codec": configuration.teach.codec.value, "asked": configuration.train.teacher}
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
