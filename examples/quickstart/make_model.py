"""Pre-train the small BERT of the quickstart: `python examples/quickstart/make_model.py --text a.txt.gz b.txt.gz`.

A text file holds a paragraph a line; a blank line ends a document. The run keeps its state in `--work` and goes on
from there when it is started again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from texts import documents
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, CLS, SEP, MASK = 0, 2, 3, 4
VOCABULARY = 6_500
WINDOW = 64
BATCH = 64
CHOSEN = 0.15
SHAPE = {
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "max_position_embeddings": 128,
}


def train_tokenizer(paths: list[Path]) -> Tokenizer:
    """A WordPiece vocabulary of lower-case pieces, learnt from the texts."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, limit_alphabet=160, show_progress=False
    )
    tokenizer.train_from_iterator((" ".join(sentences) for sentences in documents(paths)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    return tokenizer


def windows(tokenizer: Tokenizer, paths: list[Path]) -> np.ndarray:
    """Whole sentences of one document side by side, cut where a window is full; rows of `WINDOW` ids, padded."""
    rows: list[np.ndarray] = []

    def close(ids: list[int]) -> None:
        row = np.full(WINDOW, PAD, dtype=np.uint16)
        row[: len(ids) + 2] = [CLS, *ids, SEP]
        rows.append(row)

    for sentences in documents(paths):
        held: list[int] = []
        for encoding in tokenizer.encode_batch(sentences, add_special_tokens=False):
            ids = encoding.ids
            if held and len(held) + len(ids) > WINDOW - 2:
                close(held)
                held = []
            while len(ids) > WINDOW - 2:
                close(ids[: WINDOW - 2])
                ids = ids[WINDOW - 2 :]
            held = held + ids
        if held:
            close(held)
    return np.stack(rows)


def masked(ids: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """The ids as the model sees them, and which positions it must tell (Devlin et al. 2019, §3.1: 80/10/10)."""
    chosen = (torch.rand(ids.shape, generator=generator) < CHOSEN) & (ids > MASK)
    kind = torch.rand(ids.shape, generator=generator)
    other = torch.randint(len(SPECIAL), VOCABULARY, ids.shape, generator=generator)
    seen = torch.where(chosen & (kind < 0.8), MASK, ids)
    return torch.where(chosen & (kind >= 0.9), other, seen), chosen


def scores(model: BertForMaskedLM, ids: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Scores over the vocabulary at the chosen positions only."""
    hidden = model.bert(ids, attention_mask=(ids != PAD).long()).last_hidden_state
    return model.cls(hidden[chosen])


def batches(rows: np.ndarray, seed: int) -> Iterator[torch.Tensor]:
    """Batches for ever: each pass in a new order, rows of like length together so that little is padded."""
    lengths = (rows != PAD).sum(axis=1)
    for epoch in range(1_000):
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(len(rows))
        pools = [order[start : start + BATCH * 50] for start in range(0, len(order), BATCH * 50)]
        for pool in pools:
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            parts = [pool[start : start + BATCH] for start in range(0, len(pool) - BATCH + 1, BATCH)]
            for index in generator.permutation(len(parts)):
                part = parts[index]
                yield torch.from_numpy(rows[part, : lengths[part].max()].astype(np.int64))


def train(rows: np.ndarray, work: Path, steps: int, rate: float, seed: int) -> BertForMaskedLM:
    """Masked-word training with a linear warm-up and decay; state is kept every 500 steps."""
    torch.manual_seed(seed)
    model = BertForMaskedLM(
        BertConfig(vocab_size=VOCABULARY, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **SHAPE)
    )
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.01},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)
    warm = min(500, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (steps - step) / (steps - warm))
    )
    state, first = work / "state.pt", 0
    if state.exists():
        held = torch.load(state, weights_only=True)
        model.load_state_dict(held["model"])
        optimizer.load_state_dict(held["optimizer"])
        schedule.load_state_dict(held["schedule"])
        first = held["step"]
    model.train()
    began, total = time.monotonic(), 0.0
    for step, ids in enumerate(batches(rows, seed)):
        if step == steps:
            break
        if step < first:
            continue
        seen, chosen = masked(ids, torch.Generator().manual_seed(seed * 1_000_003 + step))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = scores(model, seen, chosen)
        loss = functional.cross_entropy(found.float(), ids[chosen])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        total += loss.item()
        if (step + 1) % 100 == 0:
            pace = (time.monotonic() - began) / (step + 1 - first)
            left = pace * (steps - step - 1) / 60
            print(f"step {step + 1:,} of {steps:,}  loss {total / 100:.3f}  {left:.0f} min left", flush=True)
            total = 0.0
        if (step + 1) % 500 == 0:
            parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
            fresh = state.with_suffix(".new")
            torch.save({"step": step + 1, **{name: part.state_dict() for name, part in parts.items()}}, fresh)
            fresh.replace(state)
    return model.eval()


def main() -> None:
    """Vocabulary, training, and the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, nargs="+", required=True, help="gzipped texts, a paragraph a line")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--work", type=Path, default=Path("runs/quickstart-model"))
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)

    vocabulary, packed = arguments.work / "tokenizer.json", arguments.work / "windows.npy"
    if not vocabulary.exists():
        train_tokenizer(arguments.text).save(str(vocabulary))
    tokenizer = Tokenizer.from_file(str(vocabulary))
    if not packed.exists():
        np.save(packed, windows(tokenizer, arguments.text))
    rows = np.load(packed, mmap_mode="r")
    print(json.dumps({"windows": len(rows), "tokens": int((rows != PAD).sum())}), flush=True)

    model = train(rows, arguments.work, arguments.steps, arguments.rate, arguments.seed)
    model.half().save_pretrained(arguments.out)
    BertTokenizer(
        tokenizer_object=tokenizer,
        model_max_length=SHAPE["max_position_embeddings"],
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
