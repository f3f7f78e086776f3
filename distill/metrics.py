"""Metrics of the GLUE tasks, with bootstrap intervals over rows."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, assert_never

import numpy as np
from jaxtyping import Float, Int, Num
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from schemas.task import Metric

RESAMPLES = 1000
LEVEL = 0.95
NUMBERS_AT_ONCE = 4_000_000
"""Numbers that a bootstrap of correlations holds at a time."""

OfKinds = Callable[
    [Int[np.ndarray, " kinds"], Int[np.ndarray, " kinds"], Int[np.ndarray, "resamples kinds"]],
    Float[np.ndarray, " resamples"],
]
"""A metric of resamples: true classes, predicted ones, and how often a row of both was drawn."""


def score(metric: Metric, predictions: Num[np.ndarray, " rows"], labels: Num[np.ndarray, " rows"]) -> float:
    """Return a metric of class indices, or of numbers for a regression; `nan` where it is undefined.

    Undefined are: anything of no rows, Matthews' coefficient of one class, F1 without a positive row, a correlation
    with a constant or a number that is not finite.
    """
    if not len(labels):
        return float("nan")
    match metric:
        case Metric.PEARSON | Metric.SPEARMAN | Metric.PEARSON_SPEARMAN:
            return correlation(metric, predictions.astype(np.float64), labels.astype(np.float64))
        case Metric.ACCURACY:
            return float(accuracy_score(labels, predictions))
        case Metric.F1:
            positive = (labels == 1).any() or (predictions == 1).any()
            return float(f1_score(labels, predictions)) if positive else float("nan")
        case Metric.MATTHEWS:
            constant = np.ptp(labels) == 0 or np.ptp(predictions) == 0
            return float("nan") if constant else float(matthews_corrcoef(labels, predictions))
        case Metric.MICRO_F1 | Metric.MACRO_F1 | Metric.ENTITY_F1:
            raise not_of_rows(metric)
        case _:
            assert_never(metric)


def not_of_rows(metric: Metric) -> AssertionError:
    """Return the error for a metric of sets or entities, which are counted: see `distill/judge.py`."""
    return AssertionError(f"{metric} is not of one class or number a row")


def correlation(metric: Metric, predictions: Float[np.ndarray, " rows"], labels: Float[np.ndarray, " rows"]) -> float:
    """Return Pearson's, Spearman's or the mean of both correlations."""
    finite = bool(np.isfinite(predictions).all() and np.isfinite(labels).all())
    if len(labels) < 2 or not finite or np.ptp(predictions) == 0 or np.ptp(labels) == 0:
        return float("nan")
    with warnings.catch_warnings():
        # Nearly constant answers of a collapsed student are a result here, not a mistake.
        warnings.simplefilter("ignore")
        pearson: Any = stats.pearsonr(predictions, labels)[0]
        spearman: Any = stats.spearmanr(predictions, labels)[0]
    both = {Metric.PEARSON: pearson, Metric.SPEARMAN: spearman}
    return float(both.get(metric, (pearson + spearman) / 2))


def interval(
    metric: Metric,
    predictions: Num[np.ndarray, " rows"],
    labels: Num[np.ndarray, " rows"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval over rows; resamples in which the metric is undefined do not count."""
    return percentiles(resampled(metric, [predictions], labels, seed, resamples)[0], level)


