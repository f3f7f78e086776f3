from collections import Counter

import numpy as np
import pytest
from conftest import tokenizer

from pipelines.corpus.masks import masks
from pipelines.corpus.units import Cutter
from schemas.example import MASKING

TEXTS = ("a good film was xyz and it is very fine .", "the wonderful plot")


@pytest.fixture(scope="module")
def cutter(tmp_path_factory) -> Cutter:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer().save_pretrained(folder)
    return Cutter.load(folder)


def drawn(cutter, number: int, share: float = 0.3, unit: str = "pieces"):
    (encoding,) = cutter.encode([TEXTS])
    return masks(TEXTS, encoding, share, unit, np.random.default_rng(number))


def test_a_share_of_the_pieces_is_masked_and_none_twice(cutter):
    (encoding,) = cutter.encode([TEXTS])
    pieces = len(encoding.ids) - 3
    for number in range(50):
        found = drawn(cutter, number)
        assert len(found) == round(0.3 * pieces)
        assert len({(each.text, each.start) for each in found}) == len(found)
        for each in found:
            assert TEXTS[each.text][each.start : each.end] == each.original != ""
    assert {each.text for number in range(50) for each in drawn(cutter, number)} == {0, 1}


def test_one_piece_at_least_is_masked(cutter):
    assert len(drawn(cutter, 0, 0.001)) == 1


def test_eight_of_ten_are_masks(cutter):
    counts = Counter(each.source for number in range(400) for each in drawn(cutter, number))
    total = sum(counts.values())
    for source, share in zip(MASKING, (0.8, 0.1, 0.1), strict=True):
        assert counts[source] / total == pytest.approx(share, abs=0.03)


def test_words_are_masked_whole(cutter):
    whole = {"x": "xyz", "y": "xyz", "z": "xyz"}
    for number in range(100):
        found = drawn(cutter, number, unit="words")
        letters = {each.original for each in found if each.original in whole}
        assert letters in (set(), set("xyz"))
    assert any("x" in {each.original for each in drawn(cutter, number, unit="words")} for number in range(100))
