"""Drawing: copies of a row from its candidates; pure, seeded, and without a model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int

from augment.candidates import Position
from augment.words import form
from schemas.example import Change, Example, Span

Drawn = Counter[str]


def draw(
    example: Example, positions: Sequence[Position], *, copies: int, probability: float, seed: int, strategy: str
) -> tuple[list[Example], Drawn]:
    """Return the distinct copies of a row in order of draw, and counts of what was drawn.

    There are `copies` trials; trial d changes text d % 2 of a pair, the text of a single one. In a trial each word
    takes one of its candidates, evenly chosen, with the probability given; one that equals the word, case and accents
    aside, leaves it as written. A trial that gives the row itself or an earlier copy gives none. The random numbers are
    a function of seed, row id, trial and position: more copies begin with the same ones.

    Counts: `trials`, `trial_words` (words that a trial could have changed), `copies` and `replaced_<source>`.
    """
    drawn: Drawn = Counter(trials=copies)
    found: list[Example] = []
    if not copies or not any(position.words for position in positions):
        return found, drawn
    rewriters = [Rewriter.of(text, i, positions) for i, text in enumerate(example.texts)]
    chosen, replaced, varied = choose(example, positions, copies, probability, seed)
    trials, places = np.nonzero(replaced)
    choices = chosen[trials, places].tolist()
    places = places.tolist()
    seen = {example.texts}
    after = 0
    for trial, count in enumerate(replaced.sum(axis=1).tolist()):
        before, after = after, after + count
        text = trial % len(rewriters)
        written, changes = rewriters[text].rewrite(places[before:after], choices[before:after])
        texts = (*example.texts[:text], written, *example.texts[text + 1 :])
        if texts not in seen:
            seen.add(texts)
            spans = moved(example.spans, changes)
            found.append(example.copy(texts, strategy=strategy, draw=trial, changes=changes, spans=spans))
    drawn.update(trial_words=varied, copies=len(found))
    for source, count in Counter([change.source for copy in found for change in copy.changes]).items():
        drawn[f"replaced_{source}"] = count
    return found, drawn


def choose(
    example: Example, positions: Sequence[Position], copies: int, probability: float, seed: int
) -> tuple[Int[np.ndarray, "trials positions"], Bool[np.ndarray, "trials positions"], int]:
    """Return each trial's candidate of each position, whether it replaces the word, and how many it could replace."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, example.id], np.uint64)))
    numbers = generator.random((copies, len(positions), 2))
    sizes = np.array([len(position.words) for position in positions])
    chosen = (numbers[:, :, 0] * sizes).astype(np.int64)
    texts = np.array([position.text for position in positions])
    varied = (np.arange(copies) % len(example.texts))[:, None] == texts
    changing = np.zeros((len(positions), max(sizes)), np.bool_)
    for place, position in enumerate(positions):
        written = form(example.texts[position.text][position.start : position.end])
        changing[place, : sizes[place]] = [form(word) != written for word in position.words]
    replaced = varied & (numbers[:, :, 1] < probability) & changing[np.arange(len(positions)), chosen]
    return chosen, replaced, int((varied & (sizes > 0)).sum())


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
    def of(cls, written: str, text: int, positions: Sequence[Position]) -> "Rewriter":
        """Cut a text; a row's positions are in order of text and start."""
        first = sum(position.text < text for position in positions)
        own = [position for position in positions if position.text == text]
        bounds = [0, *(bound for position in own for bound in (position.start, position.end)), len(written)]
        segments = [written[start:end] for start, end in pairwise(bounds)]
        return cls(text, segments, [(each.start, each.words, each.source.value) for each in own], first)

    def rewrite(self, places: Sequence[int], choices: Sequence[int]) -> tuple[str, tuple[Change, ...]]:
        """Return the text with the chosen words in their places, and what was changed."""
        segments = self.segments.copy()
        changes = []
        shift = 0
        for place, choice in zip(places, choices, strict=True):
            start, words, source = self.positions[place - self.first]
            slot = 2 * (place - self.first) + 1
            original, word = segments[slot], words[choice]
            segments[slot] = word
            start += shift
            changes.append(Change(self.text, start, start + len(word), original, source))
            shift += len(word) - len(original)
        return "".join(segments), tuple(changes)


def moved(spans: Sequence[Span], changes: Sequence[Change]) -> tuple[Span, ...]:
    """Return spans of a text as they lie after changes, which are in order: one that holds a change grows with it."""
    if not spans:
        return ()
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
