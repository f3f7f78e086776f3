"""Drawing: copies of rows from their candidates; pure, seeded, and without a model."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int

from augment.candidates import Positions
from augment.rewrite import Rewriter, moved
from augment.words import cased, form
from schemas.configuration import Augmentation
from schemas.example import Change, Example

Drawn = Counter[str]
Grown = tuple[list[Example], Drawn]
"""A row's copies, distinct and in order of draw, and counts of what was drawn."""

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Plan:
    """What the trials of some rows set out to change, in order of row, trial and place.

    `places` count among the row's positions; `numbers` choose among the words of a place, evenly in [0, 1); `varied` is
    how many words the trials of each row could have changed.
    """

    rows: Int[np.ndarray, " changes"]
    trials: Int[np.ndarray, " changes"]
    places: Int[np.ndarray, " changes"]
    numbers: Float64[np.ndarray, " changes"]
    varied: Int[np.ndarray, " rows"]


@dataclass(frozen=True)
class Drawing:
    """How copies are drawn: how many trials a row has, and what each may do.

    `drop` names kinds of candidates that are left out; `keep_case` gives a candidate the case of the word it replaces;
    `longest_distance` is the largest share of the places in a text that one copy may change.
    """

    copies: int = 20
    probability: float = 0.4
    seed: int = 0
    drop: Collection[str] = ()
    keep_case: bool = False
    longest_distance: float = 1.0

    @classmethod
    def of(cls, settings: Augmentation, seed: int) -> "Drawing":
        """Read the settings."""
        return cls(
            copies=settings.copies,
            probability=settings.probability,
            seed=seed,
            drop=settings.drop,
            keep_case=settings.keep_case,
            longest_distance=settings.longest_distance,
        )

    def draw(self, examples: Sequence[Example], positions: Sequence[Positions], strategy: str) -> Iterator[Grown]:
        """Yield the distinct copies of each row in order of draw, and counts of what was drawn.

        Trial d changes text d % 2 of a pair, the text of a single one. In a trial each word takes one of its
        candidates, evenly chosen, with the probability given; one that equals the word, case and accents aside, leaves
        it as written. A trial that gives the row itself or an earlier copy gives none. The random numbers are a
        function of seed, row id, trial and position: more copies begin with the same ones.

        Counts: `trials`, `trial_words` (words that a trial could have changed) and `replaced_<source>`.
        """
        for start in range(0, len(examples), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            yield from self.draw_some(
                examples[part], list(map(self.allowed, examples[part], positions[part])), strategy
            )

    def draw_some(self, examples: Sequence[Example], positions: Sequence[Positions], strategy: str) -> Iterator[Grown]:
        """Yield the copies of some rows; what can be done for all of them at once is done so."""
        plan = self.plan(examples, positions, [[bool(each.words) for each in row] for row in positions])
        every = [position for row in positions for position in row]
        firsts = np.cumsum([0, *map(len, positions)])
        places = firsts[plan.rows] + plan.places
        sizes = np.array([len(position.words) for position in every], np.int64)
        choices = (plan.numbers * sizes[places]).astype(np.int64)
        changing = other_words(examples, positions, int(sizes.max(initial=1)))[places, choices]
        rows, trials, places = (each[changing] for each in (plan.rows, plan.trials, plan.places))
        chosen = zip((firsts[rows] + places).tolist(), choices[changing].tolist(), strict=True)
        words = [every[place].words[choice] for place, choice in chosen]
        found = self.copies_of(examples, positions, strategy, rows, trials, places, words)
        for copies, varied in zip(found, plan.varied.tolist(), strict=True):
            drawn = Drawn(trials=self.copies, trial_words=varied)
            drawn.update([f"replaced_{change.source}" for copy in copies for change in copy.changes])
            yield copies, drawn

    def copies_of(
        self,
        examples: Sequence[Example],
        positions: Sequence[Positions],
        strategy: str,
        rows: Int[np.ndarray, " changes"],
        trials: Int[np.ndarray, " changes"],
        places: Int[np.ndarray, " changes"],
        words: Sequence[str],
    ) -> list[list[Example]]:
        """Return each row's distinct copies: every change has a row, a trial, a place and a word, in that order."""
        rewriters = list(map(Rewriter.of, examples, positions))
        bounds = np.flatnonzero(np.diff(rows * self.copies + trials, prepend=-1, append=-1))
        changes = changes_of(rewriters, rows, places, words, bounds)
        found: list[list[Example]] = [[] for _ in examples]
        seen: list[set[tuple[int, str]]] = [set() for _ in examples]
        slots = places.tolist()
        copies = zip(rows[bounds[:-1]].tolist(), trials[bounds[:-1]].tolist(), pairwise(bounds.tolist()), strict=True)
        for row, trial, (start, end) in copies:
            example = examples[row]
            text = trial % len(example.texts)
            written = rewriters[row].written(text, slots[start:end], words[start:end])
            if (text, written) not in seen[row]:
                seen[row].add((text, written))
                texts = (*example.texts[:text], written, *example.texts[text + 1 :])
                own = tuple(changes[start:end])
                spans = moved(example.spans, own) if example.spans else ()
                found[row].append(example.copy(texts, strategy=strategy, draw=trial, changes=own, spans=spans))
        return found

    def plan(self, examples: Sequence[Example], positions: Sequence[Positions], open: Sequence[Sequence[bool]]) -> Plan:
        """Return what the trials of some rows set out to change; `open` says which positions can change at all."""
        shapes = [(self.copies, len(row)) for row in positions]
        numbers = [uniform(self.seed, example.id, (*shape, 2)) for example, shape in zip(examples, shapes, strict=True)]
        every = np.concatenate([np.empty((0, 2)), *(each.reshape(-1, 2) for each in numbers)])
        rows = np.repeat(np.arange(len(examples)), [trials * places for trials, places in shapes])
        index = np.arange(len(rows)) - np.repeat(
            np.cumsum([0, *(trials * places for trials, places in shapes)])[:-1], [t * p for t, p in shapes]
        )
        widths = np.array([places for _, places in shapes], np.int64)[rows]
        trials, places = np.divmod(index, np.maximum(widths, 1))
        texts = np.array([len(example.texts) for example in examples], np.int64)[rows]
        firsts = np.cumsum([0, *map(len, positions)])[rows] + places
        own = np.array([position.text for row in positions for position in row], np.int64)[firsts]
        varied = (trials % texts == own) & np.array([flag for row in open for flag in row], np.bool_)[firsts]
        planned = varied & (every[:, 1] < self.probability)
        if self.longest_distance < 1:
            planned &= self.nearest(rows * self.copies + trials, every[:, 1], varied, planned)
        counts = np.bincount(rows[varied], minlength=len(examples))
        return Plan(rows[planned], trials[planned], places[planned], every[planned, 0], counts)

    def nearest(
        self,
        copies: Int[np.ndarray, " places"],
        numbers: Float64[np.ndarray, " places"],
        varied: Bool[np.ndarray, " places"],
        planned: Bool[np.ndarray, " places"],
    ) -> Bool[np.ndarray, " places"]:
        """Return which changes stay where a copy has too many: those that were the likeliest to be made."""
        most = np.floor(self.longest_distance * np.bincount(copies[varied], minlength=copies.max(initial=0) + 1))
        order = np.lexsort((np.where(planned, numbers, 1.0), copies))
        begins = np.searchsorted(copies[order], copies[order])
        rank = np.empty(len(copies), np.int64)
        rank[order] = np.arange(len(copies)) - begins
        return rank < most[copies]

    def allowed(self, example: Example, positions: Positions) -> Positions:
        """Return the positions with the candidates that may be drawn, as they would be written."""
        if not self.drop and not self.keep_case:
            return positions
        return tuple(
            replace(each, words=self.words(example.texts[each.text][each.start : each.end], each.words), scores=())
            for each in positions
        )

    def words(self, written: str, words: Sequence[str]) -> tuple[str, ...]:
        """Return the candidates of a written word that may be drawn."""
        kept = (word for word in words if not self.drops(word, written))
        return tuple(cased(word, written) for word in kept) if self.keep_case else tuple(kept)

    def drops(self, word: str, written: str) -> bool:
        """Whether a candidate is of a kind that is left out."""
        return (
            ("original" in self.drop and form(word) == form(written))
            or ("punctuation" in self.drop and not any(map(str.isalnum, word)))
            or ("special" in self.drop and word[:1] + word[-1:] in ("[]", "<>"))
        )


def changes_of(
    rewriters: Sequence[Rewriter],
    rows: Int[np.ndarray, " changes"],
    places: Int[np.ndarray, " changes"],
    words: Sequence[str],
    bounds: Int[np.ndarray, " bounds"],
) -> list[Change]:
    """Return the changes that putting words into places makes; those between two bounds are of one copy's one text."""
    where = [rewriters[row].slots[place] for row, place in zip(rows.tolist(), places.tolist(), strict=True)]
    if not where:
        return []
    texts, _, starts, originals, sources = zip(*where, strict=True)
    lengths = np.array(list(map(len, words)))
    longer = lengths - np.array(list(map(len, originals)))
    # A change moves those after it in its copy.
    before = np.cumsum(longer) - longer
    begins = np.array(starts) + before - np.repeat(before[bounds[:-1]], np.diff(bounds))
    columns = (texts, begins.tolist(), (begins + lengths).tolist(), originals, sources)
    return list(map(Change._make, zip(*columns, strict=True)))


def other_words(
    examples: Sequence[Example], positions: Sequence[Positions], most: int
) -> Bool[np.ndarray, "positions candidates"]:
    """Return which candidates are other words than those they would replace, of `most` at most."""
    every = [(example, position) for example, row in zip(examples, positions, strict=True) for position in row]
    other = np.zeros((len(every), most), np.bool_)
    for place, (example, position) in enumerate(every):
        written = form(example.texts[position.text][position.start : position.end])
        other[place, : len(position.words)] = [form(word) != written for word in position.words]
    return other


PHILOX = np.random.Philox(key=0)
GENERATOR = np.random.Generator(PHILOX)
FRESH = PHILOX.state


def uniform(seed: int, row: int, shape: tuple[int, ...]) -> Float64[np.ndarray, "*shape"]:
    """Return the numbers in [0, 1) of a seed and a row: those of a new Philox generator with this key.

    One generator is set back for every row, as making one takes longer than drawing from it.
    """
    PHILOX.state = {**FRESH, "state": {**FRESH["state"], "key": np.array([seed, row], np.uint64)}}
    return GENERATOR.random(shape)
