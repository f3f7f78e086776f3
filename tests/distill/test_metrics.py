import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from distill.metrics import difference, interval, resampled, score
from schemas.task import REGRESSION_METRICS, Metric

CLASSES = (Metric.ACCURACY, Metric.F1, Metric.MATTHEWS)
OF_ROWS = (*CLASSES, *REGRESSION_METRICS)


def rows(seed: int, count: int, agreement: float = 0.8, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=count)
    predictions = np.where(random.random(count) < agreement, labels, random.integers(classes, size=count))
    return predictions, labels.astype(np.float64)


def numbers(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 20, size=count) / 4
    return (labels + random.normal(size=count)).astype(np.float32), labels


def test_metrics_are_those_of_the_libraries():
    predictions, labels = rows(0, 500)
    assert score(Metric.ACCURACY, predictions, labels) == accuracy_score(labels, predictions)
    assert score(Metric.F1, predictions, labels) == f1_score(labels, predictions)
    assert score(Metric.MATTHEWS, predictions, labels) == matthews_corrcoef(labels, predictions)
    predictions, labels = numbers(0, 500)
    pearson = stats.pearsonr(predictions.astype(float), labels).statistic
    spearman = stats.spearmanr(predictions, labels).statistic
    assert score(Metric.PEARSON, predictions, labels) == pearson
    assert score(Metric.SPEARMAN, predictions, labels) == spearman
    assert score(Metric.PEARSON_SPEARMAN, predictions, labels) == (pearson + spearman) / 2


@pytest.mark.parametrize("metric", OF_ROWS)
def test_what_is_undefined_is_nan_and_no_warning(metric):
    predictions = np.zeros(10, np.int64 if metric in CLASSES else np.float32)
    undefined = predictions.astype(np.float64)
    if metric is not Metric.ACCURACY:
        assert math.isnan(score(metric, predictions, undefined))
        assert all(map(math.isnan, interval(metric, predictions, undefined, seed=0)))
    assert math.isnan(score(metric, predictions[:0], undefined[:0]))
    assert all(map(math.isnan, interval(metric, predictions[:0], undefined[:0], seed=0)))


def test_accuracy_of_one_class_is_defined():
    assert score(Metric.ACCURACY, np.zeros(4, np.int64), np.zeros(4)) == 1.0


@pytest.mark.parametrize("metric", REGRESSION_METRICS)
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_correlation_with_a_number_that_is_not_finite_is_nan(metric, odd):
    assert math.isnan(score(metric, np.array([1.0, 2.0, odd]), np.array([1.0, 2.0, 3.0])))


def test_nearly_constant_answers_are_a_result_and_no_warning():
    one_apart = (np.arange(50) == 0).astype(np.float64)
    expected = score(Metric.PEARSON_SPEARMAN, one_apart, np.arange(50.0))
    found = score(Metric.PEARSON_SPEARMAN, 1 + 1e-15 * one_apart, np.arange(50.0))
    # Rounding of the mean costs Pearson's some of its digits.
    assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("metric", OF_ROWS)
def test_the_interval_holds_the_value_and_depends_on_the_seed_alone(metric):
    predictions, labels = (rows if metric in CLASSES else numbers)(1, 400)
    low, high = interval(metric, predictions, labels, seed=5)
    assert low < score(metric, predictions, labels) < high
    assert (low, high) == interval(metric, predictions, labels, seed=5)
    assert (low, high) != interval(metric, predictions, labels, seed=6)
    narrow = interval(metric, predictions, labels, seed=5, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_the_interval_of_an_accuracy_is_that_of_a_binomial():
    predictions, labels = rows(2, 1000)
    low, high = interval(Metric.ACCURACY, predictions, labels, seed=0, resamples=20_000)
    share = score(Metric.ACCURACY, predictions, labels)
    expected = stats.binom(1000, share).ppf([0.025, 0.975]) / 1000
    np.testing.assert_allclose([low, high], expected, atol=2e-3)


@pytest.mark.parametrize("metric", OF_ROWS)
def test_resamples_are_scored_as_the_libraries_score_them(metric):
    """A resample of distinct rows in other multiplicity: score its rows one by one."""
    predictions, labels = (rows if metric in CLASSES else numbers)(3, 30)
    mean = resampled(metric, [predictions], labels, 0, 1000)[0]
    random = np.random.default_rng(1)
    drawn = [random.integers(30, size=30) for _ in range(1000)]
    slow = np.array([score(metric, predictions[each], labels[each]) for each in drawn])
    error = np.nanstd(slow) / np.sqrt(1000)
    assert abs(np.nanmean(mean) - np.nanmean(slow)) < 8 * error
    assert abs(np.nanstd(mean) / np.nanstd(slow) - 1) < 0.15


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
@settings(max_examples=60)
def test_matthews_of_counts_is_that_of_rows(pairs):
    from distill.metrics import matthews_coefficients

    true, predicted = np.array(pairs, np.int64).T
    kinds, counts = np.unique(np.stack([true, predicted]), axis=1, return_counts=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = matthews_coefficients(kinds[0], kinds[1], counts[None])[0]
    expected = score(Metric.MATTHEWS, predicted, true)
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("metric", "seconds"), [(m, 1.0 if m in CLASSES else 5.0) for m in OF_ROWS])
def test_intervals_are_fast(metric, seconds):
    predictions, labels = (rows if metric in CLASSES else numbers)(4, 2000)
    start = time.process_time()
    interval(metric, predictions, labels, seed=0)
    assert time.process_time() - start < seconds


@pytest.mark.parametrize("metric", OF_ROWS)
def test_a_paired_difference_is_surer_than_two_intervals(metric):
    good, labels = (rows if metric in CLASSES else numbers)(7, 1000)
    better = good.copy()
    better[:60] = labels[:60]
    observed, (low, high) = difference(metric, better, good, labels, seed=0)
    assert observed == score(metric, better, labels) - score(metric, good, labels)
    assert 0 < low < observed < high
    one, two = (interval(metric, each, labels, seed=0) for each in (better, good))
    assert high - low < (one[1] - one[0]) + (two[1] - two[0])
    assert difference(metric, good, good, labels, seed=0) == (0.0, (0.0, 0.0))


def test_one_hundred_and_fifty_classes():
    predictions, labels = rows(8, 4500, classes=150)
    for metric in (Metric.ACCURACY, Metric.MATTHEWS):
        low, high = interval(metric, predictions, labels, seed=0)
        assert low < score(metric, predictions, labels) < high
