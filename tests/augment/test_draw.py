from collections import Counter

import numpy as np
import pytest
from conftest import copies_of
from hypothesis import given
from hypothesis import strategies as st

from augment import draw
from augment.candidates import NONE, Position
from augment.draw import Drawing
from augment.words import form
from schemas.example import Example, Span

WORDS = ("good", "Great", "fine", "a", "é", "cafe", "Café", "x.y", "...", "[MASK]", "longer than one word")


@st.composite
def texts(draw) -> tuple[str, list[tuple[int, int]]]:
    """A text of words and anything between them, and where the words stand."""
    text = draw(st.text(max_size=4))
    places = []
    for word, gap in draw(st.lists(st.tuples(st.sampled_from(WORDS), st.text(max_size=3)), max_size=6)):
        places.append((len(text), len(text) + len(word)))
        text += word + gap
    return text, places


@st.composite
def rows(draw) -> list[tuple[str, list[tuple[int, int, str, tuple[str, ...]]]]]:
    """Texts with their places and candidates, as plain values: beartype must not draw numbers inside a strategy."""
    row = []
    for text, places in draw(st.lists(texts(), min_size=1, max_size=2)):
        possible = []
        for start, end in places:
            words = tuple(draw(st.lists(st.sampled_from(WORDS), max_size=4)))
            source = draw(st.sampled_from(["masked_language_model", "vectors"])) if words else NONE
            possible.append((start, end, source, words))
        row.append((text, possible))
    return row


def made(row) -> tuple[Example, tuple[Position, ...]]:
    positions = tuple(
        Position(i, start, end, source, words, (0.0,) * len(words))
        for i, (_, possible) in enumerate(row)
        for start, end, source, words in possible
    )
    return Example.original("test", tuple(text for text, _ in row), 1), positions


def drawn(row, copies=12, probability=0.5, seed=3):
    return one(Drawing(copies, probability, seed), *row)


def one(drawing: Drawing, example: Example, positions) -> tuple[list[Example], Counter[str]]:
    """Draw the copies of a row by itself."""
    (grown,) = drawing.draw([example], [positions], "test")
    (copies,) = copies_of([grown], [example])
    return copies, grown[1]


def naive(row, copies, probability, seed):
    """What the docstring says, one number at a time."""
    example, positions = row
    numbers = np.random.Generator(np.random.Philox(key=np.array([seed, example.id], np.uint64)))
    found = []
    for trial in range(copies):
        text = trial % len(example.texts)
        written, shift = example.texts[text], 0
        for position in positions:
            which, whether = numbers.random(), numbers.random()
            if position.text != text or not position.words or whether >= probability:
                continue
            word = position.words[int(which * len(position.words))]
            original = example.texts[text][position.start : position.end]
            if form(word) != form(original):
                written = written[: position.start + shift] + word + written[position.end + shift :]
                shift += len(word) - len(original)
        result = (*example.texts[:text], written, *example.texts[text + 1 :])
        if result not in (example.texts, *found):
            found.append(result)
    return found


@given(rows(), st.integers(0, 30), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 2**32 - 1))
def test_copies_are_those_of_the_naive_way(plain, copies, probability, seed):
    row = made(plain)
    found, _ = drawn(row, copies, probability, seed)
    assert [copy.texts for copy in found] == naive(row, copies, probability, seed)


