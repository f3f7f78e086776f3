"""Drawing: copies of a row from its candidates; pure, seeded, and without a model."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64

from augment.candidates import Positions
from augment.rewrite import Rewriter, moved
from augment.words import cased, form
from schemas.configuration import Augmentation
from schemas.example import Example

Drawn = Counter[str]


@dataclass(frozen=True)
class Plan:
    """What the trials of a row set out to do.

    `numbers` choose among a position's words, evenly in [0, 1); `planned` are the positions to change; `varied` counts
    those that could have been.
    """

    numbers: Float64[np.ndarray, "trials positions"]
    planned: Bool[np.ndarray, "trials positions"]
    varied: int


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

    def draw(self, example: Example, positions: Positions, strategy: str) -> tuple[list[Example], Drawn]:
        """Return the distinct copies of a row in order of draw, and counts of what was drawn.

        Trial d changes text d % 2 of a pair, the text of a single one. In a trial each word takes one of its
        candidates, evenly chosen, with the probability given; one that equals the word, case and accents aside, leaves
        it as written. A trial that gives the row itself or an earlier copy gives none. The random numbers are a
        function of seed, row id, trial and position: more copies begin with the same ones.

        Counts: `trials`, `trial_words` (words that a trial could have changed) and `replaced_<source>`.
        """
        drawn = Drawn(trials=self.copies)
        positions = self.allowed(example, positions)
        if not self.copies or not any(position.words for position in positions):
            return [], drawn
        plan = self.plan(example, positions, [bool(position.words) for position in positions])
        sizes = np.array([len(position.words) for position in positions])
        chosen = (plan.numbers * sizes).astype(np.int64)
        trials, places = np.nonzero(plan.planned & changing(example, positions)[np.arange(len(sizes)), chosen])
        words = [
            positions[place].words[choice]
            for place, choice in zip(places.tolist(), chosen[trials, places].tolist(), strict=True)
        ]
        found = self.copies_of(example, positions, strategy, trials.tolist(), places.tolist(), words)
        drawn.update(trial_words=plan.varied)
        drawn.update(f"replaced_{change.source}" for copy in found for change in copy.changes)
        return found, drawn

    def copies_of(
        self,
        example: Example,
        positions: Positions,
        strategy: str,
        trials: Sequence[int],
        places: Sequence[int],
        words: Sequence[str],
    ) -> list[Example]:
        """Return the distinct copies that some changes make: each has a trial, a place and a word, in that order."""
        rewriters = [Rewriter.of(text, i, positions) for i, text in enumerate(example.texts)]
        bounds = np.searchsorted(trials, np.arange(self.copies + 1)).tolist()
        seen = {example.texts}
        found: list[Example] = []
        for trial, (start, end) in enumerate(pairwise(bounds)):
            if start == end:
                continue
            text = trial % len(rewriters)
            written = rewriters[text].written(places[start:end], words[start:end])
            texts = (*example.texts[:text], written, *example.texts[text + 1 :])
            if texts not in seen:
                seen.add(texts)
                changes = rewriters[text].changes(places[start:end], words[start:end])
                spans = moved(example.spans, changes) if example.spans else ()
                found.append(example.copy(texts, strategy=strategy, draw=trial, changes=changes, spans=spans))
        return found

    def plan(self, example: Example, positions: Positions, open: Sequence[bool]) -> Plan:
        """Return what each trial sets out to change; `open` says which of the positions can change at all."""
        generator = np.random.Generator(np.random.Philox(key=np.array([self.seed, example.id], np.uint64)))
        numbers = generator.random((self.copies, len(positions), 2))
        turns = np.arange(self.copies) % len(example.texts)
        varied = (turns[:, None] == np.array([position.text for position in positions])) & np.array(open)
        planned = varied & (numbers[:, :, 1] < self.probability)
        if self.longest_distance < 1:
            most = np.floor(self.longest_distance * varied.sum(axis=1, keepdims=True))
            # Of too many changes those stay that were the likeliest to be made.
            order = np.where(planned, numbers[:, :, 1], 1.0).argsort(axis=1, kind="stable")
            planned &= order.argsort(axis=1, kind="stable") < most
        return Plan(numbers[:, :, 0], planned, int(varied.sum()))

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


def changing(example: Example, positions: Positions) -> Bool[np.ndarray, "positions candidates"]:
    """Return which candidates are other words than those they would replace."""
    other = np.zeros((len(positions), max(len(position.words) for position in positions)), np.bool_)
    for place, position in enumerate(positions):
        written = form(example.texts[position.text][position.start : position.end])
        other[place, : len(position.words)] = [form(word) != written for word in position.words]
    return other
