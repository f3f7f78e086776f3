"""Reduced precisions: how near they stay to fp32, layer by layer, and on a real model as a whole."""

import pytest
import torch
from conftest import SHARED

from augment.models import precision
from augment.models.calibration import SENTENCES
from augment.models.masked_language_model import MaskedLanguageModel, Request
from augment.models.precision import Bfloat16Linear, Int8Linear, multiplies_bytes
from augment.stop_words import ENGLISH
from schemas.errors import ModelError

MODEL = SHARED / "models/minilm-mlm"
SENTIMENT = SHARED / "data/glue/SST-2/dev.tsv"
needs_bytes = pytest.mark.skipif(not multiplies_bytes(), reason="this processor does not multiply bytes exactly")


@pytest.fixture
def layer() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(48, 32)


def inputs(outlying: float = 1.0) -> torch.Tensor:
    values = torch.randn(200, 48, generator=torch.Generator().manual_seed(1))
    values[:, 7] *= outlying
    return values


def error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


@needs_bytes
@pytest.mark.parametrize("outlying", [1.0, 40.0])
def test_bytes_are_near_the_exact_product_also_beside_outlying_channels(layer, outlying):
    values = inputs(outlying)
    with torch.inference_mode():
        narrow = Int8Linear(layer, (values.amin(0), values.amax(0)))
        assert error(narrow(values), layer(values)) < 0.02
        assert torch.equal(narrow(values)[3:5], narrow(values[3:5])), "a row depends on its batch"


def test_bf16_is_near_the_exact_product(layer):
    values = inputs()
    with torch.inference_mode():
        exact = layer(values)
        assert error(Bfloat16Linear(layer)(values), exact) < 0.005


@pytest.mark.parametrize("chosen", ["bf16", pytest.param("int8", marks=needs_bytes)])
def test_the_head_stays_exact_and_a_row_does_not_depend_on_its_batch(masked_language_model_folder, chosen):
    model = MaskedLanguageModel.load(masked_language_model_folder, 1, chosen)
    assert model.model.get_output_embeddings().weight.dtype == torch.float32
    splits = model.split(["a good film", "the plot was bad", "it is a good film"])
    requests = [Request(split.pieces, i) for split in splits for i in range(len(split.pieces))]
    together = model.propose(requests, top=9, context="pair", batch_tokens=500)
    alone = [model.propose([each], top=9, context="pair", batch_tokens=500)[0] for each in requests]
    firm = [not proposal.near_tie for proposal in together]
    assert sum(firm) > len(firm) / 2
    assert [t.words for t, f in zip(together, firm, strict=True) if f] == [
        a.words for a, f in zip(alone, firm, strict=True) if f
    ]


def test_a_processor_without_byte_products_is_refused(masked_language_model_folder, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bytes", lambda: False)
    with pytest.raises(ModelError, match=r"augment\.precision"):
        MaskedLanguageModel.load(masked_language_model_folder, 1, "int8")


def test_the_sentences_for_ranges_are_many_and_distinct():
    assert len(set(SENTENCES)) == len(SENTENCES) == 32


@pytest.mark.shared
@pytest.mark.skipif(not (MODEL.is_dir() and SENTIMENT.is_file()), reason="the real data do not lie beside the checkout")
@pytest.mark.parametrize(("chosen", "least"), [("bf16", 0.97), pytest.param("int8", 0.95, marks=needs_bytes)])
def test_most_candidates_are_those_of_fp32(chosen, least):
    lines = [line.split("\t")[0].strip() for line in SENTIMENT.read_text(encoding="utf-8").splitlines()[1:13]]
    exact, narrow = (MaskedLanguageModel.load(MODEL, 1, each) for each in ("fp32", chosen))
    requests = [
        Request(split.pieces, word.piece)
        for split in exact.split(lines)
        for word in split.words
        if word.pieces == 1 and word.form.isalpha() and word.form not in ENGLISH
    ]
    settings = {"top": 15, "context": "pair", "batch_tokens": 4096}
    wanted, found = ([set(p.words) for p in model.propose(requests, **settings)] for model in (exact, narrow))
    overlap = sum(len(a & b) / max(len(a), 1) for a, b in zip(wanted, found, strict=True)) / len(wanted)
    assert overlap >= least
