"""Evaluation: a model's answers on labelled rows, the metric with its interval, and speed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Num

from distill.batch import Batch
from distill.decision import decided
from distill.encoder import Encoder
from distill.judge import Judge, judge_of
from distill.tokens import Tokenizer
from distill.training_rows import TrainingRows
from distill.words import NONE
from schemas.example import Example
from schemas.signal import answer_of
from schemas.task import Metric, Task

ROWS_PER_BATCH = 32
TIMED_BATCHES = 8
TIMED_ROUNDS = 3


@dataclass(frozen=True)
class HeldOut:
    """Labelled rows, tokenised, in batches of similar length, and who judges what is said of them."""

    rows: TrainingRows
    batches: tuple[Batch, ...]
    metric: Metric
    judge: Judge

    @classmethod
    def of(
        cls, examples: Sequence[Example], tokenizer: Tokenizer, task: Task, device: torch.device | str = "cpu"
    ) -> "HeldOut":
        """Tokenise rows; predictions for them are in the order of the examples."""
        rows = TrainingRows.of_examples(examples, tokenizer, task)
        by_length = np.argsort(rows.lengths, kind="stable")
        parts = [by_length[i : i + ROWS_PER_BATCH] for i in range(0, len(by_length), ROWS_PER_BATCH)]
        batches = tuple(rows.batch(part, device) for part in parts)
        return cls(rows, batches, task.metric, judge_of(task, rows))


@dataclass(frozen=True)
class Evaluation:
    """One model on the held-out rows; `predictions` are in the rows' order: see `predictions`."""

    metric: str
    value: float
    interval: tuple[float, float]
    predictions: np.ndarray


def predictions(encoder: Encoder, held_out: HeldOut) -> Num[np.ndarray, "units *classes"]:
    """Return what a model says of rows, or of words one row after another: see `decided`; `NONE` of words cut away."""
    rows, signal = held_out.rows, answer_of(encoder.kind)
    training = encoder.model.training
    encoder.model.eval()
    if rows.words is None:
        answers = np.empty((len(rows.ids), encoder.shape.classes), np.float32)
    else:
        answers = np.full((len(rows.words.labels), encoder.shape.classes), np.nan, np.float32)
    with torch.no_grad():
        for batch in held_out.batches:
            said = encoder.read(batch, [signal])[signal]
            if rows.words is None:
                answers[batch.rows] = said.cpu().numpy()
            else:
                answers[rows.words.numbers(batch.rows)] = batch.at_words(said).cpu().numpy()
    encoder.model.train(training)
    found = decided(encoder.kind, answers)
    return found if rows.words is None else np.where(rows.words.first_pieces == NONE, NONE, found)


def seconds_per_row(models: Sequence[tuple[Encoder, HeldOut]]) -> list[float]:
    """Return the seconds of computing a row takes each model, 32 rows at a time, tokenised as it reads them.

    All are timed in turn on the same few batches, several times over, and the fastest counts: what else the machine
    does, then or now, is nobody's advantage.
    """
    best = [float("inf")] * len(models)
    with torch.no_grad():
        for round in range(TIMED_ROUNDS + 1):
            for i, (encoder, held_out) in enumerate(models):
                some = held_out.batches[:: -(-len(held_out.batches) // TIMED_BATCHES)]
                start = time.perf_counter()
                for batch in some:
                    signal = answer_of(encoder.kind)
                    encoder.read(batch, [signal])[signal].cpu()
                # The first round only warms up.
                seconds = (time.perf_counter() - start) / sum(len(batch.rows) for batch in some)
                best[i] = min(best[i], seconds) if round else best[i]
    return best


def value(encoder: Encoder, held_out: HeldOut) -> float:
    """Return the task's metric alone."""
    return held_out.judge.score(predictions(encoder, held_out))


def evaluate(encoder: Encoder, held_out: HeldOut, seed: int) -> Evaluation:
    """Return the task's metric with a 95 % bootstrap interval over rows."""
    predicted = predictions(encoder, held_out)
    return Evaluation(
        metric=held_out.metric.value,
        value=held_out.judge.score(predicted),
        interval=held_out.judge.interval(predicted, seed=seed),
        predictions=predicted,
    )
