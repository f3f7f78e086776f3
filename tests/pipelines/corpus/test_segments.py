"""Segments of made-up documents, against the rules of the reference one by one."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.segments import Seed, segments
from pipelines.corpus.store import Places

SENTENCE = st.lists(st.integers(1, 4), min_size=1, max_size=8)
"""Pieces of the units of a sentence."""
DOCUMENTS = st.lists(st.lists(SENTENCE, min_size=1, max_size=10), min_size=2, max_size=5)
ROOMS = st.integers(5, 40)


@dataclass
class Made:
    """Documents as lists of sentences, each a list of the pieces of its units."""

    documents: list[list[list[int]]]

    def places(self, document: int) -> Places:
        found = self.documents[document]
        pieces = np.cumsum([0, *(size for sentence in found for size in sentence)])
        units = np.arange(len(pieces) - 1)
        return Places(np.cumsum([0, *map(len, found)]), units, units + 1, pieces)

    def after(self, point: int, not_in: int) -> tuple[int, int]:
        others = [(d, s) for d, found in enumerate(self.documents) for s in range(len(found)) if d != not_in]
        return others[point % len(others)]

    def cut(self, document: int, **changes) -> list:
        shape = {"room": 20, "short": 0.0, "paired": True, **changes}
        return list(segments(document, self, Seed(7, 100 + document, 0), **shape))

    def sentence_of(self, document: int, unit: int) -> int:
        return int(np.searchsorted(self.places(document).sentences, unit, side="right")) - 1


def length(made: Made, document: int, part: tuple[int, int]) -> int:
    return max(1, made.places(document).pieces_in(*part))


@given(DOCUMENTS, ROOMS, st.sampled_from([0.0, 0.5, 1.0]), st.booleans())
def test_no_row_is_too_long(documents, room, short, paired):
    made = Made(documents)
    for number in range(len(documents)):
        for found in made.cut(number, room=room, short=short, paired=paired):
            total = length(made, number, found.first)
            total += length(made, found.other, found.second) if paired else 0
            assert total <= room
            assert (found.other is None) is not paired


@given(DOCUMENTS, ROOMS, st.booleans())
def test_a_text_is_of_one_document_and_none_is_left_out(documents, room, paired):
    made = Made(documents)
    for number, sentences in enumerate(documents):
        begin = 0
        for index, found in enumerate(made.cut(number, room=room, paired=paired)):
            assert found.index == index
            first, last = found.first
            assert begin <= first <= last <= made.places(number).sentences[-1]
            if found.other == number:
                assert first <= last <= found.second[0] <= found.second[1]
                last = found.second[1]
            # The next row begins where the used sentences ended, however much was taken off them.
            begin = last
        whole = [d for d in [sentences] if sum(map(sum, d)) <= room]
        for _ in whole:
            (only, *_) = made.cut(number, room=room, paired=False)
            assert only.first == (0, made.places(number).sentences[-1])


def test_sentences_are_added_until_the_target_and_put_back_where_they_were_not_used():
    made = Made([[[1] * 4] * 12, [[1] * 4] * 12])
    found = made.cut(0, room=20)
    begin = 0
    random = 0
    for each in found:
        first = made.sentence_of(0, each.first[0])
        assert first == begin
        if each.other == 0:
            # Five sentences of four pieces reach the target of twenty.
            assert each.second[1] == min(4 * (begin + 5), 48)
            begin += 5
        else:
            random += 1
            assert each.other == 1
            parted = made.sentence_of(0, each.first[1] - 1) + 1
            assert begin < parted <= begin + 5
            begin = parted
    assert begin == 12
    assert 0 < random < len(found)


def test_a_single_sentence_has_its_second_text_from_elsewhere():
    made = Made([[[1] * 30], [[1] * 3] * 4])
    (found,) = made.cut(0, room=20)
    assert found.other == 1
    (first, last), (begin, end) = found.first, found.second
    # The second text has one sentence at least, and the first loses what is too much on either side.
    assert end - begin == 3
    assert last - first == 17


def test_half_of_the_second_texts_are_random():
    made = Made([[[1] * 4] * 3000, [[1] * 4] * 50])
    found = made.cut(0, room=20)[:-1]
    share = sum(each.other == 1 for each in found) / len(found)
    assert abs(share - 0.5) < 3 * (0.25 / len(found)) ** 0.5


def test_some_documents_have_a_shorter_target():
    made = Made([[[1] * 2] * 100] * 400)
    longest = [max(each.first[1] - each.first[0] for each in made.cut(d, short=0.3, paired=False)) for d in range(400)]
    share = sum(size < 20 for size in longest) / 400
    # A target of 19 or 20 looks like a full one.
    assert abs(share - 0.3 * 17 / 19) < 0.07
    assert min(longest) == 2
    every = [made.cut(d, short=0.0, paired=False) for d in range(20)]
    assert all(each.first[1] - each.first[0] == 20 for found in every for each in found)


def test_a_unit_longer_than_the_row_leaves_an_empty_text():
    made = Made([[[50]], [[1]]])
    (found,) = made.cut(0, room=20)
    assert found.first[0] == found.first[1]
    assert found.second == (0, 1)


@pytest.mark.parametrize("changed", ["seed", "document", "turn"])
def test_rows_are_a_function_of_seed_document_and_pass(changed):
    made = Made([[[1] * 3] * 60, [[1] * 3] * 60])
    key = {"seed": 1, "document": 5, "turn": 0}
    shape = {"room": 20, "short": 0.1, "paired": True}

    def cut(**values: int) -> list:
        return list(segments(0, made, Seed(**values), **shape))

    assert cut(**key) == cut(**key)
    assert cut(**key) != cut(**{**key, changed: key[changed] + 1})
