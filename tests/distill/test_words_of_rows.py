import numpy as np
import pytest
import torch
from conftest import TAGS, tagged
from hypothesis import given
from hypothesis import strategies as st

from distill.encoder import Encoder
from distill.evaluate import HeldOut, predictions
from distill.tokens import Tokenizer
from distill.training_rows import TrainingRows
from distill.words import NONE, Words, first_pieces, places_of
from schemas.checkpoint import Checkpoint
from schemas.example import Example, Span
from schemas.signal import token_logits
from schemas.task import Kind, Metric, Task, metrics_of

TASK = Task(kind=Kind.TOKEN_CLASSIFICATION, texts=("tokens",), label="tags", labels=TAGS)


def example(words: list[str], tags: list[str] | None) -> Example:
    spans, start = [], 0
    for i, word in enumerate(words):
        spans.append(Span(0, start, start + len(word), TAGS.index(tags[i]) if tags else None))
        start += len(word) + 1
    return Example.original("n", (" ".join(words),), None, tuple(spans) if tags else ())


@pytest.mark.parametrize(
    ("offsets", "places", "found"),
    [
        # As WordPiece gives them: specials cover nothing, a word may have several pieces.
        ([(0, 0), (0, 1), (2, 4), (4, 6), (0, 0)], [(0, 1), (2, 6)], [1, 2]),
        # As a tokenizer that counts the space before a word to its first piece.
        ([(0, 1), (1, 4), (4, 6), (6, 9)], [(0, 1), (2, 6), (7, 9)], [0, 1, 3]),
        # The last word was cut away, one has no piece at all, two share one.
        ([(0, 0), (0, 1), (0, 0)], [(0, 1), (2, 6)], [1, NONE]),
        ([(0, 0), (0, 1), (4, 6), (0, 0)], [(0, 1), (2, 3), (4, 6)], [1, NONE, 2]),
        ([(0, 5)], [(0, 2), (3, 5)], [0, 0]),
        ([], [(0, 2)], [NONE]),
    ],
)
def test_offsets_decide_where_a_word_begins(offsets, places, found):
    assert first_pieces(offsets, places) == found


words_of_rows = st.lists(st.lists(st.tuples(st.integers(-1, 6), st.integers(0, 4)), max_size=4), min_size=1, max_size=5)


@given(words_of_rows, st.data())
def test_words_of_some_rows_lie_where_those_rows_lie(rows, data):
    words = Words.of([[piece for piece, _ in row] for row in rows], [[label for _, label in row] for row in rows])
    some = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6)), np.int64)
    lengths = np.array(data.draw(st.lists(st.integers(7, 9), min_size=len(some), max_size=len(some))), np.int64)
    expected, labels, start = [], [], 0
    for row, length in zip(some.tolist(), lengths.tolist(), strict=True):
        expected += [start + piece for piece, _ in rows[row] if piece != NONE]
        labels += [label for piece, label in rows[row] if piece != NONE]
        start += length
    assert words.positions(some, lengths).tolist() == expected
    assert words.labels[words.numbers(some)].tolist() == labels
    assert words.has_pieces.tolist() == [any(piece != NONE for piece, _ in row) for row in rows]
    assert words.is_labelled.all()


def test_words_without_tags_are_what_white_space_parts():
    one, two = example(["a", "wonderful", "film"], ["O", "B-verdict", "O"]), example(["a", "wonderful", "film"], None)
    assert places_of(one) == places_of(two) == [(0, 1), (2, 11), (12, 16)]


def test_the_first_piece_of_a_word_is_its_answer(token_teacher_folder):
    checkpoint = Checkpoint.find(str(token_teacher_folder))
    encoder, tokenizer = Encoder.load(checkpoint, TASK), Tokenizer.load(checkpoint, 32)
    rows = TrainingRows.of_examples([example(*row) for row in tagged(7)], tokenizer, TASK)
    batch = rows.batch(np.array([5, 2, 6]))
    with torch.no_grad():
        spoken = batch.at_words(encoder.read(batch, [token_logits()])[token_logits()])
        for number, row in enumerate([5, 2, 6]):
            words = tagged(7)[row][0]
            batch_of_one = tokenizer.backend(words, is_split_into_words=True, return_tensors="pt")
            logits = encoder.model(**batch_of_one).logits[0]
            ids = batch_of_one.word_ids()
            expected = logits[[ids.index(word) for word in range(len(words))]]
            before = sum(len(tagged(7)[other][0]) for other in [5, 2, 6][:number])
            torch.testing.assert_close(spoken[before : before + len(words)], expected, rtol=1e-4, atol=1e-5)
    assert rows.targets(batch).tolist() == [TAGS.index(tag) for row in (5, 2, 6) for tag in tagged(7)[row][1]]


def test_words_that_are_cut_away_are_wrong_and_do_not_vanish(token_teacher_folder):
    checkpoint = Checkpoint.find(str(token_teacher_folder))
    encoder = Encoder.load(checkpoint, TASK)
    examples = [example(*row) for row in tagged(20)]
    for metric in metrics_of(Kind.TOKEN_CLASSIFICATION):
        task = TASK.model_copy(update={"metric": metric})
        held_out = HeldOut.of(examples, Tokenizer.load(checkpoint, 5), task)
        found = predictions(encoder, held_out)
        assert len(found) == sum(len(words) for words, _ in tagged(20))
        cut = held_out.rows.words.first_pieces == NONE
        assert cut.any()
        assert (found[cut] == NONE).all()
        perfect = np.where(cut, NONE, held_out.rows.words.labels)
        assert held_out.judge.score(perfect) < 1
        assert held_out.judge.score(held_out.rows.words.labels) == 1
        if metric is Metric.ACCURACY:
            assert held_out.judge.score(perfect) == pytest.approx((~cut).mean())
