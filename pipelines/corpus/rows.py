"""Rows of a corpus: segments as text, checked to fit, masked, and as a few numbers by which each is found again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.corpus.masks import masks
from pipelines.corpus.segments import MASKS, SEGMENT, Seed, Segment, Slice, segments, shortened
from pipelines.corpus.store import Places, Store
from pipelines.corpus.units import Cutter
from schemas.configuration import Corpus
from schemas.example import MASKING, Change, Example

EMPTY = "."
"""What stands for a text of which nothing is left."""

AT_ONCE = 256

Located = tuple[int, ...]
"""A row as numbers: document, its units, the other document (-1 for none), its units; then four numbers a mask."""


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of documents: a pure function of the documents, the settings and the seed."""

    name: str
    store: Store
    cutter: Cutter
    settings: Corpus
    seed: int

    @classmethod
    def load(cls, name: str, folder: Path, tokenizer: Path, settings: Corpus, seed: int) -> "RowMaker":
        """Open a store and load the tokenizer it was made with."""
        return cls(name, Store(folder), Cutter.load(tokenizer), settings, seed)

    @property
    def paired(self) -> bool:
        """Whether a row has two texts."""
        return self.settings.segments == "pairs"

    @property
    def room(self) -> int:
        """Pieces of a row that are not special."""
        return self.settings.pieces - self.cutter.special(2 if self.paired else 1)

    # What segments are cut from

    def places(self, document: int) -> Places:
        """Return where the parts of a document lie."""
        return self.store.places(document)

    def after(self, point: int, not_in: int) -> tuple[int, int]:
        """Return document and sentence of a random second text."""
        return self.store.ring.after(point, not_in)

    # Rows

    def rows(self, documents: range) -> Iterator[tuple[Example, Located]]:
        """Yield the rows of some documents, pass by pass, each with the numbers it is found again by."""
        pending: list[tuple[Segment, Seed]] = []
        for document in documents:
            key, _ = self.store.identity(document)
            for turn in range(self.settings.passes):
                seed = Seed(self.seed, key, turn)
                shape = {"room": self.room, "short": self.settings.short, "paired": self.paired}
                pending += ((each, seed) for each in segments(document, self, seed, **shape))
            if len(pending) >= AT_ONCE:
                yield from self.finished(pending)
                pending = []
        yield from self.finished(pending)

    def finished(self, found: list[tuple[Segment, Seed]]) -> Iterator[tuple[Example, Located]]:
        """Yield segments as rows that fit, masked if wanted."""
        if not found:
            return
        drawn: list[tuple[Change, ...]] = [()] * len(found)
        cut = [segment for segment, _ in found]
        # Words that have the same pieces everywhere need no second look.
        if self.settings.mask or not self.cutter.words_stand_alone:
            cut = self.fitting(found)
        if self.settings.mask:
            texts = [self.texts(segment) for segment in cut]
            drawn = [
                masks(text, each, self.settings.mask, self.settings.mask_unit, seed.draw(MASKS, segment.index))
                for text, each, segment, (_, seed) in zip(texts, self.cutter.encode(texts), cut, found, strict=True)
            ]
        for segment, changes in zip(cut, drawn, strict=True):
            located = located_as(segment, changes)
            yield self.row(located), located

    def fitting(self, found: list[tuple[Segment, Seed]]) -> list[Segment]:
        """Take units off rows that have more pieces than they had as parts of their documents."""
        cut = [segment for segment, _ in found]
        # A second stream of the segment's numbers, so that the first is what it is with any tokenizer.
        draws = [seed.draw(SEGMENT, segment.index + (1 << 32)) for segment, seed in found]
        left = list(range(len(cut)))
        while left:
            encoded = self.cutter.encode([self.texts(cut[at]) for at in left])
            over = {at: len(each.ids) - self.settings.pieces for at, each in zip(left, encoded, strict=True)}
            left = [at for at, pieces in over.items() if pieces > 0]
            for at in left:
                for _ in range(over[at]):
                    cut[at] = self.smaller(cut[at], draws[at])
        return cut

    def smaller(self, segment: Segment, draw: np.random.Generator) -> Segment:
        """Take a unit off the text that has more of them."""
        first, second = segment.first, segment.second
        if first[1] - first[0] > second[1] - second[0]:
            return replace(segment, first=shortened(first, draw))
        return replace(segment, second=shortened(second, draw)) if second[1] > second[0] else segment

    def texts(self, segment: Segment) -> tuple[str, ...]:
        """Return the texts of a segment as they stand in their documents."""
        first = self.text(segment.document, segment.first)
        return (first,) if segment.other is None else (first, self.text(segment.other, segment.second))

    def text(self, document: int, part: Slice) -> str:
        """Return a part of a document; a full stop for none."""
        if part[0] >= part[1]:
            return EMPTY
        places = self.store.places(document)
        return self.store.text(document)[places.starts[part[0]] : places.stops[part[1] - 1]]

    def row(self, located: Located) -> Example:
        """Return the row that some numbers stand for; a document that was read twice counts twice."""
        document, begin, end, other, second_begin, second_end, *marks = located
        segment = Segment(0, document, (begin, end), None if other < 0 else other, (second_begin, second_end))
        texts = self.texts(segment)
        changes = tuple(
            Change(text, start, stop, texts[text][start:stop], MASKING[source])
            for text, start, stop, source in zip(*(iter(marks),) * 4, strict=True)
        )
        found = Example.original(self.name, texts, changes=changes)
        return found._replace(count=self.store.identity(document)[1])


def located_as(segment: Segment, changes: tuple[Change, ...]) -> Located:
    """Return a row as numbers."""
    other = -1 if segment.other is None else segment.other
    marks = (n for each in changes for n in (each.text, each.start, each.end, MASKING.index(each.source)))
    return (segment.document, *segment.first, other, *segment.second, *marks)
