"""Drift: verdicts and probabilities of copies against numbers worked out by hand."""

import math

import numpy as np
import pytest

from pipelines.drift import AT_ONCE, Drift
from pipelines.families import Logits, Member
from schemas.example import Change, Example, Span
from schemas.task import Kind

ROW = Example.original("test", ("a fine film",))


def member(*logits: float) -> Member:
    return Member(ROW, np.array(logits, np.float32) if logits else None)


def drift(kind: Kind, *pairs: tuple[Member, Member]) -> dict:
    found = Drift(kind)
    for original, copy in pairs:
        found.add(original, copy)
    return found.numbers()


def test_a_class_flips_and_moves():
    certain, even = member(math.log(3), 0), member(0, 0)
    other = member(0, math.log(3))
    found = drift(Kind.CLASSIFICATION, (certain, even), (certain, other), (certain, certain), (certain, member()))
    to_even = 3 / 4 * math.log(3 / 2) + 1 / 4 * math.log(1 / 2)
    to_other = 3 / 4 * math.log(3) + 1 / 4 * math.log(1 / 3)
    assert found["compared"] == 3
    assert found["flips"] == pytest.approx(1 / 3)
    assert found["divergence"] == pytest.approx((to_even + to_other) / 3)
    assert found["difference"] is None


def test_extreme_logits_have_a_finite_divergence():
    assert drift(Kind.CLASSIFICATION, (member(900, 0), member(0, 900)))["divergence"] == pytest.approx(900)
    assert drift(Kind.MULTI_LABEL, (member(900, 0), member(-900, 0)))["divergence"] == pytest.approx(900)


def test_a_set_of_labels_flips_where_one_does_and_labels_add_up():
    before, after = member(math.log(3), math.log(3), -1), member(math.log(3), -math.log(3), -1)
    found = drift(Kind.MULTI_LABEL, (before, after), (before, before))
    assert found["flips"] == 1 / 2
    assert found["divergence"] == pytest.approx((3 / 4 * math.log(3) + 1 / 4 * math.log(1 / 3)) / 2)


def test_numbers_differ_by_their_mean_absolute_difference():
    found = drift(Kind.REGRESSION, (member(1.0), member(3.0)), (member(1.0), member(0.5)))
    assert found == {"compared": 2, "flips": None, "difference": 1.25, "divergence": None}


def test_nothing_is_said_where_nobody_was_asked():
    assert drift(Kind.CLASSIFICATION, (member(), member(1, 0)))["flips"] is None


def test_pairs_wait_and_none_is_lost():
    found = Drift(Kind.CLASSIFICATION)
    for number in range(2 * AT_ONCE + 3):
        found.add(member(1, 0), member(1, 0) if number % 2 else member(0, 1))
    assert found.numbers()["compared"] == 2 * AT_ONCE + 3
    assert found.numbers()["flips"] == pytest.approx(1 / 2, abs=1e-3)


def words(text: str, changes: tuple[Change, ...], tagged: bool, *classes: float) -> Member:
    """A row whose words were judged: 0 or 1, nan for a word that was cut away."""
    places = [(found, found + len(word)) for word, found in places_in(text)]
    spans = tuple(Span(0, start, end, 0) for start, end in places) if tagged else ()
    logits: Logits = np.array([[1 - each, each] for each in classes], np.float32)
    return Member(Example(1, 1 if not changes else 2, (text,), changes=changes, spans=spans), logits)


def places_in(text: str) -> list[tuple[str, int]]:
    found, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        found.append((word, at))
        at += len(word)
    return found


@pytest.mark.parametrize("tagged", [False, True])
def test_words_are_compared_with_those_that_stood_there(tagged):
    original = words("the very fine film is long", (), tagged, 0, 0, 1, 1, 0, np.nan)
    cut_at_both_ends = (
        Change(0, 0, 0, "the very ", "n_gram"),
        Change(0, 0, 8, "fine", "vectors"),
        Change(0, 13, 13, " is long", "n_gram"),
    )
    copy = words("charming film", cut_at_both_ends, tagged, 0, 1)
    found = drift(Kind.TOKEN_CLASSIFICATION, (original, copy))
    assert (found["compared"], found["flips"]) == (2, 1 / 2)
    added = words("a the very fine film is long", (Change(0, 0, 2, "", "own"),), tagged, 1, 0, 0, 1, 1, 0, 0)
    found = drift(Kind.TOKEN_CLASSIFICATION, (original, added))
    assert (found["compared"], found["flips"]) == (5, 0), "the word that was cut away has no verdict to compare"
