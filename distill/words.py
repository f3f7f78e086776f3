"""Words of rows whose model judges words: where each lies, its first piece, its class."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from schemas.example import Example

NONE = -1
"""In place of a first piece: the word was cut away; in place of a class: nobody said one, or the model could not."""

Place = tuple[int, int]
"""First character of a word, and the one after its last."""


@dataclass(frozen=True)
class Words:
    """The words of some rows end to end; `ends` says where each row's end.

    `first_pieces` counts from the row's first piece, special ones included; `labels` are classes.
    """

    first_pieces: Int[np.ndarray, " words"]
    labels: Int[np.ndarray, " words"]
    ends: Int[np.ndarray, " bounds"]

    @classmethod
    def of(cls, first_pieces: Sequence[Sequence[int]], labels: Sequence[Sequence[int]]) -> "Words":
        """Put rows end to end; a row without labels has words of no class."""
        known = [given or [NONE] * len(found) for given, found in zip(labels, first_pieces, strict=True)]
        counts = [len(found) for found in first_pieces]
        assert counts == [len(given) for given in known], "a row has as many labels as words"
        return cls(
            first_pieces=flat(first_pieces),
            labels=flat(known),
            ends=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        )

    @property
    def has_pieces(self) -> Bool[np.ndarray, " rows"]:
        """Which rows have a word that a model can judge."""
        return self.count(self.first_pieces != NONE) > 0

    @property
    def is_labelled(self) -> Bool[np.ndarray, " rows"]:
        """Which rows have a class for every word that a model can judge."""
        return self.count((self.first_pieces != NONE) & (self.labels == NONE)) == 0

    def count(self, marked: Bool[np.ndarray, " words"]) -> Int[np.ndarray, " rows"]:
        """Return how many words of each row are marked."""
        before = np.concatenate([[0], np.cumsum(marked, dtype=np.int64)])
        return before[self.ends[1:]] - before[self.ends[:-1]]

    def numbers(self, rows: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " words"]:
        """Return the numbers of those words of some rows that have a piece, in order."""
        every = [
            np.arange(start, end)
            for start, end in zip(self.ends[rows].tolist(), self.ends[rows + 1].tolist(), strict=True)
        ]
        found = np.concatenate([np.empty(0, np.int64), *every])
        return found[self.first_pieces[found] != NONE]

    def positions(self, rows: Int[np.ndarray, " rows"], lengths: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " words"]:
        """Return where in a packed batch of rows, `lengths` tokens long, the first pieces of `numbers` lie."""
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        start_of = np.repeat(starts, self.count(self.first_pieces != NONE)[rows])
        return start_of + self.first_pieces[self.numbers(rows)]

    def copy(self) -> "Words":
        """Return words whose labels may be filled in."""
        return replace(self, labels=self.labels.copy())


def flat(rows: Sequence[Sequence[int]]) -> Int[np.ndarray, " words"]:
    """Put the numbers of rows end to end."""
    return np.array([number for row in rows for number in row], np.int64)


def places_of(example: Example) -> list[Place]:
    """Return the words of a row's text: those that have a class, or, in a row without any, what white space parts."""
    tagged = [(span.start, span.end) for span in example.spans if span.label is not None]
    return tagged or [found.span() for found in re.finditer(r"\S+", example.texts[0])]


def labels_of(example: Example) -> list[int]:
    """Return the classes of a row's words, none for a row without."""
    return [span.label for span in example.spans if span.label is not None]


def first_pieces(offsets: Sequence[Place], places: Sequence[Place]) -> list[int]:
    """Return the number of the first piece that covers some of each word; `NONE` where none does.

    Offsets decide, not how a tokenizer marks pieces: some count the space before a word to its first piece, special
    pieces cover nothing.
    """
    found: list[int] = []
    piece = 0
    for start, end in places:
        while piece < len(offsets) and (offsets[piece][1] <= start or offsets[piece][0] == offsets[piece][1]):
            piece += 1
        found.append(piece if piece < len(offsets) and offsets[piece][0] < end else NONE)
    return found
