"""The sample: texts whole, changes marked, verdicts as the teacher gave them."""

import numpy as np

from pipelines.families import Member
from pipelines.page.sample import Sample, Source, lines
from schemas.example import Change, Example, Span
from schemas.task import Kind, Task

TASK = Task(texts=("text",), labels=("bad", "good"))
ORIGINAL = Example.original("test", ("a fine film .",), 1)
COPY = ORIGINAL.copy(
    ("a dull movie .",),
    strategy="tinybert",
    draw=0,
    changes=(Change(0, 7, 12, "film", "vectors"), Change(0, 2, 6, "fine", "masked_language_model")),
)


def member(example: Example, *logits: float) -> Member:
    return Member(example, np.array(logits, np.float32) if logits else None)


def test_pieces_make_up_the_text_and_name_their_source():
    original, copy = lines((member(ORIGINAL, 0, 2), member(COPY, 2, 0)), TASK)
    (pieces,) = copy.texts
    assert "".join(piece.text for piece in pieces) == "a dull movie ."
    changed = [(piece.text, piece.note, piece.source) for piece in pieces if piece.note]
    assert changed == [("dull", "was fine", "masked LM"), ("movie", "was film", "word vectors")]
    assert copy.sources == ["masked LM", "word vectors"]
    assert "".join(piece.text for piece in original.texts[0]) == "a fine film ."


def test_a_filter_can_choose_of_what_was_met():
    other = ORIGINAL.copy(("a fine .",), strategy="own", draw=0, changes=(Change(0, 7, 7, "film ", "shears"),))
    family = (member(ORIGINAL, 0, 2), member(COPY, 0, 2), member(other, 2, 0))
    found = Sample.of_families([family], TASK)
    assert found.classes == ["bad", "good"]
    assert found.sources == [
        Source("masked LM", "masked_language_model"), Source("word vectors", "vectors"), Source("shears", ""),
    ]  # fmt: skip
    first = Sample.of_families([family], TASK, most=1)
    assert (len(first.families[0]), first.classes, len(first.sources)) == (2, ["good"], 2)
    assert found.is_judged
    assert not Sample.of_families([(member(ORIGINAL),)], TASK).is_judged


def test_a_flip_is_another_verdict_than_the_original_got():
    original, copy = lines((member(ORIGINAL, 0, 2), member(COPY, 2, 0)), TASK)
    assert (original.verdict, original.label, original.flip) == ("good", "good", False)
    assert (copy.verdict, copy.flip) == ("bad", True)
    assert copy.share is not None
    assert round(copy.share, 3) == 0.881


def test_rows_that_were_not_asked_have_no_verdict():
    _, copy = lines((member(ORIGINAL), member(COPY)), TASK)
    assert (copy.verdict, copy.share, copy.flip) == ("", None, False)


def test_numbers_do_not_flip():
    task = Task(kind=Kind.REGRESSION, texts=("text",))
    _, copy = lines((member(ORIGINAL, 2.0), member(COPY, 1.0)), task)
    assert (copy.verdict, copy.flip) == ("1.000", False)


def test_sets_of_labels_are_named_and_flip_where_they_differ():
    task = Task(kind=Kind.MULTI_LABEL, texts=("text",), labels=("bad", "good", "long"))
    one = Example.original("test", ("a fine film .",), (1, 2))
    other = one.copy(("a dull film .",), strategy="tinybert", draw=0, changes=())
    original, copy = lines((member(one, -1.0, 2.0, 0.5), member(other, -1.0, 0.0, -0.5)), task)
    assert (original.label, original.verdict, original.classes) == ("good, long", "good, long", ("good", "long"))
    assert (copy.verdict, copy.classes, copy.flip, copy.share) == ("none of them", (), True, None)


def test_entities_are_named_by_their_words():
    task = Task(kind=Kind.TOKEN_CLASSIFICATION, texts=("tokens",), labels=("O", "B-place", "I-place"))
    words = (Span(0, 0, 2, 0), Span(0, 3, 6, 1), Span(0, 7, 11, 2))
    one = Example.original("test", ("in New York",), None, words)
    logits = np.array([[2, 0, 0], [0, 2, 0], [0, 0, 2]], np.float32)
    cut = np.array([[2, 0, 0], [0, 2, 0], [np.nan] * 3], np.float32)
    original, copy = lines((Member(one, logits), Member(one, cut)), task)
    assert (original.label, original.verdict) == ("New York: place", "New York: place")
    assert original.classes == ("place",)
    assert (copy.verdict, copy.flip) == ("New: place", True)
    nobody = Example.original("test", ("in town",))
    (line,) = lines((Member(nobody, logits[:1].repeat(2, 0)),), task)
    assert (line.label, line.verdict) == ("", "no entity")
