import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.tags import Entity, are_entity_tags, entities

tags = st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), max_size=8)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("O O", []),
        ("B-a I-a O", [(0, 2, "a")]),
        ("B-a B-a", [(0, 1, "a"), (1, 2, "a")]),
        ("I-a I-a O", [(0, 2, "a")]),
        ("O I-a", [(1, 2, "a")]),
        ("B-a I-b I-b", [(0, 1, "a"), (1, 3, "b")]),
        ("B-a O I-a", [(0, 1, "a"), (2, 3, "a")]),
        ("B-a I-a B-b", [(0, 2, "a"), (2, 3, "b")]),
        ("B I O", [(0, 2, "")]),
        ("", []),
    ],
)
def test_entities_of_a_sentence(sentence, found):
    assert entities(sentence.split()) == [Entity(*each) for each in found]


@given(tags)
def test_entities_cover_just_the_words_that_are_not_outside(sentence):
    found = entities(sentence)
    covered = [place for each in found for place in range(each.start, each.end)]
    assert covered == [place for place, tag in enumerate(sentence) if tag != "O"]
    assert all(sentence[place][2:] == each.type for each in found for place in range(each.start, each.end))
    assert all("B" not in {tag[0] for tag in sentence[each.start + 1 : each.end]} for each in found)


@pytest.mark.parametrize(
    ("names", "expected"),
    [(("O", "B-x", "I-x"), True), (("O", "B", "I"), True), (("B-x", "I-x"), False), (("O", "NOUN"), False)],
)
def test_tags_of_entities_are_told_from_others(names, expected):
    assert are_entity_tags(names) == expected
