"""Training: one loop for every recipe, over a cached or a live teacher, that goes on where it was stopped."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from distill.decision import decided
from distill.encoder import Encoder
from distill.loss_log import LossLog, Step
from distill.objective import Objective
from distill.order import Order
from distill.recipe import Recipe, Stage
from distill.shape import ModelShape
from distill.teacher import Teacher, ask
from distill.training_rows import TrainingRows
from distill.training_state import Position, TrainingState, Weights, part, restore_optimizer
from schemas.configuration import Training
from schemas.digest import identity
from schemas.signal import answer_of

FLUSH_EVERY = 50
"""Steps between two looks at the losses, so that the device is not asked to wait at every step."""

TRAINER_SETTINGS = {"batch", "learning_rate", "precision", "clip", "weight_decay", "evaluate_every"}
"""Settings of `train` that the loop itself reads and a result depends on."""

ProgressOf = Callable[[str], Callable[[int, int, str], None]]
"""Gives the progress of a training run by its name: a function of steps done, steps in all and stage."""


@dataclass
class Trainer:
    """What a training run is made of.

    `shapes` and `teachers` are those of teachers by name; `chosen` are the numbers of the rows to train on; `steps` has
    one number per stage; `evaluate` gives the metric on the dev rows, larger being better; `input` is the digest of
    everything the result depends on. The `state` on disk is the caller's to clear, once the result is safe.
    """

    student: Encoder
    recipe: Recipe
    shapes: Mapping[str, ModelShape]
    teachers: Mapping[str, Teacher]
    rows: TrainingRows
    chosen: np.ndarray
    steps: tuple[int, ...]
    settings: Training
    seed: int
    folder: Path
    input: str
    evaluate: Callable[[Encoder], float] | None = None
    progress: Callable[[int, int, str], None] = lambda done, total, note: None

    def __post_init__(self) -> None:
        precision = "bf16" if self.settings.precision == "bf16" else "no"
        self.accelerator = Accelerator(mixed_precision=precision)
        # Projections are drawn at random, so the seed comes before them.
        torch.manual_seed(self.seed)
        self.objective = Objective(self.student, self.recipe, self.shapes)
        counts, lengths = self.rows.counts[self.chosen], self.rows.lengths[self.chosen]
        self.order = Order(self.chosen, counts, lengths, batch=self.settings.batch, seed=self.seed)
        self.state = TrainingState(self.folder / "state")
        self.log = LossLog(self.folder / "losses.jsonl")
        self.at = Position(input=self.input, stage=0, step=0)
        self.best: Weights | None = None

    def run(self) -> Position:
        """Train all stages and leave the best weights in the student; return where the best was found."""
        resumed = self.state.load(self.input)
        weights: Weights = {}
        if resumed:
            self.at, weights = resumed
            self.objective.load_state_dict(part(weights, "module"))
            self.best = part(weights, "best") or None
        self.log.cut(self.at)
        for index, stage in enumerate(self.recipe.stages):
            if index >= self.at.stage:
                self.run_stage(index, stage, weights)
                weights = {}
        if self.best is not None:
            self.student.model.load_state_dict(self.best)
        return self.at

    def run_stage(self, index: int, stage: Stage, weights: Weights) -> None:
        """Train one stage from the step it is at; each stage has an optimizer of its own."""
        optimizer = torch.optim.AdamW(parameter_groups(self.objective, self.settings.weight_decay), lr=0.0)
        objective, optimizer = self.accelerator.prepare(self.objective, optimizer)
        if weights:
            restore_optimizer(optimizer.optimizer, weights)
        first = self.at.step if index == self.at.stage else 0
        total = self.steps[index]
        for step in range(first, total):
            # Dropout, too, is a function of where we are, so that a resumed run draws the same.
            torch.manual_seed(identity(self.seed, index, step) >> 1)
            rate = learning_rate(stage, step, total)
            for group in optimizer.param_groups:
                group["lr"] = rate
            batch = self.rows.batch(self.order.at(step), self.accelerator.device)
            answers = ask(self.teachers, batch, stage.columns)
            labels = self.rows.targets(batch) if stage.wants_labels else None
            objective.train()
            with self.accelerator.autocast():
                loss, parts = objective(stage, batch, answers, labels)
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(objective.parameters(), self.settings.clip)
            optimizer.step()
            optimizer.zero_grad()
            self.at = self.at.model_copy(update={"stage": index, "step": step + 1})
            self.log.add(Step(self.at, self.rows.ids[batch.rows], rate, loss.detach(), dict(parts)))
            self.after_step(index, stage, total, optimizer.optimizer)
        self.at = self.at.model_copy(update={"stage": index + 1, "step": 0})

    def after_step(self, index: int, stage: Stage, total: int, optimizer: torch.optim.Optimizer) -> None:
        """Log, evaluate and save where it is time."""
        step = self.at.step
        done = sum(self.steps[:index]) + step
        learns_answers = any(signal.is_answer for signal in stage.signals)
        evaluates = learns_answers and self.evaluate and (step % self.settings.evaluate_every == 0 or step == total)
        saves = step % self.settings.checkpoint_every == 0 or step == total
        if evaluates or saves or step % FLUSH_EVERY == 0:
            self.log.flush()
        if evaluates:
            self.keep_best(done)
        if saves:
            self.state.save(self.at, self.objective, optimizer, self.best)
        self.progress(done, sum(self.steps), stage.name)

    def keep_best(self, done: int) -> None:
        """Evaluate on the dev rows and remember the best weights so far; the first of equals wins."""
        assert self.evaluate is not None
        value = self.evaluate(self.student)
        self.log.evaluated(self.at, value)
        best = self.at.best
        if best is None or value > best:
            update = {"best": None if math.isnan(value) else value, "best_step": done}
            self.at = self.at.model_copy(update=update)
            weights = self.student.model.state_dict()
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


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
    """Give rows without a label the teacher's, and words without a class, where it has said something."""
    signal = answer_of(rows.kind)
    missing = np.flatnonzero(~rows.is_labelled & teacher.kept([signal], len(rows.ids)))
    labels, words = rows.labels.copy(), None if rows.words is None else rows.words.copy()
    for start in range(0, len(missing), batch):
        some = rows.batch(missing[start : start + batch], device)
        answer = teacher.answer(some, [signal])[signal]
        if words is None:
            labels[some.rows] = decided(rows.kind, answer.cpu().numpy())
        else:
            words.labels[words.numbers(some.rows)] = decided(rows.kind, some.at_words(answer).cpu().numpy())
    return replace(rows, labels=labels, words=words)
