"""Masked language models of other families, each with its own kind of tokenizer, against one full pass a word."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from tiny_tokenizers import byte_level, unigram, word_piece
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

from augment.models.masked_language_model import MaskedLanguageModel, Request
from augment.models.ranking import GRID
from augment.words import Word, surroundings

TEXTS = ["Good film", "the plot (very good) was bad.", "a bad-ish, unheardof film"]
TOP = 30
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 16}


FAMILIES = {
    "roberta": lambda size: RobertaForMaskedLM(
        RobertaConfig(vocab_size=size, max_position_embeddings=66, type_vocab_size=1, **SMALL)
    ),
    "modernbert": lambda size: ModernBertForMaskedLM(
        ModernBertConfig(vocab_size=size, max_position_embeddings=64, pad_token_id=0, **SMALL)
    ),
    "electra": lambda size: ElectraForMaskedLM(ElectraConfig(vocab_size=size, embedding_size=12, **SMALL)),
    "albert": lambda size: AlbertForMaskedLM(AlbertConfig(vocab_size=size, embedding_size=12, **SMALL)),
    "distilbert": lambda size: DistilBertForMaskedLM(
        DistilBertConfig(vocab_size=size, n_layers=2, n_heads=2, dim=16, hidden_dim=16)
    ),
}
TOKENIZERS = {
    "roberta": lambda: byte_level(True),
    "modernbert": lambda: byte_level(False),
    "electra": word_piece,
    "albert": unigram,
    "distilbert": word_piece,
}


@dataclass
class Pair:
    """A model as we ask it, and the same untouched."""

    ours: MaskedLanguageModel
    plain: Any
    tokenizer: PreTrainedTokenizerFast


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request) -> Pair:
    tokenizer = TOKENIZERS[request.param]()
    torch.manual_seed(3)
    plain = FAMILIES[request.param](len(tokenizer)).eval()
    return Pair(MaskedLanguageModel(copy.deepcopy(plain), tokenizer), plain, tokenizer)


def asked(pair: Pair) -> list[tuple[str, Word, Request]]:
    """The words of one piece of all texts."""
    found = []
    for text, split in zip(TEXTS, pair.ours.split(TEXTS), strict=True):
        for word in split.words:
            if word.pieces == 1 and word.text.isalpha():
                found.append((text, word, Request(split.pieces, word.piece, surroundings(text, word))))
    return found


def full_pass(pair: Pair, request: Request) -> np.ndarray:
    """The plain model's logits at the mask, the text alone."""
    backend = pair.tokenizer.backend_tokenizer
    begin, end = backend.post_processor and (backend.encode("").ids[0], backend.encode("").ids[-1])
    pieces = list(request.pieces)
    pieces[request.masked] = pair.tokenizer.mask_token_id
    with torch.no_grad():
        return pair.plain(input_ids=torch.tensor([[begin, *pieces, end]])).logits[0, request.masked + 1].numpy()


def covers_one_piece(pair: Pair, text: str, word: Word, candidate: str) -> bool:
    """Put a word into the whole text, tokenise that, and see whether one piece covers it."""
    put = text[: word.start] + candidate + text[word.end :]
    end = word.start + len(candidate)
    offsets = pair.ours.tokenizer.encode(put, add_special_tokens=False).offsets
    touching = [(s, e) for s, e in offsets if s < end and e > word.start]
    return len(touching) == 1 and touching[0][1] == end and not put[touching[0][0] : word.start].strip()


def test_words_of_one_piece_are_found(pair):
    words = {word.form for _, word, _ in asked(pair)}
    assert {"film", "bad"} <= words
    assert "unheardof" not in words


def test_scores_are_those_of_a_full_pass(pair):
    questions = asked(pair)
    found = pair.ours.propose([r for *_, r in questions], top=TOP, context="single", batch_tokens=64)
    for (_, _, request), proposal in zip(questions, found, strict=True):
        best = np.sort(full_pass(pair, request))[::-1][:TOP]
        assert all(np.abs(best - score).min() < GRID for score in proposal.scores)


def test_a_candidate_in_place_is_one_piece(pair):
    questions = asked(pair)
    found = pair.ours.propose([r for *_, r in questions], top=TOP, context="single", batch_tokens=64)
    backend = pair.ours.tokenizer
    continuing = getattr(backend.model, "continuing_subword_prefix", None)
    seen = left_out = 0
    for (text, word, request), proposal in zip(questions, found, strict=True):
        logits = full_pass(pair, request)
        ids = sorted(range(len(logits)), key=lambda id: (-round(float(logits[id]) / GRID), id))[:TOP]
        decoded = [backend.decoder.decode([backend.id_to_token(id)]).strip() for id in ids]
        if continuing:
            # As the reference goes by the prefix, so pieces like [MASK] count; the others are one piece in place.
            expected = [backend.id_to_token(id) for id in ids if not backend.id_to_token(id).startswith(continuing)]
        else:
            expected = [each for each in decoded if each and covers_one_piece(pair, text, word, each)]
        if not proposal.near_tie:
            assert list(proposal.words) == expected
        seen += len(expected)
        left_out += TOP - len(expected)
    assert seen
    assert left_out


def test_long_texts_are_asked_in_windows(pair):
    text = " ".join(["the good film was bad"] * 300)
    (split,) = pair.ours.split([text])
    last = split.words[-1]
    request = Request(split.pieces, last.piece, surroundings(text, last))
    (proposal,) = pair.ours.propose([request], top=5, context="pair", batch_tokens=100)
    assert proposal.words
