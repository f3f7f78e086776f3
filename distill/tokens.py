"""Tokenizers: text in, ids out; what looks like a special token in a text is text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from schemas.checkpoint import Checkpoint
from schemas.digest import identity
from schemas.errors import ModelError
from schemas.example import MASK, RANDOM, Change, Example
from schemas.tokens import NO_ID


@dataclass(frozen=True)
class Encoded:
    """Ids and segments of some rows, and how many rows were cut.

    `masked_positions` and `masked_ids` say of each row which of its ids are masked and what truly stands there,
    `NO_ID` where one mask hides several pieces; they are empty lists where no row was asked to be masked.
    """

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    cut: int
    masked_positions: list[list[int]] = field(default_factory=list)
    masked_ids: list[list[int]] = field(default_factory=list)


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

    def encode(self, texts: Sequence[tuple[str, ...]]) -> Encoded:
        """Encode single texts or pairs, cut to the longest length from the end of the longer text."""
        if not texts:
            return Encoded([], [], 0)
        encoded = self.call(texts)
        cut = sum(bool(encoding.overflowing) for encoding in encoded.encodings)
        return Encoded(encoded["input_ids"], encoded["token_type_ids"], cut)

    def encode_rows(self, examples: Sequence[Example]) -> Encoded:
        """Encode rows with their masked positions frozen into the ids.

        Pieces under a mask become one mask id, pieces under a random position one ordinary piece drawn by the row's id
        and the place, kept ones stay. A mask in what is cut off is gone.
        """
        plain = self.encode([example.texts for example in examples])
        masked = [row for row, example in enumerate(examples) if example.masks]
        positions: list[list[int]] = [[] for _ in examples]
        truth: list[list[int]] = [[] for _ in examples]
        encodings = self.call([examples[row].texts for row in masked]).encodings if masked else []
        for row, encoding in zip(masked, encodings, strict=True):
            ids, segments = plain.input_ids[row], plain.token_type_ids[row]
            found = self.masked(examples[row], ids, segments, pieces_of(encoding))
            plain.input_ids[row], plain.token_type_ids[row], positions[row], truth[row] = found
        return Encoded(plain.input_ids, plain.token_type_ids, plain.cut, positions, truth)

    def masked(
        self, example: Example, ids: list[int], segments: list[int], pieces: "list[Piece]"
    ) -> tuple[list[int], list[int], list[int], list[int]]:
        """Return a row's ids and segments after masking, the masked positions among them, and the true ids there."""
        under: dict[int, Change] = {}
        for change in example.masks:
            hidden = [i for i, piece in enumerate(pieces) if overlaps(piece, change)]
            under |= {i: change for i in hidden if i not in under}
        kept_ids: list[int] = []
        kept_segments: list[int] = []
        positions: list[int] = []
        truth: list[int] = []
        last: Change | None = None
        for i, (piece, segment) in enumerate(zip(ids, segments, strict=True)):
            change = under.get(i)
            replaces = change is not None and change.source in (MASK, RANDOM)
            if replaces and change is last:
                truth[-1] = NO_ID
                continue
            last = change
            if change is not None:
                positions.append(len(kept_ids))
                truth.append(piece)
            kept_ids.append(self.replacement(example, change) if change is not None and replaces else piece)
            kept_segments.append(segment)
        return kept_ids, kept_segments, positions, truth

    def replacement(self, example: Example, change: Change) -> int:
        """Return the id that a model reads at a position: the mask's, or an ordinary one drawn by row and place."""
        if change.source == RANDOM:
            return int(self.ordinary[identity("random", example.id, change.text, change.start) % len(self.ordinary)])
        if self.backend.mask_token_id is None:
            raise ModelError(
                "a mask token", "a tokenizer without one", "name a model with a mask token, or mask nothing"
            )
        return self.backend.mask_token_id

    @cached_property
    def ordinary(self) -> np.ndarray:
        """Ids of all pieces but the special ones."""
        return np.setdiff1d(np.fromiter(self.backend.get_vocab().values(), np.int64), self.backend.all_special_ids)

    def call(self, texts: Sequence[tuple[str, ...]]) -> Any:
        """Encode single texts or pairs, as the library returns them."""
        columns = [list(column) for column in zip(*texts, strict=True)]
        return self.backend(
            *columns,
            truncation=True,
            max_length=self.max_length,
            return_token_type_ids=True,
            split_special_tokens=True,
        )


Piece = tuple[int | None, int, int]
"""A piece of a row: which of its texts, `None` for special tokens, and its characters there."""


def pieces_of(encoding: Any) -> list[Piece]:
    """Return where the pieces of an encoded row stand."""
    return [(text, start, end) for text, (start, end) in zip(encoding.sequence_ids, encoding.offsets, strict=True)]


def overlaps(piece: Piece, change: Change) -> bool:
    """Whether a piece has a character that a change has."""
    text, start, end = piece
    return text == change.text and start < change.end and change.start < end
