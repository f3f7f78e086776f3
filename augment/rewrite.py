"""Rewriting: other words into a text's places, saying what was changed and where the rest went."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from augment.candidates import Positions
from schemas.example import Change, Example, Span

Slot = tuple[int, int, int, str, str]
"""A position of a row: its text, its index among that text's segments, its start, what stands there, its source."""


@dataclass(frozen=True, slots=True)
class Rewriter:
    """The texts of a row, cut at its positions.

    `segments` are, for each text, what stands between its positions and what stands at them, in turn.
    """

    segments: list[list[str]]
    slots: list[Slot]

    @classmethod
    def of(cls, example: Example, positions: Positions) -> "Rewriter":
        """Cut the texts; a row's positions are in order of text and start."""
        segments: list[list[str]] = []
        slots: list[Slot] = []
        for number, text in enumerate(example.texts):
            own = [position for position in positions if position.text == number]
            bounds = [0, *(bound for position in own for bound in (position.start, position.end)), len(text)]
            parts = [text[start:end] for start, end in pairwise(bounds)]
            segments.append(parts)
            slots += [(number, 2 * i + 1, each.start, parts[2 * i + 1], each.source) for i, each in enumerate(own)]
        return cls(segments, slots)

    def written(self, text: int, places: Sequence[int], words: Sequence[str]) -> str:
        """Return a text with words in some of its places."""
        segments = self.segments[text].copy()
        for place, word in zip(places, words, strict=True):
            segments[self.slots[place][1]] = word
        return "".join(segments)


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
