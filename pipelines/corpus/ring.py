"""The ring: which sentence a random second text begins with, in proportion to sentences and whatever else is there.

Every sentence has a point on a ring, a digest of its document and number. A draw is a point, too, and gets the next
sentence. So a document has as many chances as sentences, and one more document takes only those draws that it is now
itself the answer to (consistent hashing, Karger et al., 1997).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schemas.errors import DataError
from schemas.store import publish
from schemas.temporary import temporary_beside

AT_ONCE = 1 << 20
"""Points that are in memory while they are sorted."""


@dataclass(frozen=True)
class Ring:
    """Points in order, the number of the sentence at each, and the first sentence of every document; memory maps."""

    points: np.ndarray
    sentences: np.ndarray
    firsts: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> "Ring":
        """Map the files of a ring."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("points", "sentences", "firsts")))

    def after(self, point: int, not_in: int) -> tuple[int, int]:
        """Return document and sentence, counted inside it, that come next after a point, outside one document."""
        at = int(np.searchsorted(self.points, np.uint64(point)))
        for step in range(len(self.points)):
            sentence = int(self.sentences[(at + step) % len(self.points)])
            document = int(np.searchsorted(self.firsts, sentence, side="right")) - 1
            if document != not_in:
                return document, sentence - int(self.firsts[document])
        raise DataError(
            "a second document that the tokenizer sees something of",
            "none, though there are others",
            "name more text, or set `corpus.segments: single`",
        )


def points_of(document: int, sentences: int) -> np.ndarray:
    """Return the points of a document's sentences: 64 bits each, mixed as SplitMix64 does (Steele et al., 2014)."""
    with np.errstate(over="ignore"):
        mixed = np.uint64(document) + np.arange(1, sentences + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def write_ring(folder: Path, unsorted: np.ndarray, firsts: np.ndarray) -> None:
    """Sort the points of all sentences, a range of them at a time, and write the files of a ring."""
    total = len(unsorted)
    bits = max(1, (total // AT_ONCE).bit_length())
    points = Column(folder / "points.npy", np.uint64, total)
    sentences = Column(folder / "sentences.npy", np.int64, total)
    for part in range(1 << bits):
        mine = np.concatenate(
            [np.empty(0, np.int64)]
            + [
                start + np.flatnonzero(unsorted[start : start + AT_ONCE] >> np.uint64(64 - bits) == part)
                for start in range(0, total, AT_ONCE)
            ]
        )
        order = np.argsort(unsorted[mine], kind="stable")
        points.add(unsorted[mine[order]])
        sentences.add(mine[order])
    points.publish()
    sentences.publish()
    first = Column(folder / "firsts.npy", np.int64, len(firsts))
    first.add(firsts)
    first.publish()


class Column:
    """One file of numbers that is filled part by part."""

    def __init__(self, path: Path, kind: type, length: int) -> None:
        self.path = path
        self.temporary = temporary_beside(path)
        self.values = np.lib.format.open_memmap(self.temporary, "w+", kind, (length,))
        self.at = 0

    def add(self, part: np.ndarray) -> None:
        """Append numbers."""
        self.values[self.at : self.at + len(part)] = part
        self.at += len(part)

    def publish(self) -> None:
        """Give the file its name."""
        self.values.flush()
        publish(self.temporary, self.path)
