"""Training: one loop for every recipe, over a cached or a live teacher, that goes on where it was stopped."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from distill.batch import Batch
from distill.encoder import Encoder
from distill.objective import Objective
from distill.order import Order
from distill.recipe import Recipe, Stage
from distill.shape import ModelShape
from distill.teacher import Teacher
from distill.training_rows import TrainingRows
from distill.training_state import Progress, TrainingState, Weights, part, restore_optimizer
from schemas.configuration import Training
from schemas.digest import identity
from schemas.errors import QualityError
from schemas.signal import logits

FLUSH_EVERY = 50
"""Steps between two looks at the losses, so that the device is not asked to wait at every step."""

TRAINER_SETTINGS = {"batch", "learning_rate", "precision", "clip", "weight_decay", "evaluate_every"}
"""Settings of `train` that the loop itself reads and a result depends on."""

ProgressOf = Callable[[str], Callable[[int, int, str], None]]
"""Gives the progress of a training run by its name: a function of steps done, steps in all and stage."""


@dataclass
class Trainer:
    """What a training run is made of.

    `chosen` are the numbers of the rows to train on; `steps` has one number per stage; `evaluate` gives the metric on
    the dev rows, larger being better; `input` is the digest of everything the result depends on. The `state` on disk is
    the caller's to clear, once the result is safe.
    """

    student: Encoder
    recipe: Recipe
    teacher_shape: ModelShape
    teacher: Teacher
    rows: TrainingRows
    chosen: np.ndarray
    steps: tuple[int, ...]
    settings: Training
    seed: int
    folder: Path
    input: str
    evaluate: Callable[[Encoder], float] | None = None
    progress: Callable[[int, int, str], None] = lambda done, total, note: None
    pending: list[tuple[Progress, Batch, float, Tensor, dict[str, Tensor]]] = field(default_factory=list)

    def run(self) -> Progress:
        """Train all stages and leave the best weights in the student; return where the best was found."""
        precision = "bf16" if self.settings.precision == "bf16" else "no"
        self.accelerator = Accelerator(mixed_precision=precision)
        torch.manual_seed(self.seed)
        self.objective = Objective(self.student, self.recipe, self.teacher_shape)
        self.order = Order(
            self.chosen,
            self.rows.counts[self.chosen],
            self.rows.lengths[self.chosen],
            batch=self.settings.batch,
            seed=self.seed,
        )
        self.state = TrainingState(self.folder / "state")
        self.best: Weights | None = None
        self.progress_now = Progress(input=self.input, stage=0, step=0)
        resumed = self.state.load(self.input)
        weights: Weights = {}
        if resumed:
            self.progress_now, weights = resumed
            self.objective.load_state_dict(part(weights, "module"))
            self.best = part(weights, "best") or None
        self.cut_log()
        for index, stage in enumerate(self.recipe.stages):
            if index >= self.progress_now.stage:
                self.run_stage(index, stage, weights)
                weights = {}
        if self.best is not None:
            self.student.model.load_state_dict(self.best)
        return self.progress_now

    def run_stage(self, index: int, stage: Stage, weights: Weights) -> None:
        """Train one stage from the step it is at; each stage has an optimizer of its own."""
        optimizer = torch.optim.AdamW(parameter_groups(self.objective, self.settings.weight_decay), lr=0.0)
        objective, optimizer = self.accelerator.prepare(self.objective, optimizer)
        if weights:
            restore_optimizer(optimizer.optimizer, weights)
        first = self.progress_now.step if index == self.progress_now.stage else 0
        signals = {column.signal for column in stage.columns}
        total = self.steps[index]
        for step in range(first, total):
            # Dropout, too, is a function of where we are, so that a resumed run draws the same.
            torch.manual_seed(identity(self.seed, index, step) >> 1)
            rate = learning_rate(stage, step, total)
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = self.rows.batch(self.order.at(step), self.accelerator.device)
            answers = self.teacher.answer(batch, signals)
            labels = self.labels(batch) if stage.wants_labels else None
            objective.train()
            with self.accelerator.autocast():
                loss, parts = objective(stage, batch, answers, labels)
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(objective.parameters(), self.settings.clip)
            optimizer.step()
            optimizer.zero_grad()
            self.progress_now = self.progress_now.model_copy(update={"stage": index, "step": step + 1})
            self.pending.append((self.progress_now, batch, rate, loss.detach(), dict(parts)))
            self.after_step(index, stage, total, optimizer.optimizer)
        self.progress_now = self.progress_now.model_copy(update={"stage": index + 1, "step": 0})

    def after_step(self, index: int, stage: Stage, total: int, optimizer: torch.optim.Optimizer) -> None:
        """Log, evaluate and save where it is time."""
        step = self.progress_now.step
        done = sum(self.steps[:index]) + step
        learns_answers = any(signal == logits() for signal in stage.signals)
        evaluates = learns_answers and self.evaluate and (step % self.settings.evaluate_every == 0 or step == total)
        saves = step % self.settings.checkpoint_every == 0 or step == total
        if evaluates or saves or len(self.pending) >= FLUSH_EVERY:
            self.flush()
        if evaluates:
            self.keep_best(done)
        if saves:
            self.state.save(self.progress_now, self.objective, optimizer, self.best)
        self.progress(done, sum(self.steps), stage.name)

    def keep_best(self, done: int) -> None:
        """Evaluate on the dev rows and remember the best weights so far; the first of equals wins."""
        assert self.evaluate is not None
        value = self.evaluate(self.student)
        best = self.progress_now.best
        if best is None or value > best:
            update = {"best": None if math.isnan(value) else value, "best_step": done}
            self.progress_now = self.progress_now.model_copy(update=update)
            self.best = {
                name: tensor.detach().cpu().clone() for name, tensor in self.student.model.state_dict().items()
            }

    def labels(self, batch: Batch) -> Tensor:
        """Return the labels of a batch: class indices, or numbers for a regression."""
        labels = torch.from_numpy(self.rows.labels[batch.rows]).to(batch.input_ids.device)
        return labels.float() if self.student.shape.classes == 1 else labels.long()

    # The log of losses, one JSON line a step

    @property
    def log(self) -> Path:
        """Path of the log."""
        return self.folder / "losses.jsonl"

    def flush(self) -> None:
        """Write the losses of the steps since the last time; stop where one is not a number."""
        with self.log.open("a", encoding="utf-8") as file:
            for progress, batch, rate, loss, parts in self.pending:
                number = loss.item()
                if not math.isfinite(number):
                    ids = ", ".join(f"{i:016x}" for i in self.rows.ids[batch.rows][:4])
                    raise QualityError(
                        "a finite loss",
                        f"{number} in stage {progress.stage}, step {progress.step}, rows {ids}, …",
                        "lower the learning rate, or look at those rows with `distill inspect`; "
                        "the last good state is kept",
                    )
                terms = {name: value.item() for name, value in parts.items()}
                line = {"stage": progress.stage, "step": progress.step, "rate": rate, "loss": number, "terms": terms}
                file.write(json.dumps(line) + "\n")
        self.pending.clear()

    def cut_log(self) -> None:
        """Drop the log's lines from beyond the state that the run goes on from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        here = (self.progress_now.stage, self.progress_now.step)
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        kept = [line for line in lines if at(line) <= here]
        self.log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def at(line: str) -> tuple[int, int]:
    """Return stage and step of a line of the log; a line cut by a crash lies beyond everything."""
    try:
        entry = json.loads(line)
        return entry["stage"], entry["step"]
    except ValueError:
        return (2**31, 0)


def learning_rate(stage: Stage, step: int, total: int) -> float:
    """Return the rate of a step counted from 0."""
    if stage.schedule == "constant":
        return stage.learning_rate
    rising = max(1, round(stage.warm_up * total))
    if step < rising:
        return stage.learning_rate * (step + 1) / rising
    return stage.learning_rate * (total - step) / max(1, total - rising)


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Return parameters with and without weight decay: none for biases and norms."""
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    decayed = [p for _, p in named if p.ndim > 1]
    others = [p for _, p in named if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def label_by_teacher(
    rows: TrainingRows, teacher: Teacher, device: torch.device | str = "cpu", batch: int = 64
) -> TrainingRows:
    """Give rows without a label the teacher's."""
    missing = np.flatnonzero(np.isnan(rows.labels))
    labels = rows.labels.copy()
    for start in range(0, len(missing), batch):
        some = missing[start : start + batch]
        answer = teacher.answer(rows.batch(some, device), [logits()])[logits()].cpu().numpy()
        labels[some] = answer.argmax(-1) if answer.shape[1] > 1 else answer[:, 0]
    return replace(rows, labels=labels)


def read_log(path: Path) -> Iterator[dict]:
    """Return the entries of a log of losses."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)
