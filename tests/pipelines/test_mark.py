"""Marks: every way to change a text can be read."""

import pytest

from pipelines.mark import Mark, marks
from schemas.example import Change, Example

ROW = Example.original("test", ("a fine film",))


@pytest.mark.parametrize(
    ("text", "change", "expected"),
    [
        ("a dull film", Change(0, 2, 6, "fine", "vectors"), Mark("dull", "was fine", "word vectors", "vectors")),
        ("a fine film", Change(0, 2, 6, "fine", "mask"), Mark("fine", "mask", "mask", "mask")),
        ("film", Change(0, 0, 0, "a fine ", "n_gram"), Mark("…", "cut: a fine", "n-gram", "n_gram")),
        ("a very fine film", Change(0, 2, 7, "", "adverbs"), Mark("very ", "added", "adverbs", "")),
        ("a dull film", Change(0, 2, 6, "fi\u202ene", "own"), Mark("dull", "was fi\\U0000202Ene", "own", "")),
    ],
)
def test_a_change_says_what_was_done_and_by_what(text, change, expected):
    copy = ROW.copy((text,), strategy="own", draw=0, changes=(change,))
    assert [mark for mark in marks(copy, 0) if mark.note] == [expected]
