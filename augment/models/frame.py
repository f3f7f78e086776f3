"""Frames: what a tokenizer puts around a text, or around a text and itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import tokenizers

from schemas.configuration import Context

CONTEXTS: tuple[Context, ...] = ("pair", "single")


@dataclass(frozen=True, slots=True)
class Frame:
    """What a tokenizer puts around one text or a pair: an id and a segment for each slot, no id for a text."""

    slots: tuple[tuple[int | None, int], ...]

    @classmethod
    def of(cls, tokenizer: tokenizers.Tokenizer, context: Context) -> "Frame":
        """Read the frame off an encoded letter, or two."""
        encoding = tokenizer.encode("a", "a" if context == "pair" else None)
        pieces = zip(encoding.sequence_ids, encoding.ids, encoding.type_ids, strict=True)
        slots: list[tuple[int | None, int]] = []
        for sequence, group in groupby(pieces, key=lambda piece: piece[0]):
            if sequence is None:
                slots += [(id, segment) for _, id, segment in group]
            else:
                slots.append((None, next(group)[2]))
        return cls(tuple(slots))

    @property
    def offset(self) -> int:
        """How many ids come before the first text, the one that is masked."""
        return [id for id, _ in self.slots].index(None)

    def window(self, pieces: int, masked: int, longest: int) -> slice:
        """Return which pieces of a text are shown: all, or, where the model cannot take them, those around the mask.

        A text that fits by itself is shown whole, and what the model cannot take of its repetition is cut, as in
        TinyBERT's script; of a longer one the model sees as many pieces around the mask as fit into every place.
        """
        texts = sum(id is None for id, _ in self.slots)
        if self.offset + pieces + 1 <= longest:
            return slice(0, pieces)
        width = max(1, (longest - len(self.slots) + texts) // texts)
        start = min(max(0, masked - width // 2), pieces - width)
        return slice(start, start + width)

    def ids(self, pieces: Sequence[int]) -> list[int]:
        """Return the ids of an input around a text's pieces."""
        return [id for slot, _ in self.slots for id in (pieces if slot is None else (slot,))]

    def segments(self, length: int) -> list[int]:
        """Return the segments of an input around a text of so many pieces."""
        return [each for slot, segment in self.slots for each in [segment] * (length if slot is None else 1)]
