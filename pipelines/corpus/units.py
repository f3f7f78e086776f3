"""Units: the smallest parts that a text is cut into, and how many pieces each has for a tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Encoding
from tokenizers import Tokenizer as Backend
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import AutoTokenizer

from augment.words import literal
from schemas.errors import ModelError


@dataclass(frozen=True)
class Units:
    """The units of one text, in order: first and last character, and the pieces up to the end of each."""

    starts: np.ndarray
    stops: np.ndarray
    pieces: np.ndarray


@dataclass(frozen=True)
class Cutter:
    """A tokenizer that is asked for places, not for ids.

    Units are words where a word has the same pieces wherever it stands, else pieces; then a part of a text may have
    other pieces than it had inside the whole.
    """

    backend: Backend
    words_stand_alone: bool

    @classmethod
    def load(cls, path: Path) -> "Cutter":
        """Load the tokenizer of a folder."""
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise ModelError("a tokenizer with offsets, of the `tokenizers` library", f"{path}: none", "name another")
        backend = literal(tokenizer)
        alone = isinstance(backend.model, WordPiece) and isinstance(backend.pre_tokenizer, BertPreTokenizer)
        return cls(backend, alone)

    def units(self, texts: Sequence[str]) -> list[Units]:
        """Return the units of texts."""
        return [self.units_of(found) for found in self.backend.encode_batch(list(texts), add_special_tokens=False)]

    def units_of(self, encoding: Encoding) -> Units:
        """Return the units of one encoded text."""
        places = np.array(encoding.offsets, np.int32).reshape(-1, 2)
        starts, stops = places[:, 0], places[:, 1]
        pieces = np.arange(1, len(places) + 1, dtype=np.int32)
        if not self.words_stand_alone or not len(places):
            return Units(starts, stops, pieces)
        words = np.array(encoding.word_ids, np.int32)
        last = np.flatnonzero(np.append(words[1:] != words[:-1], True))
        first = np.append(0, last[:-1] + 1)
        return Units(starts[first], stops[last], pieces[last])

    def encode(self, rows: Sequence[Sequence[str]]) -> list[Encoding]:
        """Encode rows as models read them, special tokens and all, however long."""
        return self.backend.encode_batch([tuple(row) if len(row) > 1 else row[0] for row in rows])

    def special(self, texts: int) -> int:
        """Return how many special tokens stand in a row of so many texts."""
        return self.backend.num_special_tokens_to_add(texts > 1)
