"""Losses of every kind of task, by hand in NumPy, and the recipes that name them."""

import numpy as np
import pytest
import torch

from distill.losses import binary_cross_entropy, binary_kl_divergence, soft_binary_cross_entropy
from distill.prediction import predict
from distill.recipe import load_recipe, recipe_names
from distill.shape import ModelShape
from schemas.signal import answer_of
from schemas.task import Kind

STUDENT = np.array([[1.0, -2.0, 0.5], [0.0, 0.25, -1.0]])
TEACHER = np.array([[2.0, -1.0, 0.0], [0.5, 0.5, -3.0]])
SETS = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def yes_or_no(wanted: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Cross-entropy of a yes or no with a probability."""
    found = sigmoid(logits)
    return -(wanted * np.log(found) + (1 - wanted) * np.log(1 - found))


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(array, dtype=torch.float32) for array in arrays]


def test_labels_of_a_set():
    found = binary_cross_entropy(*tensors(STUDENT, SETS)).item()
    assert found == pytest.approx(yes_or_no(SETS, STUDENT).mean())
    assert found == pytest.approx(0.62443583)


@pytest.mark.parametrize(("temperature", "golden"), [(1.0, 0.59091863), (4.0, 0.68323151)])
def test_a_teachers_set(temperature, golden):
    wanted = sigmoid(TEACHER / temperature)
    expected = yes_or_no(wanted, STUDENT / temperature).mean()
    found = soft_binary_cross_entropy(temperature)(*tensors(STUDENT, TEACHER)).item()
    assert found == pytest.approx(expected)
    assert found == pytest.approx(golden)
    least = yes_or_no(wanted, TEACHER / temperature).mean()
    divergence = binary_kl_divergence(temperature)
    assert divergence(*tensors(STUDENT, TEACHER)).item() == pytest.approx(temperature**2 * (expected - least), rel=1e-4)
    assert divergence(*tensors(TEACHER, TEACHER)).item() == pytest.approx(0, abs=1e-6)


def test_a_yes_or_no_is_a_softmax_over_two():
    """The soft loss of one label is that of two classes whose logits differ by it, but for the mean over classes."""
    student, teacher = tensors(STUDENT[:, :1], TEACHER[:, :1])
    pairs = [torch.cat([torch.zeros_like(each), each], dim=1) for each in (student, teacher)]
    one = predict(Kind.MULTI_LABEL).soft(2.0)(student, teacher)
    two = predict(Kind.CLASSIFICATION).soft(2.0)(*pairs)
    torch.testing.assert_close(one, 2 * two)
    one = predict(Kind.MULTI_LABEL).divergence(2.0)(student, teacher)
    two = predict(Kind.CLASSIFICATION).divergence(2.0)(*pairs)
    torch.testing.assert_close(one, two)


def test_words_learn_by_the_losses_of_rows():
    words, rows = predict(Kind.TOKEN_CLASSIFICATION), predict(Kind.CLASSIFICATION)
    student, teacher = tensors(STUDENT, TEACHER)
    classes = torch.tensor([0, 2])
    softmax = np.exp(STUDENT) / np.exp(STUDENT).sum(1, keepdims=True)
    assert words.hard(student, classes).item() == pytest.approx(-np.log(softmax[[0, 1], [0, 2]]).mean())
    assert torch.equal(words.soft(2.0)(student, teacher), rows.soft(2.0)(student, teacher))


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "tinybert_general"])
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NONE])
def test_every_recipe_has_terms_for_every_kind(name, kind):
    shape = ModelShape(4, 32, 4, 100, 1 if kind is Kind.REGRESSION else 3, kind)
    recipe = load_recipe(name, shape, shape, {})
    last = recipe.stages[-1]
    assert last.signals == {answer_of(kind)}
    assert {column.signal for column in last.columns} <= {answer_of(kind)}
