import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.task import Kind, Metric, Task, metrics_of

NAMES = ("negative", "neutral", "positive")


def classification(labels: tuple[str, ...] = NAMES) -> Task:
    return Task(texts=("text",), label="label", labels=labels)


def regression() -> Task:
    return Task(kind=Kind.REGRESSION, texts=("text",), label="score")


@pytest.mark.parametrize(
    ("field", "label"),
    [("positive", 2), ("0", 0), (2, 2), (None, None), ("", None), ("negative", 0)],
)
def test_names_and_indices_are_labels(field, label):
    assert classification().read_label(field) == label


@pytest.mark.parametrize(
    "field",
    [
        "pos",
        "Positive",
        " positive",
        "3",
        "-1",
        "01",
        "1.0",
        1.0,
        3,
        -1,
        True,
        math.nan,
        "²",
        "１",
        "9" * 100,
        [1],
        {"a": 1},
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(field):
    with pytest.raises(ValueError, match="one of negative, neutral, positive, or its index 0 to 2"):
        classification().read_label(field)


def test_a_name_comes_before_an_index():
    assert classification(("1", "2", "3")).read_label("1") == 0
    assert classification(("1", "2", "3")).read_label(3) == 2
    assert classification(("1", "2", "3")).read_label("0") == 0


def test_true_and_false_are_names():
    assert classification(("false", "true")).read_label(True) == 1


@given(st.integers(0, 2))
def test_a_name_and_its_index_are_the_same_label(index):
    task = classification()
    assert task.read_label(NAMES[index]) == task.read_label(index) == task.read_label(str(index)) == index


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_it_was_written(number):
    task = regression()
    assert task.read_label(number) == task.read_label(repr(number)) == number


@pytest.mark.parametrize("field", ["a", math.nan, "nan", "inf", -math.inf, 10**400, "1e999", [1.0], {}, True])
def test_what_is_no_finite_number_is_refused(field):
    with pytest.raises(ValueError, match=r"^a (finite )?number$"):
        regression().read_label(field)


def test_no_field_of_any_length_is_anything_but_a_value_error():
    for field in ("9" * 5000, 10**4000):
        with pytest.raises(ValueError, match="one of"):
            classification().read_label(field)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": ()}, "at least two"),
        ({"labels": ("one",)}, "at least two"),
        ({"labels": ("one", "one")}, "twice"),
        ({"labels": NAMES, "metric": "pearson"}, "for a regression"),
        ({"labels": NAMES, "metric": "f1"}, "two labels"),
        ({"kind": "regression", "labels": NAMES}, "no `labels`"),
        ({"kind": "regression", "metric": "accuracy"}, "for a classification"),
        ({"labels": NAMES, "texts": ()}, "at least 1"),
        ({"labels": NAMES, "texts": ("a", "b", "c")}, "at most 2"),
        ({"labels": NAMES, "lables": ()}, "not permitted"),
        ({"labels": NAMES, "metric": "micro_f1"}, "for a multi_label; here: accuracy, f1, matthews"),
        ({"kind": "multi_label"}, "needs `labels`"),
        ({"kind": "multi_label", "labels": ("a|b", "c")}, "no `|`"),
        ({"kind": "multi_label", "labels": NAMES, "metric": "f1"}, "for a classification"),
        ({"kind": "token_classification", "labels": ("O",)}, "all tags"),
        ({"kind": "token_classification", "labels": ("NOUN", "VERB")}, "metric: accuracy"),
        ({"kind": "token_classification", "labels": ("O", "B-x"), "texts": ("a", "b")}, "one column"),
        ({"kind": "sequence", "labels": NAMES}, "kind"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Task.model_validate({"texts": ("text",), **settings})


def test_a_task_says_how_wide_the_models_answer_is():
    assert classification().outputs == 3
    assert classification().metric is Metric.ACCURACY
    assert classification().model_labels()["id2label"] == dict(enumerate(NAMES))
    assert regression().outputs == 1
    assert regression().metric is Metric.PEARSON_SPEARMAN
    assert regression().model_labels()["num_labels"] == 1


def topics() -> Task:
    return Task(kind=Kind.MULTI_LABEL, texts=("text",), label="topics", labels=NAMES)


@pytest.mark.parametrize(
    ("field", "label"),
    [
        (["positive", "negative"], (0, 2)),
        (["negative", "positive"], (0, 2)),
        ([2, "0"], (0, 2)),
        ("positive|negative", (0, 2)),
        ("neutral", (1,)),
        ("1|2", (1, 2)),
        ([], ()),
        ("|", ()),
        ("", None),
        (None, None),
    ],
)
def test_sets_of_labels_have_no_order(field, label):
    assert topics().read_label(field) == label


@pytest.mark.parametrize("field", [["pos"], "negative,positive", "neutral|", "||", ["neutral", 1], {"a": 1}, [[0]], 7])
def test_what_is_no_set_of_labels_is_refused(field):
    with pytest.raises(ValueError, match=r"names from negative, neutral, positive, each once: a list, or with `\|`"):
        topics().read_label(field)


@given(st.sets(st.integers(0, 2)).flatmap(lambda chosen: st.permutations(sorted(chosen))))
def test_a_set_of_labels_reads_the_same_as_list_and_as_text(order):
    names = [NAMES[index] for index in order]
    expected = tuple(sorted(order))
    assert topics().read_label(names) == topics().read_label("|".join(names) or "|") == expected


def test_tags_keep_their_order():
    task = Task(kind=Kind.TOKEN_CLASSIFICATION, texts=("tokens",), label="tags", labels=("O", "B-x", "I-x"))
    assert task.read_label(["B-x", "I-x", "O", "O"]) == (1, 2, 0, 0)
    assert task.read_label(None) is None
    for field in ("O", ["o"], ["O", 3]):
        with pytest.raises(ValueError, match="one of O, B-x, I-x"):
            task.read_label(field)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NONE])
def test_every_kind_has_a_default_metric_and_a_type_of_label(kind):
    labels = () if kind is Kind.REGRESSION else ("O", "B-x")
    task = Task(kind=kind, texts=("text",), labels=labels)
    assert task.metric is metrics_of(kind)[0]
    assert isinstance(task.label_type, pa.DataType)
    multi_label = "multi_label_classification" if kind is Kind.MULTI_LABEL else None
    assert task.model_labels()["problem_type"] == multi_label
