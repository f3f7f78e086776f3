"""Judges: labels of held-out rows, and how predictions for them are scored, alone and against each other."""

from dataclasses import dataclass
from typing import Protocol, assert_never, runtime_checkable

import numpy as np
from jaxtyping import Float, Num

from distill.counted import Counted
from distill.entities import entity_counts, word_counts
from distill.label_sets import class_counts, exact_counts, mean_ratio, pooled_counts
from distill.metrics import difference, interval, score
from distill.training_rows import TrainingRows
from schemas.task import NO_ANSWERS, Kind, Metric, Task

Bounds = tuple[float, float]
Predictions = Num[np.ndarray, "..."]


@runtime_checkable
class Judge(Protocol):
    """Knows the labels of some rows and the metric; intervals are 95 % bootstrap intervals over rows."""

    def score(self, predictions: Predictions) -> float:
        """Return the metric, `nan` where it is undefined."""
        ...

    def interval(self, predictions: Predictions, *, seed: int) -> Bounds:
        """Return the interval of the metric."""
        ...

    def difference(self, first: Predictions, second: Predictions, *, seed: int) -> tuple[float, Bounds]:
        """Return by how much the first of two systems is better on the same rows, and the paired interval."""
        ...


@dataclass(frozen=True)
class OfRows:
    """Judges one class or one number a row."""

    metric: Metric
    labels: Float[np.ndarray, " rows"]

    def score(self, predictions: Predictions) -> float:
        """Return the metric, `nan` where it is undefined."""
        return score(self.metric, predictions, self.labels)

    def interval(self, predictions: Predictions, *, seed: int) -> Bounds:
        """Return the interval of the metric."""
        return interval(self.metric, predictions, self.labels, seed=seed)

    def difference(self, first: Predictions, second: Predictions, *, seed: int) -> tuple[float, Bounds]:
        """Return by how much the first of two systems is better on the same rows, and the paired interval."""
        return difference(self.metric, first, second, self.labels, seed=seed)


def judge_of(task: Task, rows: TrainingRows) -> Judge:
    """Return the judge of a task over labelled rows."""
    match task.kind:
        case Kind.CLASSIFICATION | Kind.REGRESSION:
            return OfRows(task.metric, rows.labels)
        case Kind.MULTI_LABEL:
            return judge_of_sets(task.metric, rows.labels)
        case Kind.TOKEN_CLASSIFICATION:
            return judge_of_words(task, rows)
        case Kind.NONE:
            raise NO_ANSWERS
        case _:
            assert_never(task.kind)


def judge_of_sets(metric: Metric, labels: Float[np.ndarray, "rows classes"]) -> Judge:
    """Return the judge of sets of labels, 1 for every label that a row has."""
    match metric:
        case Metric.MICRO_F1:
            return Counted(pooled_counts(labels))
        case Metric.MACRO_F1:
            return Counted(class_counts(labels), mean_ratio)
        case Metric.ACCURACY:
            return Counted(exact_counts(labels))
        case _:
            raise AssertionError(f"a task does not agree to judge sets of labels by {metric}")


def judge_of_words(task: Task, rows: TrainingRows) -> Judge:
    """Return the judge of classes of words."""
    assert rows.words is not None
    match task.metric:
        case Metric.ENTITY_F1:
            return Counted(entity_counts(rows.words, task.labels))
        case Metric.ACCURACY:
            return Counted(word_counts(rows.words))
        case _:
            raise AssertionError(f"a task does not agree to judge words by {task.metric}")
