"""Evaluation: a model's answers on labelled rows, the metric with its interval, size, and speed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from distill.batch import Batch
from distill.encoder import Encoder
from distill.metrics import interval, score
from distill.tokens import Tokenizer
from schemas.example import Example
from schemas.signal import logits
from schemas.task import Kind, Task

ROWS_PER_BATCH = 32
TIMED_BATCHES = 8
TIMED_ROUNDS = 3


@dataclass(frozen=True)
class HeldOut:
    """Labelled rows, tokenised, in batches of similar length."""

    batches: tuple[Batch, ...]
    labels: np.ndarray

    @classmethod
    def of(cls, examples: Sequence[Example], tokenizer: Tokenizer, device: torch.device | str = "cpu") -> "HeldOut":
        """Tokenise rows; the order of `labels` is that of the examples."""
        encoded = tokenizer.encode([example.texts for example in examples])
        ids = [np.array(row, np.int64) for row in encoded.input_ids]
        segments = [np.array(row, np.int64) for row in encoded.token_type_ids]
        by_length = np.argsort([len(row) for row in ids], kind="stable")
        parts = [by_length[i : i + ROWS_PER_BATCH] for i in range(0, len(by_length), ROWS_PER_BATCH)]
        batches = tuple(
            Batch.of(
                rows, [ids[i] for i in rows], [segments[i] for i in rows], padding=tokenizer.padding, device=device
            )
            for rows in parts
        )
        return cls(batches, np.array([example.label for example in examples], np.float64))


@dataclass(frozen=True)
class Evaluation:
    """One model on the held-out rows; `predictions` are class indices or numbers, in the rows' order."""

    metric: str
    value: float
    interval: tuple[float, float]
    parameters: int
    bytes: int
    predictions: np.ndarray


def outputs(encoder: Encoder, held_out: HeldOut) -> Float[np.ndarray, "rows classes"]:
    """Return the model's logits in the rows' order."""
    model = encoder.model
    training = model.training
    model.eval()
    answers = np.empty((len(held_out.labels), encoder.shape.classes), np.float32)
    with torch.no_grad():
        for batch in held_out.batches:
            answers[batch.rows] = encoder.read(batch, [logits()])[logits()].cpu().numpy()
    model.train(training)
    return answers


def seconds_per_row(encoders: Sequence[Encoder], held_out: HeldOut) -> list[float]:
    """Return the seconds of computing a row takes each model, 32 rows at a time.

    All are timed in turn on the same few batches, several times over, and the fastest counts: what else the machine
    does, then or now, is nobody's advantage.
    """
    some = held_out.batches[:: -(-len(held_out.batches) // TIMED_BATCHES)]
    rows = sum(len(batch.rows) for batch in some)
    best = [float("inf")] * len(encoders)
    with torch.no_grad():
        for round in range(TIMED_ROUNDS + 1):
            for i, encoder in enumerate(encoders):
                start = time.perf_counter()
                for batch in some:
                    encoder.read(batch, [logits()])[logits()].cpu()
                # The first round only warms up.
                best[i] = min(best[i], time.perf_counter() - start) if round else best[i]
    return [seconds / rows for seconds in best]


def predictions(task: Task, answers: Float[np.ndarray, "rows classes"]) -> np.ndarray:
    """Turn logits into class indices, or into numbers for a regression."""
    return answers.argmax(-1) if task.kind is Kind.CLASSIFICATION else answers[:, 0]


def value(encoder: Encoder, task: Task, held_out: HeldOut) -> float:
    """Return the task's metric alone."""
    return score(task.metric, predictions(task, outputs(encoder, held_out)), held_out.labels)


def evaluate(encoder: Encoder, task: Task, held_out: HeldOut, seed: int) -> Evaluation:
    """Return the task's metric with a 95 % bootstrap interval over rows, and what the model costs."""
    predicted = predictions(task, outputs(encoder, held_out))
    parameters = list(encoder.model.parameters())
    return Evaluation(
        metric=task.metric.value,
        value=score(task.metric, predicted, held_out.labels),
        interval=interval(task.metric, predicted, held_out.labels, seed=seed),
        parameters=sum(p.numel() for p in parameters),
        bytes=sum(p.numel() * p.element_size() for p in parameters),
        predictions=predicted,
    )
