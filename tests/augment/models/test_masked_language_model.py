import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import configuration, save, tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import BertForMaskedLM, BertModel

from augment.models.masked_language_model import MaskedLanguageModel, Proposal, Request
from augment.models.ranking import GRID
from schemas.errors import ModelError

TEXTS = [
    "a good film",
    "the plot was very bad and the script is weak!",
    "superb",
    "zqx is a lovely film",
    "the ending of it is dull, the music is warm.",
]
LENGTH = 64


@pytest.fixture(scope="module")
def model(masked_language_model_folder: Path) -> MaskedLanguageModel:
    return MaskedLanguageModel.load(masked_language_model_folder, 1)


@pytest.fixture(scope="module")
def plain(masked_language_model_folder: Path) -> BertForMaskedLM:
    return BertForMaskedLM.from_pretrained(masked_language_model_folder).eval()


def requests(model: MaskedLanguageModel, texts=TEXTS) -> list[Request]:
    return [Request(split.pieces, i) for split in model.split(texts) for i in range(len(split.pieces))]


def naive(plain: BertForMaskedLM, request: Request, top: int, context: str) -> Proposal:
    """One full forward pass for one mask, as the reference does, all logits and a full sort."""
    vocabulary = tokenizer().get_vocab()
    names = {id: piece for piece, id in vocabulary.items()}
    begin, end, mask = (vocabulary[name] for name in ("[CLS]", "[SEP]", "[MASK]"))
    pieces, masked = list(request.pieces), request.masked
    if len(pieces) > LENGTH - 2:
        width = LENGTH - 2 if context == "single" else (LENGTH - 3) // 2
        start = max(0, min(masked - width // 2, len(pieces) - width))
        pieces, masked = pieces[start : start + width], masked - start
    first = [begin, *(mask if i == masked else id for i, id in enumerate(pieces)), end]
    second = [*pieces, end] if context == "pair" else []
    ids = torch.tensor([[*first, *second][:LENGTH]])
    segments = torch.tensor([([0] * len(first) + [1] * len(second))[:LENGTH]])
    with torch.no_grad():
        logits = np.round(plain(input_ids=ids, token_type_ids=segments).logits[0, masked + 1].numpy() / GRID) * GRID
    best = sorted(range(len(logits)), key=lambda id: (-logits[id], id))[:top]
    # A piece that continues a word is asked about here too, so the other kind is left out then.
    continues = names[request.pieces[request.masked]].startswith("##")
    kept = [id for id in best if names[id].startswith("##") == continues]
    return Proposal(tuple(names[id] for id in kept), tuple(float(logits[id]) for id in kept))


def check(found: list[Proposal], expected: list[Proposal]) -> None:
    firm = [i for i, proposal in enumerate(found) if not proposal.near_tie]
    assert [found[i].words for i in firm] == [expected[i].words for i in firm]
    for one, other in zip(found, expected, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=2 * GRID)


@pytest.mark.parametrize("context", ["pair", "single"])
@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_batches_give_what_one_pass_a_mask_gives(model, plain, context, batch_tokens):
    asked = requests(model)
    found = model.propose(asked, top=15, context=context, batch_tokens=batch_tokens)
    check(found, [naive(plain, request, 15, context) for request in asked])
    assert any(len(proposal.words) < 15 for proposal in found)


@pytest.mark.parametrize("context", ["pair", "single"])
@pytest.mark.parametrize("words", [29, 31, 40, 61, 62, 63, 64, 80])
def test_of_long_texts_a_window_around_the_word_is_shown(model, plain, context, words):
    """31 pieces and their repetition do not fit into 64 positions, so that is cut; 63 do not even fit once."""
    asked = requests(model, [" ".join(["good", "film"] * 40)[: 5 * words].strip()])
    assert len(asked) == words
    found = model.propose(asked, top=5, context=context, batch_tokens=200)
    check(found, [naive(plain, request, 5, context) for request in asked])
    assert all(proposal.words for proposal in found)


def test_equal_requests_are_asked_once(model):
    asked = requests(model)
    batches = list(model.batches([*asked, *asked], "pair", 10_000))
    assert sum(len(batch.requests) for batch in batches) == len(set(asked)) == len(asked)
    found = model.propose([*asked, *asked], top=5, context="pair", batch_tokens=100)
    assert found[: len(asked)] == found[len(asked) :]


@settings(max_examples=30)
@given(order=st.permutations(range(5)), batch_tokens=st.integers(1, 300), context=st.sampled_from(["pair", "single"]))
def test_batches_hold_each_request_once_under_the_budget(model, order, batch_tokens, context):
    asked = requests(model, [TEXTS[i] for i in order])
    batches = list(model.batches(asked, context, batch_tokens))
    assert Counter(request for batch in batches for request in batch.requests) == Counter(asked)
    for batch in batches:
        assert len(batch.requests) == 1 or batch.input_ids.numel() <= batch_tokens
        assert (batch.input_ids[torch.arange(len(batch.requests)), batch.masked] == model.mask).all()
        assert (batch.input_ids == model.mask).sum() == len(batch.requests)


def test_the_same_requests_give_the_same_bits(model):
    asked = requests(model)
    first, second = (model.propose(asked, top=9, context="pair", batch_tokens=90) for _ in range(2))
    assert first == second


def test_more_words_than_the_vocabulary_are_all_of_it(model):
    (found,) = model.propose(requests(model, ["good"]), top=10**6, context="single", batch_tokens=100)
    assert len(found.words) == sum(not piece.startswith("##") for piece in tokenizer().get_vocab())
    assert list(found.scores) == sorted(found.scores, reverse=True)


def test_nothing_is_asked_for_nothing(model):
    assert model.propose([], top=5, context="pair", batch_tokens=100) == []


def test_half_precision_is_widened(masked_language_model_folder, tmp_path):
    folder = shutil.copytree(masked_language_model_folder, tmp_path / "half")
    weights = load_file(folder / "model.safetensors")
    halves = {name: weight.half() for name, weight in weights.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**described, "dtype": "float16"}))
    loaded = MaskedLanguageModel.load(folder, 1)
    assert {weight.dtype for weight in loaded.model.state_dict().values()} == {torch.float32}
    assert not loaded.model.training


