"""Candidate sets against those of the reference script, on real sentences with real models."""

import json
from pathlib import Path

import pytest
from conftest import SHARED

from augment.candidates import Source
from augment.strategies import tinybert
from augment.vectors import prepare
from schemas.configuration import Augmentation
from schemas.example import Example

REFERENCE = SHARED / "data/reference/tinybert_candidates.jsonl"
SOURCES = {"mlm": Source.MASKED_LANGUAGE_MODEL, "glove": Source.VECTORS, "none": Source.NONE}

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference values lie beside the checkout"),
]


@pytest.fixture(scope="module")
def strategy(tmp_path_factory: pytest.TempPathFactory) -> tinybert.TinyBert:
    folder = prepare(SHARED / "models/vectors/vectors.76k.100d.txt.gz", tmp_path_factory.mktemp("vectors"), 100_000)
    model = SHARED / "models/minilm-mlm"
    return tinybert.load(Augmentation(masked_language_model=str(model)), 0, Path(model), folder)


def test_pair_context_gives_the_references_sets(strategy: tinybert.TinyBert):
    """The reference numbers words; ours have places, so both are compared in the order of the sentence."""
    lines = [json.loads(line) for line in REFERENCE.read_text(encoding="utf-8").splitlines()]
    rows = strategy.propose([Example.original("reference", (line["sentence"],)) for line in lines])
    compared = ties = 0
    for line, positions in zip(lines, rows, strict=True):
        expected = [line["candidates"][index] for index in sorted(line["candidates"], key=int)]
        assert [SOURCES[each["source"]] for each in expected] == [position.source for position in positions]
        for each, position in zip(expected, positions, strict=True):
            compared += 1
            if position.source is Source.NONE or set(each["words"]) == set(position.words):
                continue
            assert len(set(each["words"]) ^ set(position.words)) == 2, (line["sentence"], each, position)
            ties += 1
    assert compared == 755 + 84
    assert ties <= 2
