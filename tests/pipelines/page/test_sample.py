"""The sample: texts whole, changes marked, verdicts as the teacher gave them."""

import numpy as np

from pipelines.families import Member
from pipelines.page.sample import lines
from schemas.example import Change, Example
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
    changed = [(piece.text, piece.original, piece.source) for piece in pieces if piece.original]
    assert changed == [("dull", "fine", "masked LM"), ("movie", "film", "word vectors")]
    assert copy.sources == ["masked LM", "word vectors"]
    assert "".join(piece.text for piece in original.texts[0]) == "a fine film ."


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
