import numpy as np
import pytest
from conftest import copies_of, originals

from augment.candidates import NONE
from augment.draw import Drawing
from augment.models.masked_language_model import MaskedLanguageModel, Request
from augment.rewrite import Originals
from augment.strategies.evolving import Evolving
from augment.strategies.tinybert import TinyBert
from augment.vectors import Vectors, prepare
from augment.words import form, surroundings
from schemas.example import Example

ROWS = [*originals(12), Example.original("test", ("a bad film", "The picture was very good"), 0)]


@pytest.fixture(scope="module")
def strategy(masked_language_model_folder, vectors_file, tmp_path_factory) -> Evolving:
    model = MaskedLanguageModel.load(masked_language_model_folder, 1)
    vectors = Vectors.load(prepare(vectors_file, tmp_path_factory.mktemp("vectors"), 1000))
    return Evolving(TinyBert(model, vectors, drawing=Drawing(copies=6, probability=0.6, seed=4), top=5))


def grown(strategy: Evolving | TinyBert, rows=ROWS) -> list[list[Example]]:
    return copies_of(strategy.grow(rows, strategy.propose(rows)), rows)


def naive(strategy: Evolving, example: Example, positions) -> list[tuple[str, ...]]:
    """One trial after another, one word after another, each asked for by itself in the text as it is by then."""
    base, drawing = strategy.base, strategy.drawing
    open = [each.source != NONE for each in positions]
    plan = drawing.plan(Originals([example], [positions]), open)
    columns = (plan.trials, plan.places, plan.numbers)
    planned = {(trial, place): number for trial, place, number in zip(*map(np.ndarray.tolist, columns), strict=True)}
    found = []
    for trial in range(drawing.copies):
        texts = list(example.texts)
        shift = [0, 0]
        for place, position in enumerate(positions):
            if (trial, place) not in planned:
                continue
            text = texts[position.text]
            start, end = position.start + shift[position.text], position.end + shift[position.text]
            words = position.words
            if position.source == "masked_language_model":
                (split,) = base.model.split([text])
                (word,) = (word for word in split.words if word.start == start)
                request = Request(split.pieces, word.piece, surroundings(text, word))
                (answer,) = base.model.propose([request], top=base.top, context=base.context, batch_tokens=64)
                words = answer.words
            word = words[int(planned[trial, place] * len(words))]
            if form(word) != form(text[start:end]):
                texts[position.text] = text[:start] + word + text[end:]
                shift[position.text] += len(word) - (end - start)
        if tuple(texts) != example.texts and tuple(texts) not in found:
            found.append(tuple(texts))
    return found


def test_copies_are_those_of_the_naive_way(strategy):
    positions = strategy.propose(ROWS)
    for example, possible, copies in zip(ROWS, positions, grown(strategy), strict=True):
        assert [copy.texts for copy in copies] == naive(strategy, example, possible)


def test_a_row_grows_alike_in_any_company(strategy):
    together = {example.id: copies for example, copies in zip(ROWS, grown(strategy), strict=True)}
    for example in ROWS:
        (alone,) = grown(strategy, [example])
        assert alone == together[example.id]


def test_later_words_depend_on_earlier_ones(strategy):
    """Otherwise it would be TinyBERT's published way."""
    once, evolving = ([[c.texts for c in copies] for copies in grown(each)] for each in (strategy.base, strategy))
    assert once != evolving


def test_changes_say_what_stood_there(strategy):
    for example, copies in zip(ROWS, grown(strategy), strict=True):
        assert copies
        for copy in copies:
            texts = list(copy.texts)
            for change in reversed(copy.changes):
                text = texts[change.text]
                texts[change.text] = text[: change.start] + change.original + text[change.end :]
            assert tuple(texts) == example.texts
            assert copy.strategy == "evolving"


def test_rows_without_eligible_words_have_no_copies(strategy):
    assert grown(strategy, [Example.original("test", ("the of !",))]) == [[]]
