import numpy as np
import pytest

from distill.chance import Chance


class Right:
    """A judge that counts right answers."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels

    def score(self, predictions):
        return float((predictions == self.labels).mean())

    def interval(self, predictions, *, seed):
        raise NotImplementedError

    def difference(self, first, second, *, seed):
        raise NotImplementedError


def chance(said: np.ndarray, labels: np.ndarray) -> Chance:
    return Chance.of(said, Right(labels), 0)


@pytest.mark.parametrize("right", [0.7, 0.9, 1.0])
def test_a_teacher_that_knows_its_task_passes(right):
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 60)
    said = np.where(generator.random(60) < right, labels, 1 - labels)
    assert not chance(said, labels).is_all


def test_one_that_knows_a_rare_class_passes():
    """Though it is right less often than one that never says it."""
    labels = np.array([1] * 5 + [0] * 95)
    said = np.array([1] * 5 + [1] * 8 + [0] * 87)
    found = chance(said, labels)
    assert found.value < 0.95
    assert not found.is_all


@pytest.mark.parametrize("said", [np.zeros(60, int), np.arange(60) % 2, 1 - np.arange(60) // 30])
def test_one_that_knows_nothing_does_not(said):
    labels = np.arange(60) // 30
    assert chance(said, labels).is_all


def test_of_a_handful_of_rows_nothing_is_said():
    labels = np.array([0, 1, 0])
    assert not chance(1 - labels, labels).is_all
