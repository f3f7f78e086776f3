"""Students that learn from a cache beside students with the teacher in the loop, and how many pay for the cache."""

import shutil
import statistics

import numpy as np

from benchmarks.bench import TASK, Bench
from benchmarks.measure import seconds
from distill.needs import open_readers
from distill.recipe import load_recipe
from distill.student import make_student
from distill.teacher import CachedTeacher, LiveTeacher, Teacher
from distill.train import Trainer
from distill.training_rows import TrainingRows
from schemas.codec import Codec
from schemas.configuration import Student, Training
from schemas.signal import TEACHER

EPOCHS = 3
STUDENTS = (1, 3, 10)
STUDENT = Student(layers=2)
BATCH = 16
RECIPES: dict[str, tuple[str, dict[str, float]]] = {
    "logits": ("hinton", {"epochs": EPOCHS}),
    "hidden": ("tinybert", {"intermediate_epochs": EPOCHS, "prediction_epochs": EPOCHS}),
}


class Lesson:
    """A recipe, what it asks of the teacher of a bench, and the two-layer student that learns it."""

    def __init__(self, bench: Bench, recipe: str, dials: dict[str, float]) -> None:
        self.bench = bench
        self.teacher = bench.shard_teacher(recipe=recipe)
        shape = make_student(STUDENT, bench.teacher, TASK, 0).shape
        self.recipe = load_recipe(recipe, shape, self.teacher.encoder.shape, dials)

    def forget(self) -> None:
        """Remove what was taught."""
        self.bench.forget(self.teacher)

    def teach(self) -> None:
        """Ask the teacher for all rows and keep what it says."""
        self.teacher.teach(self.bench.side())
        self.bench.publish(self.teacher)

    def train_live(self) -> int:
        """Train a student with the teacher in the loop; return the steps."""
        return self.train(self.bench.training_rows(self.teacher), LiveTeacher(self.teacher.encoder))

    def train_cached(self) -> int:
        """Train a student from what was kept, opened anew; return the steps."""
        signals = {column.signal for column in self.recipe.columns}
        rows = self.bench.training_rows(self.teacher)
        readers = open_readers(self.bench.cache, TEACHER, signals, rows, Codec.F16, self.teacher.identity)
        return self.train(rows, CachedTeacher(readers))

    def train(self, rows: TrainingRows, answering: Teacher) -> int:
        """Train a student; return the steps."""
        trainer = Trainer(
            student=make_student(STUDENT, self.bench.teacher, TASK, 0),
            recipe=self.recipe,
            shapes={TEACHER: self.teacher.encoder.shape},
            teachers={TEACHER: answering},
            rows=rows,
            chosen=np.arange(len(rows.ids)),
            steps=self.recipe.steps(len(rows.ids), BATCH),
            settings=Training(batch=BATCH, checkpoint_every=10**6),
            seed=0,
            folder=self.bench.folder / "student",
            input="0" * 32,
        )
        trainer.run()
        shutil.rmtree(self.bench.folder / "student")
        return sum(trainer.steps)


def offline_vs_live(bench: Bench) -> dict[str, float]:
    """Return, by signals and students, the time of training with a live teacher by that of teaching and training."""
    bench.write_rows(48 if bench.quick else 192)
    return {name: value for signals in RECIPES for name, value in compare(bench, signals).items()}


def compare(bench: Bench, signals: str) -> dict[str, float]:
    """Measure a recipe, a few rounds in turn; print where a cache does not pay."""
    lesson = Lesson(bench, *RECIPES[signals])
    rounds = []
    for _ in range(2 if bench.quick else 3):
        lesson.forget()
        works = (lesson.teach, lesson.train_cached, lesson.train_live)
        rounds.append([seconds(work)[0] for work in works])
    # The first round warms up.
    teach, cached, live = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    print(f"{signals}: teaching {teach:.3g} s, a student from the cache {cached:.3g} s, live {live:.3g} s", flush=True)
    found = {f"offline_vs_live_{signals}_{n}": n * live / (teach + n * cached) for n in STUDENTS}
    for name, value in found.items():
        print(f"{name}: {value:.3g}{', offline loses' if value < 1 else ''}", flush=True)
    passes = sum(stage.epochs for stage in lesson.recipe.stages)
    if cached < live:
        pays = teach / (live - cached) * passes
        print(f"{signals}: offline loses below {pays:.2g} passes over the rows, all students together", flush=True)
    else:
        print(f"{signals}: offline loses for any number of students", flush=True)
    return found
