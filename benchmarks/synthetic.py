"""Models, vectors and sentences out of a seed, for benchmarks on machines that have none at hand."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification, BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = 6000
VOCABULARY = 30522


def words() -> list[str]:
    """Distinct made-up words."""
    draw = random.Random(0)
    found: dict[str, None] = {}
    while len(found) < WORDS:
        found["".join(draw.choices(LETTERS, k=draw.randint(4, 9)))] = None
    return list(found)


def make(folder: Path) -> tuple[Path, Path, list[str]]:
    """Write a BERT of MiniLM's shape with random weights as masked language model, and vectors; return sentences too.

    Nine words of ten are one piece of the vocabulary, the others are spelt in letters, so both routes are taken.
    """
    known = words()
    pieces = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *known[: WORDS * 9 // 10]]
    pieces += [f"[unused{i}]" for i in range(VOCABULARY - len(pieces))]
    ids = {piece: i for i, piece in enumerate(pieces)}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer = BertTokenizer(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    model = BertForMaskedLM(shape)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    matrix = np.random.default_rng(0).normal(size=(WORDS, 100)).astype(np.float32)
    lines = (f"{word} {' '.join(f'{x:.4f}' for x in row)}" for word, row in zip(known, matrix, strict=True))
    (folder / "vectors.txt").write_text("\n".join(lines) + "\n")
    draw = random.Random(1)
    return folder / "model", folder / "vectors.txt", [sentence(draw, known) for _ in range(2000)]


def sentence(draw: random.Random, known: list[str]) -> str:
    """Words in a row, of the length that review phrases have."""
    return " ".join(
        draw.choices([*known, "the", "of", "and", "is"] * 1, k=max(3, round(draw.lognormvariate(2.2, 0.6))))
    )


def classifier(folder: Path, source: Path, **shape: Any) -> Path:
    """Write a two-class classifier, of the same shape unless told otherwise, beside the model's tokenizer."""
    torch.manual_seed(1)
    labels = {"id2label": {0: "negative", 1: "positive"}, "label2id": {"negative": 0, "positive": 1}}
    configuration = BertConfig.from_pretrained(source, **labels, **shape)
    BertForSequenceClassification(configuration).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    return folder
