"""Similarity: how near a copy's meaning stays to its original's, by an encoder of sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from schemas.checkpoint import Checkpoint

TEXTS_PER_BATCH = 32
LONGEST = 256


@dataclass(frozen=True)
class Similarity:
    """An encoder whose mean hidden state stands for a text; copies nearer than `least` (a cosine) are kept."""

    model: Any
    tokenizer: Any
    least: float

    @classmethod
    def load(cls, path: Path, least: float, threads: int) -> "Similarity":
        """Load an encoder from a local folder."""
        torch.set_num_threads(threads)
        Checkpoint(path).check()
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, local_files_only=True)
        model = AutoModel.from_pretrained(
            path, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
        return cls(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer, least)

    def near(self, original: Sequence[str], copies: Sequence[Sequence[str]]) -> list[bool]:
        """Return, from the texts of each, which copies' every text is near enough to the original's."""
        if not copies:
            return []
        columns = zip(original, *copies, strict=True)
        cosines = torch.stack([self.cosines(list(texts)) for texts in columns]).amin(0)
        return [cosine >= self.least for cosine in cosines.tolist()]

    def cosines(self, texts: list[str]) -> Float[Tensor, " copies"]:
        """Return the cosine of the first text with each of the others."""
        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        parts = [distinct[i : i + TEXTS_PER_BATCH] for i in range(0, len(distinct), TEXTS_PER_BATCH)]
        embedded = dict(zip(distinct, torch.cat([self.embed(part) for part in parts]), strict=True))
        first, *others = (embedded[text] for text in texts)
        return torch.stack(others) @ first

    @torch.inference_mode()
    def embed(self, texts: list[str]) -> Float[Tensor, "texts width"]:
        """Return the mean hidden state of each text, of length 1."""
        encoded = self.tokenizer(
            texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt", split_special_tokens=True
        ).to(self.model.device)
        hidden = self.model(**encoded).last_hidden_state
        mask = encoded["attention_mask"][..., None]
        return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1).cpu()