def test_a_model_without_a_head_for_masked_words_is_refused(teacher_folder, tmp_path):
    with pytest.raises(ModelError, match=r"no weights for cls\.predictions"):
        MaskedLanguageModel.load(teacher_folder, 1)
    folder = save(BertModel(configuration()), tmp_path / "encoder")
    with pytest.raises(ModelError, match="a trained head"):
        MaskedLanguageModel.load(folder, 1)


def test_a_tokenizer_without_a_mask_is_refused(masked_language_model_folder, tmp_path):
    folder = shutil.copytree(masked_language_model_folder, tmp_path / "unmasked")
    described = json.loads((folder / "tokenizer_config.json").read_text())
    described = {key: value for key, value in described.items() if key != "mask_token"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**described, "tokenizer_class": "PreTrainedTokenizerFast", "mask_token": None})
    )
    with pytest.raises(ModelError, match="a mask token"):
        MaskedLanguageModel.load(folder, 1)


def test_a_tokenizer_of_another_model_is_refused(masked_language_model_folder, tmp_path):
    folder = shutil.copytree(masked_language_model_folder, tmp_path / "other")
    tokenizer([*tokenizer().get_vocab(), "newer", "words"]).save_pretrained(folder)
    with pytest.raises(ModelError, match="as the model has embeddings"):
        MaskedLanguageModel.load(folder, 1)


def test_a_model_that_masks_nothing_is_refused(masked_language_model_folder, tmp_path):
    folder = shutil.copytree(masked_language_model_folder, tmp_path / "causal")
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "vocab_size": 200}))
    with pytest.raises(ModelError, match="masked language model"):
        MaskedLanguageModel.load(folder, 1)
