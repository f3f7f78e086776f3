import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import originals, write_rows
from test_teach import SHARDS, TASK, teach
from transformers import AutoModelForSequenceClassification

from distill.arm_result import save_model
from distill.encoder import Encoder
from distill.needs import open_readers
from distill.order import Order
from distill.recipe import Recipe, load_recipe, recipe_names
from distill.shape import ModelShape
from distill.student import make_student
from distill.teacher import CachedTeacher, LiveTeacher, Teacher
from distill.train import Trainer, label_by_teacher, learning_rate
from distill.training_rows import TrainingRows
from schemas import tokens
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec
from schemas.configuration import Student, Training
from schemas.errors import ConfigurationError, QualityError
from schemas.signal import TEACHER

DIALS = {"intermediate_epochs": 2.0, "prediction_epochs": 1.0}


class Bench:
    """A taught cache and what a trainer needs beside it."""

    def __init__(self, folder: Path, teacher_folder: Path, codec: Codec = Codec.F32, count: int = 160) -> None:
        self.folder = folder
        self.codec = codec
        self.checkpoint = Checkpoint.find(str(teacher_folder))
        self.cache = Cache(folder / "cache")
        write_rows(self.cache, originals(count), SHARDS)
        shape = ModelShape.of_checkpoint(self.checkpoint, TASK.kind)
        self.recipe = load_recipe("tinybert", ModelShape(2, 32, 4, shape.vocabulary, 2), shape, DIALS)
        self.signals = {column.signal for column in self.recipe.columns}
        self.teacher, *_ = teach(self.cache, self.checkpoint, frozenset(self.signals), codec)
        group = tokens.name(self.checkpoint.tokenizer_fingerprint, 32)
        self.rows = TrainingRows.of(self.cache, group, self.teacher.tokenizer.padding, TASK)

    def cached(self) -> Teacher:
        return CachedTeacher(
            open_readers(self.cache, TEACHER, self.signals, self.rows, self.codec, self.teacher.identity)
        )

    def live(self) -> Teacher:
        return LiveTeacher(Encoder.load(self.checkpoint, TASK))

    def trainer(self, name: str, teacher: Teacher, recipe: Recipe | None = None, **changes) -> Trainer:
        settings = {"batch": 8, "checkpoint_every": 7, "evaluate_every": 6}
        arguments = {
            "student": make_student(Student(layers=2), self.checkpoint, TASK, 0),
            "recipe": recipe or self.recipe,
            "shapes": {TEACHER: self.teacher.encoder.shape},
            "teachers": {TEACHER: teacher},
            "rows": self.rows,
            "chosen": np.arange(len(self.rows.ids)),
            "steps": (20, 12) if recipe is None else (24,) * len(recipe.stages),
            "settings": Training(**settings),
            "seed": 0,
            "folder": self.folder / name,
            "input": "0" * 32,
        }
        return Trainer(**{**arguments, **changes})


def losses(trainer: Trainer) -> list[float]:
    return [entry["loss"] for entry in trainer.log.entries() if "loss" in entry]


@pytest.mark.parametrize(("codec", "tolerance"), [(Codec.F32, 1e-5), (Codec.F16, 1e-3)])
def test_offline_equals_live(tmp_path, teacher_folder, codec, tolerance):
    bench = Bench(tmp_path, teacher_folder, codec)
    offline, live = bench.trainer("offline", bench.cached()), bench.trainer("live", bench.live())
    offline.run()
    live.run()
    assert len(losses(offline)) == 32
    assert losses(offline)[:20] == pytest.approx(losses(live)[:20], rel=tolerance)
    assert losses(offline)[20:] == pytest.approx(losses(live)[20:], rel=max(tolerance, 1e-4))


def test_the_student_learns(tmp_path, teacher_folder):
    bench = Bench(tmp_path, teacher_folder)
    trainer = bench.trainer("learns", bench.cached(), settings=Training(batch=8, learning_rate=1e-3))
    trainer.recipe = trainer.recipe.with_learning_rate(1e-3)
    trainer.run()
    found = losses(trainer)
    assert np.mean(found[15:20]) < 0.7 * np.mean(found[:5])


