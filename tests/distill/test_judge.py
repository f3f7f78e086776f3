import time

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from distill.judge import Judge, judge_of, judge_of_sets
from distill.training_rows import TrainingRows
from distill.words import NONE, Words
from schemas.task import Kind, Metric, Task, metrics_of

NAMES = ("O", "B-a", "I-a", "B-b", "I-b")


def sets(seed: int, rows: int = 300, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = (random.random((rows, classes)) < np.linspace(0.05, 0.6, classes)).astype(np.float64)
    found = np.where(random.random(labels.shape) < 0.8, labels, 1 - labels).astype(np.int8)
    return found, labels


def sentences(seed: int, rows: int = 200) -> tuple[np.ndarray, Words]:
    random = np.random.default_rng(seed)
    counts = random.integers(1, 12, rows)
    labels = [random.choice(5, count, p=[0.6, 0.15, 0.1, 0.1, 0.05]).tolist() for count in counts]
    words = Words.of([[0] * count for count in counts], labels)
    found = np.where(random.random(len(words.labels)) < 0.85, words.labels, random.integers(0, 5, len(words.labels)))
    return found, words


def judge_of_words(words: Words, metric: Metric = Metric.ENTITY_F1) -> Judge:
    task = Task(kind=Kind.TOKEN_CLASSIFICATION, texts=("tokens",), labels=NAMES, metric=metric)
    empty = np.empty(0)
    rows = TrainingRows(task.kind, empty, empty, empty, empty, empty, empty, empty, 0, words)
    return judge_of(task, rows)


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_sets_are_those_of_scikit_learn(seed):
    found, labels = sets(seed)
    assert judge_of_sets(Metric.MICRO_F1, labels).score(found) == pytest.approx(
        f1_score(labels, found, average="micro")
    )
    assert judge_of_sets(Metric.MACRO_F1, labels).score(found) == pytest.approx(
        f1_score(labels, found, average="macro")
    )
    assert judge_of_sets(Metric.ACCURACY, labels).score(found) == pytest.approx(accuracy_score(labels, found))


def test_a_label_that_nobody_has_is_left_out_of_the_mean():
    found, labels = sets(0)
    found[:, 1] = labels[:, 1] = 0
    expected = f1_score(labels[:, [0, 2, 3, 4]], found[:, [0, 2, 3, 4]], average="macro")
    assert judge_of_sets(Metric.MACRO_F1, labels).score(found) == pytest.approx(expected)
    for metric in (Metric.MICRO_F1, Metric.MACRO_F1):
        nothing = judge_of_sets(metric, np.zeros((4, 3)))
        assert np.isnan(nothing.score(np.zeros((4, 3), np.int8)))
        assert np.isnan(nothing.interval(np.zeros((4, 3), np.int8), seed=0)).all()


def plain_entities(tags: list[str]) -> set[tuple[int, int, str]]:
    """A second way to say what an entity is: mark beginnings, then read on."""
    begins = [
        tag != "O" and (tag[0] == "B" or at == 0 or tags[at - 1] == "O" or tags[at - 1][2:] != tag[2:])
        for at, tag in enumerate(tags)
    ]
    found = set()
    for start in np.flatnonzero(begins).tolist():
        end = start + 1
        while end < len(tags) and tags[end] != "O" and not begins[end]:
            end += 1
        found.add((start, end, tags[start][2:]))
    return found


def plain_f1(found: np.ndarray, words: Words) -> float:
    names = [*NAMES, "O"]
    hits = true = spoken = 0
    for start, end in zip(words.ends[:-1].tolist(), words.ends[1:].tolist(), strict=True):
        gold = plain_entities([names[i] for i in words.labels[start:end]])
        said = plain_entities([names[i] for i in found[start:end]])
        hits, true, spoken = hits + len(gold & said), true + len(gold), spoken + len(said)
    precision, recall = hits / spoken, hits / true
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("seed", range(5))
def test_entity_scores_are_those_of_a_plain_count(seed):
    found, words = sentences(seed)
    found[::17] = NONE
    assert judge_of_words(words).score(found) == pytest.approx(plain_f1(found, words))
    expected = accuracy_score(words.labels, found)
    assert judge_of_words(words, Metric.ACCURACY).score(found) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("true", "found", "expected"),
    [
        ("B-a I-a O", "B-a I-a O", 1.0),
        ("B-a I-a O", "I-a I-a O", 1.0),  # As the shared task's script: I begins an entity.
        ("B-a I-a O", "B-a O O", 0.0),  # A part of an entity is no entity.
        ("B-a I-a O", "B-b I-b O", 0.0),
        ("B-a O B-b", "B-a O O", 2 / 3),
        ("B-a B-a O", "B-a I-a O", 0.0),
        ("B-a O O", "B-a B-b B-b", 0.5),
    ],
)
def test_entities_count_by_exact_words_and_type(true, found, expected):
    words = Words.of([[0, 1, 2]], [[NAMES.index(tag) for tag in true.split()]])
    score = judge_of_words(words).score(np.array([NAMES.index(tag) for tag in found.split()]))
    assert score == pytest.approx(expected)


def judges() -> list[tuple[Judge, np.ndarray, np.ndarray]]:
    """A judge of each metric with predictions and the truth in the same form."""
    found, labels = sets(1)
    spoken, words = sentences(1)
    of_sets = [(judge_of_sets(metric, labels), found, labels) for metric in metrics_of(Kind.MULTI_LABEL)]
    of_words = [
        (judge_of_words(words, metric), spoken, words.labels) for metric in metrics_of(Kind.TOKEN_CLASSIFICATION)
    ]
    return of_sets + of_words


@pytest.mark.parametrize("case", range(5))
def test_intervals_hold_the_value_and_depend_on_the_seed_alone(case):
    judge, found, truth = judges()[case]
    low, high = judge.interval(found, seed=5)
    assert low < judge.score(found) < high
    assert (low, high) == judge.interval(found, seed=5)
    assert (low, high) != judge.interval(found, seed=6)
    better = found.copy()
    better[: len(better) // 4] = truth[: len(better) // 4]
    observed, (worst, best) = judge.difference(better, found, seed=0)
    assert observed == judge.score(better) - judge.score(found)
    assert 0 < worst < observed < best
    assert best - worst < 2 * (high - low)
    assert judge.difference(found, found, seed=0) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize("metric", metrics_of(Kind.MULTI_LABEL))
def test_resamples_are_those_of_rows(metric):
    """Drawing kinds of rows has the mean and the spread of drawing rows one by one."""
    found, labels = sets(2, rows=40, classes=2)
    kept = judge_of_sets(metric, labels).resampled([found], 0)[0]
    random = np.random.default_rng(1)
    drawn = [random.integers(40, size=40) for _ in range(1000)]
    slow = np.array([judge_of_sets(metric, labels[each]).score(found[each]) for each in drawn])
    assert abs(np.nanmean(kept) - np.nanmean(slow)) < 8 * np.nanstd(slow) / np.sqrt(1000)
    assert abs(np.nanstd(kept) / np.nanstd(slow) - 1) < 0.15


def test_intervals_are_fast():
    found, labels = sets(3, rows=3000, classes=28)
    spoken, words = sentences(3, rows=2000)
    start = time.process_time()
    judge_of_sets(Metric.MACRO_F1, labels).interval(found, seed=0)
    judge_of_words(words).interval(spoken, seed=0)
    assert time.process_time() - start < 5.0


def test_every_metric_of_a_kind_has_a_judge():
    with pytest.raises(AssertionError, match="pearson"):
        judge_of_sets(Metric.PEARSON, np.zeros((1, 1)))
