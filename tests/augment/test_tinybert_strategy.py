import json
from pathlib import Path

import pytest
from conftest import BAD, GOOD, SHARED, copies_of

from augment.candidates import NONE, Position
from augment.draw import Drawing
from augment.eligibility import Eligibility
from augment.models.masked_language_model import MaskedLanguageModel
from augment.proposers import Proposers
from augment.strategies.tinybert import TinyBert
from augment.strategy import Setting, load_strategy
from augment.vectors import Vectors, prepare
from augment.words import form
from schemas.configuration import Augmentation
from schemas.example import Example

REFERENCE = SHARED / "data/reference/tinybert_candidates.jsonl"
SOURCES = {"mlm": "masked_language_model", "glove": "vectors", "none": NONE}

SINGLE = Example.original("test", ("The Wonderful film, isn't zqx or GOOD!",), 1)
PAIR = Example.original("test", ("a bad film", "The picture\twas bad ... [MASK]"), 0)


@pytest.fixture(scope="module")
def strategy(masked_language_model_folder: Path, vectors_file: Path, tmp_path_factory) -> TinyBert:
    model = MaskedLanguageModel.load(masked_language_model_folder, 1)
    vectors = Vectors.load(prepare(vectors_file, tmp_path_factory.mktemp("vectors"), 1000))
    return TinyBert(model, vectors, drawing=Drawing(copies=10), top=5)


def described(example: Example, positions: tuple[Position, ...]) -> list[tuple[int, str, str]]:
    return [(p.text, example.texts[p.text][p.start : p.end], p.source) for p in positions]


def test_each_eligible_word_goes_to_its_source(strategy):
    single, pair = strategy.propose([SINGLE, PAIR])
    assert described(SINGLE, single) == [
        (0, "Wonderful", "vectors"),
        (0, "film", "masked_language_model"),
        (0, "zqx", "none"),
        (0, "GOOD", "masked_language_model"),
    ]
    assert described(PAIR, pair) == [
        (0, "bad", "masked_language_model"),
        (0, "film", "masked_language_model"),
        (1, "picture", "vectors"),
        (1, "bad", "masked_language_model"),
        (1, "MASK", "none"),
    ]
    for position in (*single, *pair):
        assert len(position.words) == len(position.scores) <= 5
        assert bool(position.words) == (position.source is not NONE)
        assert list(position.scores) == sorted(position.scores, reverse=True)


def test_without_vectors_words_of_several_pieces_stay(strategy):
    (positions,) = TinyBert(strategy.model, None, top=5).propose([SINGLE])
    assert [position.source for position in positions] == [
        "none",
        "masked_language_model",
        "none",
        "masked_language_model",
    ]


def test_texts_are_put_to_the_model_once(strategy, monkeypatch):
    asked = []
    propose = MaskedLanguageModel.propose
    monkeypatch.setattr(
        MaskedLanguageModel,
        "propose",
        lambda self, requests, **settings: asked.extend(requests) or propose(self, requests, **settings),
    )
    text = "a good film"
    rows = [Example.original("test", (text,)), Example.original("test", (text, text)), Example.original("b", (text,))]
    one, two, three = strategy.propose(rows)
    assert len(asked) == 2
    assert one == three == two[:2]
    assert [(p.text, p.start, p.words) for p in two[2:]] == [(1, p.start, p.words) for p in one]


@pytest.mark.parametrize("text", ["", " ", "!?", "the of", "中文 😀"])
def test_rows_without_eligible_words_have_no_copies(strategy, text):
    example = Example.original("test", (text,))
    assert strategy.propose([example]) == [()]
    assert copies_of(strategy.grow([example], [()]), [example]) == [[]]


def test_no_rows_give_nothing(strategy):
    assert strategy.propose([]) == []


def test_copies_keep_what_was_not_replaced(strategy):
    (positions,) = strategy.propose([PAIR])
    ((batch, counts),) = strategy.grow([PAIR], [positions])
    (copies,) = copies_of([(batch, counts)], [PAIR])
    assert 0 < len(copies) <= counts["trials"] == 10
    for copy in copies:
        assert (copy.strategy, copy.origin, copy.label) == ("tinybert", PAIR.id, 0)
        assert PAIR.texts[(copy.draw + 1) % 2] == copy.texts[(copy.draw + 1) % 2]
        assert copy.texts[0].startswith("a ")
        assert copy.texts[1].startswith("The ")
        assert copy.texts[1].endswith(" ... [MASK]")
        assert "\twas " in copy.texts[1]


def test_settings_reach_the_strategy(masked_language_model_folder, strategy):
    settings = Augmentation(
        masked_language_model=str(masked_language_model_folder), context="single", candidates=3, copies=7
    )
    proposers = Proposers(masked_language_model_folder, None)
    loaded = load_strategy("tinybert", Setting(settings, proposers, Eligibility(), seed=5))
    assert isinstance(loaded, TinyBert)
    assert (loaded.context, loaded.top, loaded.vectors) == ("single", 3, None)
    assert (loaded.drawing.copies, loaded.drawing.seed) == (7, 5)
    (positions,) = loaded.propose([Example.original("test", (f"{GOOD[0]} {BAD[0]}",))])
    assert [len(position.words) <= 3 for position in positions] == [True, True]


@pytest.mark.shared
@pytest.mark.skipif(not REFERENCE.is_file(), reason="the real data and models do not lie beside the checkout")
def test_candidates_are_those_of_the_reference_script(tmp_path, record_property):
    model = MaskedLanguageModel.load(SHARED / "models/minilm-mlm", 1)
    vectors = Vectors.load(prepare(SHARED / "models/vectors/vectors.76k.100d.txt.gz", tmp_path, 100_000))
    lines = [json.loads(line) for line in REFERENCE.read_text(encoding="utf-8").splitlines()]
    examples = [Example.original("reference", (line["sentence"],)) for line in lines]
    proposed = TinyBert(model, vectors).propose(examples)
    sets = ties = 0
    for line, example, positions in zip(lines, examples, proposed, strict=True):
        expected = {int(i): each for i, each in line["candidates"].items()}
        places = [(form(example.texts[0][p.start : p.end]), p.source) for p in positions]
        assert places == [(line["words"][i], SOURCES[each["source"]]) for i, each in sorted(expected.items())]
        for (_, each), position in zip(sorted(expected.items()), positions, strict=True):
            sets += 1
            if position.source is NONE:
                continue
            difference = set(position.words) ^ set(each["words"])
            if difference:
                assert difference == {position.words[-1], each["words"][-1]}, (line["sentence"], each, position)
                ties += 1
    record_property("ties", ties)
    assert sets == 839
    assert ties <= 2
