"""Metrics of the GLUE tasks, with intervals by bootstrap over rows."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy import stats
from sklearn import metrics as sklearn_metrics

from schemas.task import Metric

Values = Float[np.ndarray, " rows"]


def f1(predictions: Values, labels: Values) -> float:
    """F1 of the second label."""
    return float(sklearn_metrics.f1_score(labels, predictions, pos_label=1, zero_division=np.nan))


def pearson_spearman(predictions: Values, labels: Values) -> float:
    """Mean of both correlations, as GLUE reports STS-B."""
    return (pearson(predictions, labels) + spearman(predictions, labels)) / 2


def pearson(predictions: Values, labels: Values) -> float:
    """Pearson's correlation."""
    return float(stats.pearsonr(predictions, labels).statistic)


def spearman(predictions: Values, labels: Values) -> float:
    """Spearman's correlation."""
    return float(stats.spearmanr(predictions, labels).statistic)


SCORES: dict[Metric, Callable[[Values, Values], float]] = {
    Metric.ACCURACY: lambda predictions, labels: float(sklearn_metrics.accuracy_score(labels, predictions)),
    Metric.F1: f1,
    Metric.MATTHEWS: lambda predictions, labels: float(sklearn_metrics.matthews_corrcoef(labels, predictions)),
    Metric.PEARSON: pearson,
    Metric.SPEARMAN: spearman,
    Metric.PEARSON_SPEARMAN: pearson_spearman,
}


def score(metric: Metric, predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return a metric; nan where it is undefined, as a correlation with constant answers is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SCORES[metric](predictions, labels)


def interval(
    metric: Metric, predictions: np.ndarray, labels: np.ndarray, *, seed: int, resamples: int = 1000, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile interval of a metric over resampled rows."""
    draws = np.random.Generator(np.random.Philox(seed)).integers(0, len(labels), (resamples, len(labels)))
    values = [score(metric, predictions[rows], labels[rows]) for rows in draws]
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