def difference(
    metric: Metric,
    first: Num[np.ndarray, " rows"],
    second: Num[np.ndarray, " rows"],
    labels: Num[np.ndarray, " rows"],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[float, tuple[float, float]]:
    """Return by how much the first of two systems is better on the same rows, and the paired bootstrap interval."""
    scores = resampled(metric, [first, second], labels, seed, resamples)
    observed = score(metric, first, labels) - score(metric, second, labels)
    return observed, percentiles(scores[0] - scores[1], level)


def percentiles(scores: Float[np.ndarray, " resamples"], level: float) -> tuple[float, float]:
    """Return the bounds that hold the middle `level` of the numbers."""
    defined = scores[~np.isnan(scores)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resampled(
    metric: Metric,
    systems: Sequence[Num[np.ndarray, " rows"]],
    labels: Num[np.ndarray, " rows"],
    seed: int,
    resamples: int,
) -> Float[np.ndarray, "systems resamples"]:
    """Return the metric of each system on the same resamples of the rows."""
    random = np.random.default_rng(seed)
    if not len(labels):
        return np.full((len(systems), resamples), np.nan)
    match metric:
        case Metric.PEARSON | Metric.SPEARMAN | Metric.PEARSON_SPEARMAN:
            return resampled_correlations(metric, systems, labels, random, resamples)
        case Metric.ACCURACY:
            return resampled_classes(accuracies, systems, labels, random, resamples)
        case Metric.F1:
            return resampled_classes(f1_scores, systems, labels, random, resamples)
        case Metric.MATTHEWS:
            return resampled_classes(matthews_coefficients, systems, labels, random, resamples)
        case Metric.MICRO_F1 | Metric.MACRO_F1 | Metric.ENTITY_F1:
            raise not_of_rows(metric)
        case _:
            assert_never(metric)


def resampled_classes(
    scores: OfKinds,
    systems: Sequence[Num[np.ndarray, " rows"]],
    labels: Num[np.ndarray, " rows"],
    random: np.random.Generator,
    resamples: int,
) -> Float[np.ndarray, "systems resamples"]:
    """Resample rows by what they were taken for: drawing rows is drawing counts of the kinds of rows there are."""
    rows = np.stack([labels, *systems]).astype(np.int64)
    kinds, counts = np.unique(rows, axis=1, return_counts=True)
    drawn = random.multinomial(len(labels), counts / counts.sum(), size=resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([scores(kinds[0], predicted, drawn) for predicted in kinds[1:]])


def accuracies(
    true: Int[np.ndarray, " kinds"], predicted: Int[np.ndarray, " kinds"], drawn: Int[np.ndarray, "resamples kinds"]
) -> Float[np.ndarray, " resamples"]:
    """Return the accuracy of every resample."""
    return drawn @ (true == predicted) / drawn.sum(1)


def f1_scores(
    true: Int[np.ndarray, " kinds"], predicted: Int[np.ndarray, " kinds"], drawn: Int[np.ndarray, "resamples kinds"]
) -> Float[np.ndarray, " resamples"]:
    """Return the F1 score of label 1 of every resample, `nan` where nothing is or was taken for it."""
    return 2 * (drawn @ ((true == 1) & (predicted == 1))) / (drawn @ (true == 1) + drawn @ (predicted == 1))


def matthews_coefficients(
    true: Int[np.ndarray, " kinds"], predicted: Int[np.ndarray, " kinds"], drawn: Int[np.ndarray, "resamples kinds"]
) -> Float[np.ndarray, " resamples"]:
    """Return the Matthews correlation of every resample for any number of classes, `nan` where it is undefined.

    Gorodkin, 2004: two K-category assignments.
    """
    classes = np.union1d(true, predicted)
    is_true = drawn @ (true[:, None] == classes).astype(np.float64)
    is_predicted = drawn @ (predicted[:, None] == classes).astype(np.float64)
    rows = drawn.sum(1).astype(np.float64)
    covariance = (drawn @ (true == predicted)) * rows - (is_true * is_predicted).sum(1)
    spreads = (rows**2 - (is_true**2).sum(1)) * (rows**2 - (is_predicted**2).sum(1))
    return covariance / np.sqrt(spreads)


def resampled_correlations(
    metric: Metric,
    systems: Sequence[Num[np.ndarray, " rows"]],
    labels: Num[np.ndarray, " rows"],
    random: np.random.Generator,
    resamples: int,
) -> Float[np.ndarray, "systems resamples"]:
    """Resample rows themselves, a part of the resamples at a time; ranks are those inside each resample."""
    at_once = max(1, NUMBERS_AT_ONCE // len(labels))
    parts = []
    for start in range(0, resamples, at_once):
        drawn = random.integers(len(labels), size=(min(at_once, resamples - start), len(labels)))
        parts.append(np.stack([correlations(metric, system[drawn], labels[drawn]) for system in systems]))
    return np.concatenate(parts, axis=1)


def correlations(
    metric: Metric, first: Num[np.ndarray, "resamples rows"], second: Num[np.ndarray, "resamples rows"]
) -> Float[np.ndarray, " resamples"]:
    """Return the correlation of every resample, `nan` where it is undefined."""
    if metric is Metric.PEARSON:
        return products(first, second)
    ranked = products(stats.rankdata(first, axis=1), stats.rankdata(second, axis=1))
    return ranked if metric is Metric.SPEARMAN else (ranked + products(first, second)) / 2


def products(
    first: Num[np.ndarray, "resamples rows"], second: Num[np.ndarray, "resamples rows"]
) -> Float[np.ndarray, " resamples"]:
    """Return Pearson's product-moment correlation row by row."""
    constant = (np.ptp(first, axis=1) == 0) | (np.ptp(second, axis=1) == 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        first = first - first.mean(1, keepdims=True)
        second = second - second.mean(1, keepdims=True)
        spread = np.sqrt((first**2).sum(1) * (second**2).sum(1))
        return np.where(constant, np.nan, (first * second).sum(1) / spread)
