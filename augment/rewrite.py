"""Rewriting: other words into a text's places, saying what was changed and where the rest went."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from augment.candidates import Positions
from schemas.example import Change, Span


@dataclass(frozen=True, slots=True)
class Rewriter:
    """One text of a row, cut at its positions.

    `segments` are what stands between the positions and what stands at them, in turn; `places` has start and source of
    each position; `first` is the index of the first one among the row's.
    """

    text: int
    segments: list[str]
    places: list[tuple[int, str]]
    first: int

    @classmethod
    def of(cls, written: str, text: int, positions: Positions) -> "Rewriter":
        """Cut a text; a row's positions are in order of text and start."""
        first = sum(position.text < text for position in positions)
        own = [position for position in positions if position.text == text]
        bounds = [0, *(bound for position in own for bound in (position.start, position.end)), len(written)]
        segments = [written[start:end] for start, end in pairwise(bounds)]
        return cls(text, segments, [(each.start, each.source) for each in own], first)

    def written(self, places: Sequence[int], words: Sequence[str]) -> str:
        """Return the text with words in some of the row's places."""
        segments = self.segments.copy()
        for place, word in zip(places, words, strict=True):
            segments[2 * (place - self.first) + 1] = word
        return "".join(segments)

    def changes(self, places: Sequence[int], words: Sequence[str]) -> tuple[Change, ...]:
        """Return what `written` changes; places are in order."""
        changes = []
        shift = 0
        for place, word in zip(places, words, strict=True):
            start, source = self.places[place - self.first]
            original = self.segments[2 * (place - self.first) + 1]
            start += shift
            changes.append(Change(self.text, start, start + len(word), original, source))
            shift += len(word) - len(original)
        return tuple(changes)


def moved(spans: Sequence[Span], changes: Sequence[Change]) -> tuple[Span, ...]:
    """Return spans of a text as they lie after changes, which are in order of place.

    A span that holds a change grows with it; one whose text is gone is left out.
    """
    kept = []
    for span in spans:
        start, end = span.start, span.end
        # Each change is undone up to itself: it stands where it does after those before it.
        for change in (each for each in changes if each.text == span.text):
            stood = change.start + len(change.original)
            longer = change.end - stood
            start = start + longer if start >= stood else min(start, change.start)
            end = end + longer if end >= stood else min(end, change.end) if end > change.start else end
        if start < end:
            kept.append(span._replace(start=start, end=end))
    return tuple(kept)
