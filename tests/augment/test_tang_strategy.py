from pathlib import Path

import numpy as np
import pytest
from conftest import BAD, GOOD, OTHER, copies_of, originals
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.eligibility import Eligibility
from augment.lexicon import Lexicon, load_tagger
from augment.strategies import tang
from augment.strategies.tang import Tang
from schemas.errors import ConfigurationError
from schemas.example import MASK, Example, Span

ROWS = [*originals(30), Example.original("test", ("a bad film .", "The picture was very good"), 0)]


def tagger(words):
    """Say adjective, noun or other."""
    return ["ADJ" if w.lower() in (*GOOD, *BAD) else "NOUN" if w.lower() in OTHER else "X" for w in words]


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lexicon") / "corpus.txt"
    path.write_text("good film\ngood plot\nbad film\n\n" + "good film\n" * 7, encoding="utf-8")
    return path


def strategy(lexicon: Path | None = None, **dials) -> Tang:
    values = {"mask": 0.2, "part_of_speech": 0.3, "n_gram": 0.3, **dials}
    tags = {"tagger": tagger, "lexicon": Lexicon.of(lexicon, tagger)} if lexicon else {}
    return Tang(eligibility=Eligibility(), copies=24, seed=1, **values, **tags)


def grown(one: Tang, example: Example) -> list[Example]:
    (copies,) = copies_of(one.grow([example], one.propose([example])), [example])
    return copies


def undone(copy: Example) -> tuple[str, ...]:
    texts = list(copy.texts)
    for change in reversed(copy.changes):
        text = texts[change.text]
        texts[change.text] = text[: change.start] + change.original + text[change.end :]
    return tuple(texts)


@pytest.mark.parametrize("example", ROWS[::6], ids=lambda example: example.texts[0])
def test_changes_undone_give_the_original(lexicon, example):
    copies = grown(strategy(lexicon), example)
    assert copies
    assert {undone(copy) for copy in copies} == {example.texts}
    assert len({copy.shown for copy in copies}) == len(copies) == len({copy.id for copy in copies})


def test_a_mask_leaves_the_text_as_it_is():
    for copy in (c for example in ROWS for c in grown(strategy(n_gram=0.0), example)):
        assert {change.source for change in copy.changes} == {MASK}
        assert copy.texts == undone(copy)
        for change in copy.changes:
            assert copy.texts[change.text][change.start : change.end] == change.original
            assert "[MASK]" not in copy.texts[change.text]


def test_an_n_gram_is_one_to_five_words():
    for example in ROWS:
        for copy in grown(strategy(mask=0.0, n_gram=1.0), example):
            for text in {change.text for change in copy.changes}:
                kept = copy.texts[text]
                assert kept in example.texts[text]
                assert 1 <= len(tang.plain_words(kept)) <= 5


def test_a_word_takes_one_of_its_part_of_speech(lexicon):
    seen = set()
    for copy in (c for example in ROWS for c in grown(strategy(lexicon, mask=0.0, n_gram=0.0), example)):
        for change in copy.changes:
            new = copy.texts[change.text][change.start : change.end]
            assert tagger([new]) == tagger([change.original]) != ["X"]
            seen.add(new)
    assert seen == {"good", "bad", "film", "plot"}


def test_words_are_drawn_as_often_as_they_occur(lexicon):
    found = Lexicon.of(lexicon, tagger)
    drawn = [found.draw("ADJ", number) for number in np.linspace(0, 1, 1000, endpoint=False)]
    assert drawn.count("good") == 900
    assert drawn.count("bad") == 100
    assert found.draw("VERB", 0.5) is None


def test_pairs_take_turns():
    pair = ROWS[-1]
    turns: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for copy in grown(strategy(n_gram=0.0, mask=0.5), pair):
        turns[copy.draw % 3] |= {change.text for change in copy.changes}
    assert turns[0] == {0}
    assert turns[1] == {1}
    assert turns[2] == {0, 1}


def test_a_row_grows_alike_whatever_its_company():
    one = strategy()
    together = copies_of(one.grow(ROWS, one.propose(ROWS)), ROWS)
    assert together == [grown(one, example) for example in ROWS]


def test_nothing_is_changed_with_probability_zero():
    assert not grown(strategy(mask=0.0, n_gram=0.0), ROWS[0])


def test_a_copy_with_every_word_changed_is_left_out():
    assert not grown(strategy(mask=1.0, n_gram=0.0), ROWS[0])


def test_something_is_left_of_an_n_gram():
    """Also where the words outside it were not masked."""
    for example in ROWS:
        for copy in grown(strategy(mask=0.6, n_gram=1.0), example):
            for text in {change.text for change in copy.changes}:
                masked = [change for change in copy.changes if change.text == text and change.source == MASK]
                words = [word for word in tang.plain_words(copy.texts[text]) if any(map(str.isalnum, word.text))]
                assert len(masked) < len(words)


def test_an_edited_tagger_is_another_one(lexicon, tmp_path, monkeypatch):
    (tmp_path / "own_tags.py").write_text("def tag(words): return ['word' for _ in words]")
    monkeypatch.syspath_prepend(tmp_path)
    assert tang.files(lexicon=str(lexicon), tagger="own_tags.tag") == (lexicon, tmp_path / "own_tags.py")


def test_protected_words_stay(lexicon):
    row = Example.original("test", ("a good film",), 1, (Span(0, 2, 6),))
    for copy in grown(strategy(lexicon, mask=0.4, part_of_speech=0.4), row):
        assert "good" in copy.texts[0]
        assert not [change for change in copy.changes if change.original == "good"]


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["good", "bad", "film", "the", ",", "x-1"]), min_size=1, max_size=8), st.integers(0, 9))
def test_spans_follow_or_go(words, seed):
    text = " ".join(words)
    starts = [len(" ".join(words[:i])) + (i > 0) for i in range(len(words))]
    spans = tuple(Span(0, s, s + len(w), 0) for s, w in zip(starts, words, strict=True))
    one = Tang(Eligibility(), copies=8, seed=seed, mask=0.2, part_of_speech=0.0, n_gram=0.6)
    for copy in grown(one, Example.original("test", (text,), None, spans)):
        kept = [copy.texts[0][span.start : span.end] for span in copy.spans]
        assert " ".join(kept) == copy.texts[0]


def test_a_tagger_is_handed_in(lexicon):
    assert load_tagger(f"{__name__}.tagger")(["good"]) == ["ADJ"]
    for name in ("nothing", "no.module.here", f"{__name__}.absent"):
        with pytest.raises(ConfigurationError, match=r"tang\.tagger"):
            load_tagger(name)


def test_files_are_checked_before_work(lexicon):
    assert tang.files(mask=0.1) == ()
    assert tang.files(tagger=f"{__name__}.tagger", lexicon=str(lexicon)) == (lexicon, Path(__file__))
    with pytest.raises(ConfigurationError, match="both a tagger and a lexicon"):
        tang.files(tagger=f"{__name__}.tagger")
    with pytest.raises(ConfigurationError, match="no such file"):
        tang.files(tagger=f"{__name__}.tagger", lexicon="nowhere.txt")
