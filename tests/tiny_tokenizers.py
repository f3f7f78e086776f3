"""Tokenizers of each kind, trained in a moment on a few words: WordPiece, Unigram, byte-level pairs."""

from typing import Any

from conftest import BAD, FILLER, GOOD, OTHER
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = [" ".join([a, b, c, d]) for a in FILLER for b in OTHER for c in GOOD[:5] for d in BAD[:3]] + [
    "(good) film, bad."
]
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
"""The same in RoBERTa's order, where the padding is 1."""


def wrapped(backend: Tokenizer, trainer: Any, special: list[str]) -> PreTrainedTokenizerFast:
    """Train a tokenizer on the corpus and give it frames and a mask."""
    backend.train_from_iterator(CORPUS, trainer)
    begin, end = special[2:4]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(piece, backend.token_to_id(piece)) for piece in (begin, end)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token=special[0], unk_token=special[1], mask_token=special[4]
    )


def byte_level(prefix: bool, order: list[str] = SPECIAL) -> PreTrainedTokenizerFast:
    """Pairs of bytes, as RoBERTa (with a space before the text) and ModernBERT have them."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=order, initial_alphabet=alphabet, show_progress=False)
    return wrapped(backend, trainer, SPECIAL)


def unigram(order: list[str] = SPECIAL) -> PreTrainedTokenizerFast:
    """SentencePiece's, as ALBERT, XLM-R and DeBERTa have them."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=order, unk_token="<unk>", show_progress=False)
    return wrapped(backend, trainer, SPECIAL)


def word_piece() -> PreTrainedTokenizerFast:
    """BERT's, as ELECTRA, DistilBERT and MiniLM have them."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    return wrapped(backend, trainer, special)
