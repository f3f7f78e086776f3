"""Diversity: formulas against numbers worked out by hand."""

import math

import pytest

from pipelines.diversity import distinct, self_bleu, words_of


def test_words_are_in_lower_case_and_punctuation_stands_alone():
    assert words_of(["A fine film.", "Don't!"]) == ["a", "fine", "film", ".", "don", "'", "t", "!"]


def test_distinct_counts_different_n_grams():
    rows = [["a", "b", "a", "b"], ["a", "b", "c"]]
    assert distinct(rows, 1) == 3 / 7
    # ab ba ab ab bc
    assert distinct(rows, 2) == 3 / 5
    assert distinct([["a"]], 2) is None


def test_self_bleu_of_four_words_by_hand():
    one, other = self_bleu([["a", "b", "c", "d"], ["a", "b", "c", "e"]])
    # Three of four words; of pairs, threes and the four, with one more counted: 3/4, 2/3, 1/2.
    assert one == other == pytest.approx((3 / 4 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


def test_a_short_row_is_no_better_than_it_is_long():
    short, long = self_bleu([["a"], ["a", "b"]])
    assert short == pytest.approx(math.exp(1 - 2 / 1))
    # One word of two, and one pair more than the none that matches.
    assert long == pytest.approx((1 / 2 * 1 / 2) ** 0.5)


def test_matches_are_clipped_to_the_reference_that_has_most():
    first, *_ = self_bleu([["a", "a", "a"], ["a", "b", "c"], ["a", "a", "d"]])
    # Two of three words; of pairs (1 + 1) / (2 + 1); of threes (0 + 1) / (1 + 1).
    assert first == pytest.approx((2 / 3 * 2 / 3 * 1 / 2) ** (1 / 3))


def test_the_ends_of_the_scale():
    assert self_bleu([["a", "b", "c", "d", "e"]] * 3) == pytest.approx([1, 1, 1])
    assert self_bleu([["a"], ["b"]]) == [0, 0]
    assert self_bleu([["a"]]) == []
    assert self_bleu([[], ["a"]]) == [0]
