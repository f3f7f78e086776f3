"""Tokenizers: text in, ids out; what looks like a special token in a text is text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from transformers import AutoTokenizer

from distill.skeleton import skeleton_of
from distill.words import first_pieces, places_of
from schemas.checkpoint import Checkpoint
from schemas.digest import identity
from schemas.errors import ModelError
from schemas.example import KEPT, RANDOM, Change, Example
from schemas.lengths import Lengths
from schemas.positions import positions_of
from schemas.task import Kind
from schemas.tokens import FIRST_PIECES, NO_ID


@dataclass(frozen=True)
class Encoded:
    """Ids and segments of some rows, which rows were cut, and what else is known of their ids.

    `masked_positions` and `masked_ids` say of each row which of its ids are masked and what truly stands there,
    `NO_ID` where one mask hides several pieces. `first_pieces` are those of every word, where words count.
    """

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    was_cut: list[bool]
    masked_positions: list[list[int]] = field(default_factory=list)
    masked_ids: list[list[int]] = field(default_factory=list)
    first_pieces: list[list[int]] | None = None

    @property
    def cut(self) -> int:
        """How many rows were cut."""
        return sum(self.was_cut)

    @property
    def lengths(self) -> Lengths:
        """How many ids and masks each row has; rows encoded as bare texts have no masks."""
        return Lengths.of(self.input_ids, self.masked_positions or [()] * len(self.input_ids))

    def append(self, input_ids: list[int], segments: list[int]) -> None:
        """Add a row of which nothing is masked, and whose words do not count."""
        self.input_ids.append(input_ids)
        self.token_type_ids.append(segments)
        self.masked_positions.append([])
        self.masked_ids.append([])

    def columns(self, part: slice) -> dict[str, list[list[int]]]:
        """Return some rows as columns of a group of tokens, by name."""
        every = {
            "input_ids": self.input_ids,
            "token_type_ids": self.token_type_ids,
            FIRST_PIECES: self.first_pieces or [],
            "masked_positions": self.masked_positions,
            "masked_ids": self.masked_ids,
        }
        return {name: column[part] for name, column in every.items()}


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
        positions = positions_of(skeleton_of(checkpoint, Kind.NONE))
        if max_length > positions:
            raise ModelError(
                f"`teach.max_length` of at most {positions}, as {checkpoint.path} has positions for pieces",
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
            return Encoded([], [], [])
        encoded = self.call(texts)
        cut = [bool(encoding.overflowing) for encoding in encoded.encodings]
        return Encoded(encoded["input_ids"], encoded["token_type_ids"], cut)

    def encode_rows(self, examples: Sequence[Example], *, words: bool = False) -> Encoded:
        """Encode rows with their masked positions frozen into the ids, and say where words begin if that is asked.

        Pieces under a mask become one mask id, pieces under a random position one ordinary piece drawn by the row's id
        and the place, kept ones stay. A mask in what is cut off is gone.
        """
        if not examples:
            return Encoded([], [], [], first_pieces=[] if words else None)
        encoded = self.call([example.texts for example in examples])
        cut = [bool(encoding.overflowing) for encoding in encoded.encodings]
        rows = Encoded([], [], cut, [], [], [] if words else None)
        for example, encoding in zip(examples, encoded.encodings, strict=True):
            if not example.masks and rows.first_pieces is None:
                rows.append(encoding.ids, encoding.type_ids)
                continue
            shown = slots(encoding, example.masks)
            rows.input_ids.append([self.reads(example, slot, encoding.ids[slot.piece]) for slot in shown])
            rows.token_type_ids.append([encoding.type_ids[slot.piece] for slot in shown])
            places = [place for place, slot in enumerate(shown) if slot.change]
            rows.masked_positions.append(places)
            truth = [(shown[place], encoding.ids[shown[place].piece]) for place in places]
            rows.masked_ids.append([NO_ID if slot.pieces > 1 else id for slot, id in truth])
            if rows.first_pieces is not None:
                rows.first_pieces.append(first_pieces([slot.span for slot in shown], places_of(example)))
        return rows

    def reads(self, example: Example, slot: "Slot", id: int) -> int:
        """Return the id that a model reads in a place of a row where an id truly stands."""
        if slot.change is None or slot.change.source == KEPT:
            return id
        return self.replacement(example, slot.change)

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


class Slot(NamedTuple):
    """A place among a row's ids: its first piece, how many it hides, the characters they cover, what masks it."""

    piece: int
    pieces: int
    span: tuple[int, int]
    change: Change | None


def slots(encoding: Any, masks: Sequence[Change]) -> list[Slot]:
    """Return the places of a row's ids; all pieces under one mask have one place, those of a kept one their own."""
    found: list[Slot] = []
    for piece, (text, (start, end)) in enumerate(zip(encoding.sequence_ids, encoding.offsets, strict=True)):
        change = next((c for c in masks if text == c.text and start < c.end and c.start < end), None) if masks else None
        if change and change.source != KEPT and found and found[-1].change is change:
            found[-1] = found[-1]._replace(pieces=found[-1].pieces + 1, span=(found[-1].span[0], end))
        else:
            found.append(Slot(piece, 1, (start, end), change))
    return found
