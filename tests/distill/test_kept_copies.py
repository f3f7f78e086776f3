"""Kept copies: who stays, by what the teacher said."""

import math

import numpy as np
import pytest
import torch

from distill.kept_copies import keep_copies
from distill.training_rows import TrainingRows
from distill.words import Words
from schemas.configuration import KeepCopies
from schemas.signal import answer_of
from schemas.task import Kind

# Two originals and their copies; the ids say which is whose.
IDS = np.array([10, 20, 11, 12, 21], np.uint64)
ORIGINS = np.array([10, 20, 10, 10, 20], np.uint64)
EVERY = np.arange(5)
YES = np.ones(5, np.bool_)


class Said:
    """A teacher that says what is written here."""

    def __init__(self, numbers: list) -> None:
        self.numbers = [torch.tensor(each, dtype=torch.float32) for each in numbers]

    def answer(self, batch, signals):
        (signal,) = signals
        found = [self.numbers[row] for row in batch.rows.tolist()]
        return {signal: torch.cat(found) if found[0].ndim > 1 else torch.stack(found)}

    def kept(self, signals, rows):
        return np.ones(rows, np.bool_)

    def failed(self):
        return []


def rows(kind: Kind, words: Words | None = None) -> TrainingRows:
    return TrainingRows(
        kind=kind,
        ids=IDS,
        origins=ORIGINS,
        labels=np.full(5, np.nan),
        counts=np.ones(5, np.int32),
        input_ids=np.zeros(15, np.int32),
        token_type_ids=np.zeros(15, np.int8),
        ends=np.arange(0, 16, 3),
        padding=0,
        words=words,
    )


def kept(kind: Kind, said: list, words: Words | None = None, answered=YES, **wanted) -> tuple[list[int], dict]:
    found, counts = keep_copies(rows(kind, words), EVERY, Said(said), answered, KeepCopies(**wanted))
    assert counts["copies"] == counts["kept"] + counts["disagreeing"] + counts["unsure"] == 3
    return found.tolist(), counts


# Sure by 3/4, by 1/2 and by 9/10.
CLASSES = [[math.log(3), 0], [0, math.log(3)], [0, math.log(3)], [0.01, 0], [0, math.log(9)]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"agreement": True}, [0, 1, 3, 4]),
        ({"confidence": 0.7}, [0, 1, 2, 4]),
        ({"confidence": 0.8}, [0, 1, 4]),
        ({"agreement": True, "confidence": 0.7}, [0, 1, 4]),
    ],
)
def test_classes(wanted, expected):
    assert kept(Kind.CLASSIFICATION, CLASSES, **wanted)[0] == expected


def test_what_is_left_out_is_counted_once():
    _, counts = kept(Kind.CLASSIFICATION, CLASSES, agreement=True, confidence=0.95)
    assert counts == {"copies": 3, "kept": 0, "disagreeing": 1, "unsure": 2}


def test_an_original_stays_and_a_row_without_an_answer_proves_nothing():
    answered = np.array([True, False, True, False, True])
    found, counts = kept(Kind.CLASSIFICATION, CLASSES, answered=answered, agreement=True)
    assert found == [0, 1]
    assert counts == {"copies": 3, "kept": 0, "disagreeing": 2, "unsure": 1}


def test_sets_of_labels_agree_as_a_whole_and_are_as_sure_as_the_least_sure():
    said = [[1, -1], [1, 1], [1, 1], [1, -math.log(9)], [2, 2]]
    assert kept(Kind.MULTI_LABEL, said, agreement=True)[0] == [0, 1, 3, 4]
    assert kept(Kind.MULTI_LABEL, said, confidence=1 / (1 + math.exp(-1.5)))[0] == [0, 1, 4]


def test_words_agree_all_together():
    words = Words.of([[0, 1], [0, 1], [0, 2], [0], [0, -1]], [[0, 0], [0, 0], [0, 0], [0], [0, 0]])
    one, two = [2, 0], [0, 2]
    said = [[one, two, one], [one, two, one], [one, one, two], [one, one, one], [one, two, two]]
    found, counts = kept(Kind.TOKEN_CLASSIFICATION, said, words, agreement=True)
    # The second copy has a word less; of the third the second word was cut away, so the first decides.
    assert found == [0, 1, 2, 4]
    assert counts["disagreeing"] == 1
    assert kept(Kind.TOKEN_CLASSIFICATION, said, words, confidence=0.9)[1]["kept"] == 0
    assert answer_of(Kind.TOKEN_CLASSIFICATION).at == "token"