def test_a_stage_that_predicts_touches_no_hidden_states(tmp_path, teacher_folder):
    bench = Bench(tmp_path, teacher_folder)
    cached = bench.cached()
    trainer = bench.trainer("predict", cached, Recipe(bench.recipe.stages[1]))
    trainer.run()
    opened = {signal.family for signal, reader in cached.readers.items() if reader.opened}
    assert {str(family) for family in opened} == {"logits"}


class Stop(Exception):
    pass


def stop_after(steps: int):
    def progress(done: int, total: int, note: str) -> None:
        if done == steps:
            raise Stop

    return progress


@pytest.mark.parametrize("stop", [3, 10, 20, 23, 31])
def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(tmp_path, teacher_folder, stop):
    bench = Bench(tmp_path, teacher_folder)
    evaluate = {"evaluate": lambda encoder: -float(encoder.model.classifier.bias.detach().abs().sum())}
    whole = bench.trainer("whole", bench.cached(), **evaluate)
    expected = whole.run()
    with pytest.raises(Stop):
        bench.trainer("stopped", bench.cached(), **evaluate, progress=stop_after(stop)).run()
    resumed = bench.trainer("stopped", bench.cached(), **evaluate)
    assert resumed.run().seal() == expected.seal()
    entries = list(resumed.log.entries())
    assert entries == list(whole.log.entries())
    assert sum("dev" in entry for entry in entries) > 1
    for name, weights in whole.student.model.state_dict().items():
        assert torch.equal(weights, resumed.student.model.state_dict()[name]), name


def test_a_state_of_another_run_is_not_taken(tmp_path, teacher_folder):
    bench = Bench(tmp_path, teacher_folder)
    with pytest.raises(Stop):
        bench.trainer("arm", bench.cached(), progress=stop_after(10)).run()
    other = bench.trainer("arm", bench.cached(), input="1" * 32)
    other.run()
    assert [entry["step"] for entry in other.log.entries()] == [*range(1, 21), *range(1, 13)]


def test_the_best_weights_are_kept_and_the_first_of_equals_wins(tmp_path, teacher_folder):
    bench = Bench(tmp_path, teacher_folder)
    values = iter([0.5, 0.8, 0.8, 0.1])
    seen = []

    def evaluate(encoder: Encoder) -> float:
        seen.append(encoder.model.classifier.bias.detach().clone())
        return next(values, 0.0)

    trainer = bench.trainer("best", bench.cached(), evaluate=evaluate)
    progress = trainer.run()
    assert (progress.best, progress.best_step) == (0.8, 32)
    assert torch.equal(trainer.student.model.classifier.bias.detach(), seen[1])


def test_a_loss_that_is_no_number_stops_the_run_and_names_rows(tmp_path, teacher_folder):
    bench = Bench(tmp_path, teacher_folder)
    trainer = bench.trainer("nan", bench.cached())
    with torch.no_grad():
        trainer.student.model.bert.embeddings.word_embeddings.weight.fill_(math.nan)
    with pytest.raises(QualityError, match=r"rows [0-9a-f]{16}"):
        trainer.run()


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_recipe_trains(tmp_path, teacher_folder, name, precision):
    bench = Bench(tmp_path, teacher_folder)
    recipe = load_recipe(name, ModelShape(2, 32, 4, 100, 2), bench.teacher.encoder.shape, {})
    settings = Training(batch=8, precision=precision)
    steps = (4,) * len(recipe.stages)
    trainer = bench.trainer(f"{name}-{precision}", bench.cached(), recipe, settings=settings, steps=steps)
    trainer.run()
    assert len(losses(trainer)) == sum(steps)
    assert all(math.isfinite(loss) for loss in losses(trainer))


def test_rows_without_a_label_get_the_teachers(tmp_path, teacher_folder):
    bench = Bench(tmp_path, teacher_folder)
    labels = bench.rows.labels.copy()
    labels[::3] = np.nan
    unlabelled = TrainingRows(**{**vars(bench.rows), "labels": labels})
    answers = bench.live().answer(bench.rows.batch(np.arange(160)), {next(iter(bench.recipe.stages[1].signals))})
    expected = next(iter(answers.values())).argmax(-1).numpy()
    found = label_by_teacher(unlabelled, bench.cached()).labels
    assert np.array_equal(found[::3], expected[::3])
    kept = np.arange(160) % 3 > 0
    assert np.array_equal(found[kept], bench.rows.labels[kept])