@given(st.lists(rows(), max_size=7))
def test_rows_are_drawn_together_as_alone(several):
    found = [made(row) for row in several]
    distinct = {example.id: (example, places) for example, places in found}.values()
    examples, places = [example for example, _ in distinct], [places for _, places in distinct]
    for at_once in (1, 60, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(draw, "NUMBERS_AT_ONCE", at_once)
            grown = list(Drawing(12, 0.5, 3).draw(examples, places, "test"))
        copies = copies_of(grown, examples)
        assert [[copy.texts for copy in row] for row in copies] == [
            naive((example, own), 12, 0.5, 3) for example, own in zip(examples, places, strict=True)
        ]
        alone = [drawn((example, own)) for example, own in zip(examples, places, strict=True)]
        assert copies == [found for found, _ in alone]
        assert sum((counts for _, counts in grown), Counter()) == sum((counts for _, counts in alone), Counter())


@given(rows())
def test_only_the_changed_spans_differ(plain):
    row = made(plain)
    example, _ = row
    for copy in drawn(row)[0]:
        assert copy.changes
        restored = list(copy.texts)
        for change in reversed(copy.changes):
            text = restored[change.text]
            restored[change.text] = text[: change.start] + change.original + text[change.end :]
        assert tuple(restored) == example.texts


@given(rows())
def test_changes_point_at_candidates_that_differ_from_the_word(plain):
    row = made(plain)
    example, positions = row
    for copy in drawn(row)[0]:
        shift = 0
        for change in copy.changes:
            place = next(p for p in positions if (p.text, p.start) == (change.text, change.start - shift))
            word = copy.texts[change.text][change.start : change.end]
            assert word in place.words
            assert change.source == place.source
            assert change.original == example.texts[change.text][place.start : place.end]
            assert form(word) != form(change.original)
            shift += len(word) - len(change.original)


@given(rows(), st.integers(0, 20), st.integers(0, 20))
def test_more_copies_begin_with_the_same_ones(plain, fewer, more):
    row = made(plain)
    first, _ = drawn(row, fewer)
    assert drawn(row, fewer + more)[0][: len(first)] == first


@given(rows())
def test_copies_are_distinct_and_know_their_origin(plain):
    row = made(plain)
    example, _ = row
    copies, _ = drawn(row)
    assert len({copy.texts for copy in copies} | {example.texts}) == len(copies) + 1
    assert len({copy.id for copy in copies} | {example.id}) == len(copies) + 1
    assert all((c.origin, c.label, c.strategy) == (example.id, 1, "test") for c in copies)
    assert [copy.draw for copy in copies] == sorted({copy.draw for copy in copies})


@given(rows())
def test_a_copy_changes_one_text_of_a_pair(plain):
    row = made(plain)
    example, _ = row
    for copy in drawn(row)[0]:
        changed = {i for i, (old, new) in enumerate(zip(example.texts, copy.texts, strict=True)) if old != new}
        assert changed == {copy.draw % len(example.texts)} == {change.text for change in copy.changes}


@given(rows())
def test_counts_add_up(plain):
    row = made(plain)
    copies, counts = drawn(row)
    assert counts["trials"] == 12
    sources = Counter(f"replaced_{change.source}" for copy in copies for change in copy.changes)
    assert sources == Counter({key: n for key, n in counts.items() if key.startswith("replaced_")})
    assert sources.total() <= counts["trial_words"]


@given(rows())
def test_nothing_is_replaced_with_probability_zero(plain):
    row = made(plain)
    assert drawn(row, probability=0.0)[0] == []


def test_a_row_is_drawn_alike_whatever_was_drawn_before():
    several = [
        (Example.original("test", (f"good {i} film",)), (Position(0, 0, 4, "vectors", WORDS, (0.0,) * 11),))
        for i in range(5)
    ]
    forwards = [drawn(row) for row in several]
    assert [drawn(row) for row in reversed(several)] == forwards[::-1]


def test_seed_and_row_decide_the_draw():
    positions = tuple(Position(0, 5 * i, 5 * i + 4, "vectors", WORDS, (0.0,) * 11) for i in range(6))
    one = Example.original("one", ("word " * 6,))
    other = Example.original("other", ("word " * 6,))
    results = [drawn((one, positions))[0], drawn((one, positions), seed=4)[0], drawn((other, positions))[0]]
    assert len({tuple(copy.texts for copy in copies) for copies in results}) == 3


def test_words_are_replaced_as_often_as_asked():
    positions = tuple(Position(0, 5 * i, 5 * i + 4, "vectors", ("a", "b", "c"), (0.0,) * 3) for i in range(50))
    copies, counts = drawn((Example.original("test", ("word " * 50,)), positions), copies=400, probability=0.4)
    assert counts["trial_words"] == 20_000
    assert counts["replaced_vectors"] / counts["trial_words"] == pytest.approx(0.4, abs=0.02)
    words = Counter(copy.texts[0][change.start : change.end] for copy in copies for change in copy.changes)
    assert [words[word] / words.total() for word in "abc"] == pytest.approx([1 / 3] * 3, abs=0.02)


def test_drawing_needs_no_model():
    """Whoever redraws from kept candidates need not wait for heavy imports."""
    import subprocess
    import sys

    heavy = "{'torch', 'transformers', 'gensim', 'apache_beam'}"
    code = f"import sys, augment.draw, augment.candidates; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@given(rows())
def test_spans_follow_their_words(plain):
    example, positions = made(plain)
    words = [(p.text, p.start, p.end) for p in positions]
    around = [(i, 0, len(text)) for i, text in enumerate(example.texts) if text]
    spans = tuple(Span(*place, label=i) for i, place in enumerate((*words, *around)))
    marked = Example.original("test", example.texts, 1, spans)
    copies, _ = drawn((marked, positions))
    for copy in copies:
        assert [span.label for span in copy.spans] == [span.label for span in spans]
        changed = {(change.text, change.start): change for change in copy.changes}
        for span, (text, start, end) in zip(copy.spans, words, strict=False):
            stands = copy.texts[text][span.start : span.end]
            change = changed.pop((text, span.start), None) if stands != example.texts[text][start:end] else None
            assert stands == example.texts[text][start:end] or (change and change.end == span.end)
        for span in copy.spans[len(words) :]:
            assert (span.start, span.end) == (0, len(copy.texts[span.text]))


OPTIONS = Example.original("test", ("Good Film was BAD",), 1)
PLACES = (
    Position(0, 0, 4, "masked_language_model", ("good", "great", ".", "[UNK]", "NASA")),
    Position(0, 5, 9, "masked_language_model", ("film", "movie", "!", "<unk>")),
    Position(0, 14, 17, "vectors", ("poor", "bad", "McDull")),
)


def written(drawing: Drawing) -> set[tuple[str, str]]:
    copies, _ = one(drawing, OPTIONS, PLACES)
    changes = [
        (change.original, copy.texts[0][change.start : change.end]) for copy in copies for change in copy.changes
    ]
    return set(changes)


def test_all_candidates_are_drawn_by_default():
    assert written(Drawing(copies=400, probability=0.5)) == {
        *(("Good", word) for word in ("great", ".", "[UNK]", "NASA")),
        *(("Film", word) for word in ("movie", "!", "<unk>")),
        *(("BAD", word) for word in ("poor", "McDull")),
    }


def test_kinds_of_candidates_can_be_left_out():
    assert {word for _, word in written(Drawing(copies=400, drop=("punctuation",)))} >= {"[UNK]", "great"}
    found = {word for _, word in written(Drawing(copies=400, drop=("punctuation", "special")))}
    assert found == {"great", "NASA", "movie", "poor", "McDull"}


def test_without_the_original_every_replacement_replaces():
    drawing = Drawing(copies=300, probability=1.0, drop=("original",))
    copies, _ = one(drawing, OPTIONS, PLACES)
    assert all(len(copy.changes) == 3 for copy in copies)


def test_new_words_take_the_case_of_the_old():
    assert written(Drawing(copies=400, keep_case=True, drop=("punctuation", "special"))) == {
        ("Good", "Great"),
        ("Good", "NASA"),
        ("Film", "Movie"),
        ("BAD", "POOR"),
        ("BAD", "MCDULL"),
    }


@given(rows(), st.floats(0, 1), st.integers(0, 9))
def test_copies_stay_near_their_original(plain, distance, seed):
    example, positions = made(plain)
    copies, _ = one(Drawing(copies=20, probability=0.9, seed=seed, longest_distance=distance), example, positions)
    for copy in copies:
        for text in range(len(example.texts)):
            places = sum(position.text == text and len(position.words) > 0 for position in positions)
            assert sum(change.text == text for change in copy.changes) <= distance * places


def test_a_longer_distance_only_adds_changes():
    drawings = [Drawing(copies=50, longest_distance=distance) for distance in (0.34, 1.0)]
    near, far = (
        {copy.draw: {change.original for change in copy.changes} for copy in one(each, OPTIONS, PLACES)[0]}
        for each in drawings
    )
    assert near
    for trial, changed in near.items():
        assert len(changed) == 1
        assert trial not in far or changed <= far[trial]
