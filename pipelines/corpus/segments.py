"""Segments: which parts of documents make a row, as TinyBERT's published corpus builder chooses them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.corpus.store import Places

TARGET, SEGMENT, MASKS = range(3)
"""What random numbers are for; each has numbers of its own."""

Slice = tuple[int, int]
"""Units of a document, from the first to before the last; none where both are equal."""


class Source(Protocol):
    """Documents that parts can be cut from."""

    def places(self, document: int, /) -> Places:
        """Return where the parts of a document lie."""
        ...

    def after(self, point: int, not_in: int, /) -> tuple[int, int]:
        """Return a document and a sentence of it, outside of one document."""
        ...


@dataclass(frozen=True)
class Seed:
    """What the rows of a document in one pass are a function of: seed, the document's id, the pass."""

    seed: int
    document: int
    turn: int

    def draw(self, purpose: int, index: int = 0) -> np.random.Generator:
        """Return the random numbers for one purpose, of one segment."""
        key = np.array([self.document, self.seed], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=[0, purpose, self.turn, index]))


@dataclass(frozen=True, slots=True)
class Segment:
    """One row to be: units of a document, and, in pairs, of the document of the second text."""

    index: int
    document: int
    first: Slice
    other: int | None = None
    second: Slice = (0, 0)


def segments(document: int, source: Source, seed: Seed, *, room: int, short: float, paired: bool) -> Iterator[Segment]:
    """Cut a document into rows of at most `room` pieces.

    Sentences are added until they have the target length: `room`, or with probability `short`, once for the document,
    a number drawn from 2 to `room`. They are parted at random; half of the second parts, and all that are empty, are
    instead sentences from a random place of another document, and those that were not used begin the next row. A row
    that is too long loses units of its longer text, in front or behind. Without pairs the sentences are one text.
    Source: TinyBERT's corpus builder (Jiao et al., 2020), after BERT's (Devlin et al., 2019, section 3.1).
    """
    places = source.places(document)
    target = room
    draw = seed.draw(TARGET)
    if draw.random() < short:
        target = int(draw.integers(2, room + 1))
    # The pieces up to each sentence's end, so that a length is a difference.
    pieces = places.pieces[places.sentences].tolist()
    units = places.sentences.tolist()
    total = len(units) - 1
    begin = index = 0
    while begin < total:
        end = begin + 1
        while end < total and pieces[end] - pieces[begin] < target:
            end += 1
        draw = seed.draw(SEGMENT, index)
        if not paired:
            found, following = Segment(index, document, (units[begin], units[end])), end
        else:
            found, following = pair(document, index, source, units, pieces, (begin, end), target, draw)
        yield truncated(found, source, room, draw)
        begin, index = following, index + 1


def pair(
    document: int,
    index: int,
    source: Source,
    units: list[int],
    pieces: list[int],
    chunk: Slice,
    target: int,
    draw: np.random.Generator,
) -> tuple[Segment, int]:
    """Part the sentences of a chunk; return the pair and the sentence that the next row begins with."""
    begin, end = chunk
    parting = begin + (int(draw.integers(1, end - begin)) if end - begin > 1 else 1)
    first = (units[begin], units[parting])
    if end - begin > 1 and draw.random() >= 0.5:
        return Segment(index, document, first, document, (units[parting], units[end])), end
    other, sentence = source.after(int(draw.integers(0, 2**64, dtype=np.uint64)), document)
    places = source.places(other)
    wanted = places.pieces[places.sentences[sentence]] + max(1, target - (pieces[parting] - pieces[begin]))
    # The first sentence whose end is far enough, or the document's last.
    last = int(np.searchsorted(places.pieces[places.sentences[sentence + 1 :]], wanted)) + sentence + 1
    last = min(last, len(places.sentences) - 1)
    return Segment(
        index, document, first, other, (int(places.sentences[sentence]), int(places.sentences[last]))
    ), parting


def truncated(segment: Segment, source: Source, room: int, draw: np.random.Generator) -> Segment:
    """Take units off the longer text, the second of equals, in front or behind at random, until the row has room.

    An empty text will be a full stop, of one piece.
    """
    first, second = segment.first, segment.second
    here = source.places(segment.document)
    there = None if segment.other is None else source.places(segment.other)
    while True:
        length = max(1, here.pieces_in(*first))
        other = 0 if there is None else max(1, there.pieces_in(*second))
        if length + other <= room:
            return Segment(segment.index, segment.document, first, segment.other, second)
        if length > other:
            first = shortened(first, draw)
        else:
            second = shortened(second, draw)


def shortened(part: Slice, draw: np.random.Generator) -> Slice:
    """Take one unit off, in front or behind."""
    first, last = part
    return (first + 1, last) if draw.random() < 0.5 else (first, last - 1)
