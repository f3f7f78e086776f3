"""Tokenizers: text in, ids out; what looks like a special token in a text is text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import AutoTokenizer

from distill.words import Place, first_pieces
from schemas.checkpoint import Checkpoint
from schemas.errors import ModelError


@dataclass(frozen=True)
class Encoded:
    """Ids and segments of some rows, how many rows were cut, and the first piece of every word where words count."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    cut: int
    first_pieces: list[list[int]] | None = None

    @property
    def columns(self) -> tuple[list[list[int]], ...]:
        """What the token group keeps of the rows."""
        return (self.input_ids, self.token_type_ids, *([] if self.first_pieces is None else [self.first_pieces]))


@dataclass(frozen=True)
class Tokenizer:
    """The tokenizer of a checkpoint, and the longest row it may give."""

    backend: Any
    fingerprint: str
    max_length: int

    @classmethod
    def load(cls, checkpoint: Checkpoint, max_length: int) -> "Tokenizer":
        """Load a tokenizer; raises `ModelError` where it lacks padding or does not fit its model's vocabulary."""
        backend = AutoTokenizer.from_pretrained(checkpoint.path, trust_remote_code=False)
        if backend.pad_token_id is None:
            raise ModelError("a padding token", f"{checkpoint.path}: none", "add one to the tokenizer's files")
        vocabulary = checkpoint.configuration.get("vocab_size")
        if vocabulary is not None and len(backend) > vocabulary:
            raise ModelError(
                f"a tokenizer of at most {vocabulary:,} pieces, as the model has embeddings",
                f"{checkpoint.path}: {len(backend):,} pieces",
                "put the model's own tokenizer beside it",
            )
        positions = checkpoint.configuration.get("max_position_embeddings")
        if positions is not None and max_length > positions:
            raise ModelError(
                f"`teach.max_length` of at most {positions}, as the model has positions",
                f"{max_length}",
                f"set teach.max_length={positions} or lower",
            )
        return cls(backend, checkpoint.tokenizer_fingerprint, max_length)

    @property
    def padding(self) -> int:
        """Id of the padding token."""
        return self.backend.pad_token_id

    def encode(self, texts: Sequence[tuple[str, ...]], words: Sequence[Sequence[Place]] | None = None) -> Encoded:
        """Encode single texts or pairs, cut to the longest length from the end of the longer text.

        `words` are the places of the words of every row where the model judges words.
        """
        if not texts:
            return Encoded([], [], 0, None if words is None else [])
        columns = [list(column) for column in zip(*texts, strict=True)]
        encoded = self.backend(
            *columns,
            truncation=True,
            max_length=self.max_length,
            return_token_type_ids=True,
            split_special_tokens=True,
        )
        cut = sum(bool(encoding.overflowing) for encoding in encoded.encodings)
        found = None
        if words is not None:
            found = [first_pieces(e.offsets, places) for e, places in zip(encoded.encodings, words, strict=True)]
        return Encoded(encoded["input_ids"], encoded["token_type_ids"], cut, found)
