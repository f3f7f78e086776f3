import re

import pytest

from augment.eligibility import Eligibility
from augment.words import plain_words
from schemas.configuration import Augmentation
from schemas.errors import ConfigurationError
from schemas.example import Example, Span
from schemas.task import Task

TASK = Task(texts=("sentence",), labels=("negative", "positive"))
TEXT = "The Café in Paris, 3rd street, isn't naïve or X-rated."


def words(eligibility: Eligibility, *spans: Span, text: str = TEXT) -> list[str]:
    example = Example.original("test", (text,), None, spans)
    return [word.text for word in eligibility.eligible(example, 0, plain_words(text))]


def of(**settings) -> Eligibility:
    return Eligibility.of(Augmentation(copies=0, **settings), TASK)


def test_letters_that_are_no_stop_words_may_be_replaced():
    assert words(of()) == ["Café", "Paris", "street", "naïve", "X", "rated"]


def test_stop_words_are_a_choice(tmp_path):
    assert words(of(stop_words="none"))[:3] == ["The", "Café", "in"]
    path = tmp_path / "words.txt"
    path.write_text("STREET\n\ncafe\n", encoding="utf-8")
    assert words(of(stop_words=str(path))) == ["The", "in", "Paris", "isn", "t", "naïve", "or", "X", "rated"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00bad"])
def test_a_list_that_cannot_be_read_is_refused(tmp_path, content):
    path = tmp_path / "words.txt"
    if content:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"augment\.stop_words"):
        of(stop_words=str(path))


def test_protected_words_stay_in_any_case():
    assert words(of(protect={"words": ["CAFE", "Naïve"]})) == ["Paris", "street", "X", "rated"]


def test_a_pattern_protects_words_as_written():
    assert words(of(protect={"pattern": "^[A-Z]"})) == ["street", "naïve", "rated"]
    assert of(protect={"pattern": "x"}).pattern == re.compile("x")


def test_spans_protect_what_they_touch():
    start = TEXT.index("Paris")
    assert words(of(), Span(0, start + 2, start + 4)) == ["Café", "street", "naïve", "X", "rated"]
    assert words(of(), Span(1, start, start + 5)) == words(of())


def test_entities_stay_unless_asked_for():
    task = Task(texts=("tokens",), labels=("B-place", "O"))
    start = TEXT.index("Paris")
    spans = (Span(0, start, start + 5, 0), Span(0, 4, 8, 1))
    assert words(Eligibility.of(Augmentation(copies=0), task), *spans) == ["Café", "street", "naïve", "X", "rated"]
    both = Eligibility.of(Augmentation(copies=0, replace_entities=True), task)
    assert words(both, *spans) == ["Café", "Paris", "street", "naïve", "X", "rated"]
    assert "Paris" not in words(both, Span(0, start, start + 5))
