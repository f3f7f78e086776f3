"""Evaluation: a model's answers on labelled rows, the metric with its interval, size and speed."""

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
    seconds_per_row: float
    predictions: np.ndarray


def outputs(encoder: Encoder, held_out: HeldOut) -> tuple[Float[np.ndarray, "rows classes"], float]:
    """Return the model's logits in the rows' order and the seconds of computing a row took, 32 rows at a time."""
    model = encoder.model
    training = model.training
    model.eval()
    answers = np.empty((len(held_out.labels), encoder.shape.classes), np.float32)
    seconds = 0.0
    with torch.no_grad():
        encoder.read(held_out.batches[0], [logits()])
        for batch in held_out.batches:
            start = time.perf_counter()
            answers[batch.rows] = encoder.read(batch, [logits()])[logits()].cpu().numpy()
            seconds += time.perf_counter() - start
    model.train(training)
    return answers, seconds / len(answers)


def predictions(task: Task, answers: Float[np.ndarray, "rows classes"]) -> np.ndarray:
    """Turn logits into class indices, or into numbers for a regression."""
    return answers.argmax(-1) if task.kind is Kind.CLASSIFICATION else answers[:, 0]


def value(encoder: Encoder, task: Task, held_out: HeldOut) -> float:
    """Return the task's metric alone."""
    return score(task.metric, predictions(task, outputs(encoder, held_out)[0]), held_out.labels)


def evaluate(encoder: Encoder, task: Task, held_out: HeldOut, seed: int) -> Evaluation:
    """Return the task's metric with a 95 % bootstrap interval over rows, and what the model costs."""
    answers, seconds = outputs(encoder, held_out)
    predicted = predictions(task, answers)
    parameters = list(encoder.model.parameters())
    return Evaluation(
        metric=task.metric.value,
        value=score(task.metric, predicted, held_out.labels),
        interval=interval(task.metric, predicted, held_out.labels, seed=seed),
        parameters=sum(p.numel() for p in parameters),
        bytes=sum(p.numel() * p.element_size() for p in parameters),
        seconds_per_row=seconds,
        predictions=predicted,
    )