def test_rows_of_which_the_teacher_said_nothing_stay_without_a_label(tmp_path, teacher_folder, monkeypatch):
    bench = Bench(tmp_path, teacher_folder)
    unlabelled = TrainingRows(**{**vars(bench.rows), "labels": np.full(160, np.nan)})
    teacher = bench.cached()
    monkeypatch.setattr(teacher, "kept", lambda signals, rows: np.arange(rows) % 4 > 0)
    found = label_by_teacher(unlabelled, teacher)
    assert np.array_equal(found.is_labelled, np.arange(160) % 4 > 0)


def test_a_student_opens_with_transformers_alone(tmp_path, teacher_folder):
    student = make_student(Student(layers=2), Checkpoint.find(str(teacher_folder)), TASK, 0)
    save_model(student, Checkpoint.find(str(teacher_folder)), tmp_path)
    code = (
        "import sys, torch\n"
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n"
        "model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()\n"
        "batch = AutoTokenizer.from_pretrained(sys.argv[1])('a good film', return_tensors='pt')\n"
        "print(model(**batch).logits.tolist()[0], model.config.id2label, 'distill' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert done.stdout.endswith("{0: 'negative', 1: 'positive'} False\n")
    assert len(model.bert.encoder.layer) == 2


def test_a_student_takes_the_teachers_layers_by_the_uniform_map(teacher_folder):
    checkpoint = Checkpoint.find(str(teacher_folder))
    teacher = Encoder.load(checkpoint, TASK).model.state_dict()
    student = make_student(Student(layers=2), checkpoint, TASK, 0).model.state_dict()
    for block, origin in ((0, 1), (1, 3)):
        name = "bert.encoder.layer.{}.output.dense.weight"
        assert torch.equal(student[name.format(block)], teacher[name.format(origin)])
    assert torch.equal(student["classifier.weight"], teacher["classifier.weight"])


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (Student(width=16), "hidden_size 16"),
        (Student(layers=5), "at most 4 blocks"),
        (Student(start="random", width=30), "4 heads"),
    ],
)
def test_impossible_students_are_refused(teacher_folder, student, message):
    with pytest.raises(ConfigurationError, match=message):
        make_student(student, Checkpoint.find(str(teacher_folder)), TASK, 0)


def test_a_narrow_student_at_random_learns_through_projections(tmp_path, teacher_folder):
    bench = Bench(tmp_path, teacher_folder)
    student = make_student(Student(start="random", layers=2, width=16, intermediate=32), bench.checkpoint, TASK, 0)
    recipe = load_recipe("tinybert", student.shape, bench.teacher.encoder.shape, {})
    trainer = bench.trainer("narrow", bench.cached(), recipe, student=student, steps=(6, 6))
    trainer.run()
    assert trainer.objective.projections["width"].weight.shape == (32, 16)
    assert len(losses(trainer)) == 12


def test_order_is_a_function_of_seed_epoch_and_position():
    rows, counts, lengths = np.arange(100), np.ones(100, int), np.random.default_rng(0).integers(3, 40, 100)
    counts[7] = 3
    order = Order(rows, counts, lengths, batch=8, seed=1)
    again = Order(rows, counts, lengths, batch=8, seed=1)
    steps = order.steps_per_epoch
    assert steps == math.ceil(102 / 8)
    for epoch in range(3):
        seen = np.concatenate([order.at(epoch * steps + step) for step in range(steps)])
        assert np.array_equal(np.sort(seen), np.repeat(rows, counts))
    assert all(np.array_equal(again.at(step), order.at(step)) for step in (29, 3, 17, 0))
    assert not np.array_equal(order.at(0), order.at(steps))
    padded = sum(lengths[order.at(s)].max() * len(order.at(s)) for s in range(steps))
    assert padded < 1.35 * np.repeat(lengths, counts).sum()


def test_learning_rate_rises_and_falls():
    stage = load_recipe("finetune", ModelShape(2, 8, 2, 9, 2), ModelShape(2, 8, 2, 9, 2), {}).stages[0]
    rates = [learning_rate(stage, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(3e-6)
    assert max(rates) == rates[9] == pytest.approx(3e-5)
    assert rates[-1] == pytest.approx(3e-5 / 90)
