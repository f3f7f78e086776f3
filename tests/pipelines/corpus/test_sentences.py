import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpus.sentences import sentences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One ends. Two begins! Three? Yes.", ["One ends.", "Two begins!", "Three?", "Yes."]),
        ("a line\n\n  another  \n", ["a line", "another"]),
        ('He said "no." Then 3 left... "Why?" (Nobody knows.) Ok', None),
        ("version 1.5 of e.g. that", ["version 1.5 of e.g. that"]),
        ("An end.no space. lower", ["An end.no space. lower"]),
        ("今日は。明日も！はい", ["今日は。", "明日も！", "はい"]),
        ("Él vino. Ésta no.", ["Él vino.", "Ésta no."]),
        ("", []),
        (" \n\t\n", []),
    ],
)
def test_the_rule(text, found):
    wanted = found or ['He said "no."', "Then 3 left...", '"Why?"', "(Nobody knows.)", "Ok"]
    assert sentences(text, "split") == (wanted if text.strip() else [])


def test_a_line_may_be_a_sentence_as_it_stands():
    assert sentences("One ends. Two begins.\nThree.", "lines") == ["One ends. Two begins.", "Three."]


@given(st.text(alphabet=st.sampled_from("aA .!?\n\"')。1")))
def test_nothing_but_white_space_is_lost(text):
    for how in ("split", "lines"):
        assert "".join("".join(sentences(text, how)).split()) == "".join(text.split())
