"""Rewriting: other words into a text's places, saying what was changed and where the rest went."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from augment.candidates import Positions
from schemas.example import Change, Span


@dataclass(frozen=True, slots=True)
class Rewriter:
    """One text of a row, cut at its positions.

    `segments` are what stands between the positions and what stands at them, in turn. `positions` has start, candidates
    and source of each; `first` is the index of the first one among the row's.
    """

    text: int
    segments: list[str]
    positions: list[tuple[int, tuple[str, ...], str]]
    first: int

    @classmethod
    def of(cls, written: str, text: int, positions: Positions) -> "Rewriter":
        """Cut a text; a row's positions are in order of text and start."""
        first = sum(position.text < text for position in positions)
        own = [position for position in positions if position.text == text]
        bounds = [0, *(bound for position in own for bound in (position.start, position.end)), len(written)]
        segments = [written[start:end] for start, end in pairwise(bounds)]
        return cls(text, segments, [(each.start, each.words, each.source) for each in own], first)

    def written(self, places: Sequence[int], choices: Sequence[int]) -> str:
        """Return the text with the chosen words in their places."""
        segments = self.segments.copy()
        for place, choice in zip(places, choices, strict=True):
            segments[2 * (place - self.first) + 1] = self.positions[place - self.first][1][choice]
        return "".join(segments)

    def changes(self, places: Sequence[int], choices: Sequence[int]) -> tuple[Change, ...]:
        """Return what `written` changes, in order."""
        changes = []
        shift = 0
        for place, choice in zip(places, choices, strict=True):
            start, words, source = self.positions[place - self.first]
            original, word = self.segments[2 * (place - self.first) + 1], words[choice]
            start += shift
            changes.append(Change(self.text, start, start + len(word), original, source))
            shift += len(word) - len(original)
        return tuple(changes)


def moved(spans: Sequence[Span], changes: Sequence[Change]) -> tuple[Span, ...]:
    """Return spans of a text as they lie after changes, which are in order: one that holds a change grows with it."""
    shifts = []
    before = 0
    for change in changes:
        start = change.start - before
        by = change.end - change.start - len(change.original)
        shifts.append((change.text, start, start + len(change.original), by))
        before += by
    return tuple(
        replace(
            span,
            start=span.start + sum(by for text, _, end, by in shifts if text == span.text and end <= span.start),
            end=span.end + sum(by for text, start, _, by in shifts if text == span.text and start < span.end),
        )
        for span in spans
    )
