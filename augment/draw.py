"""Drawing: copies of a row from its candidates; pure, seeded, and without a model."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from augment.candidates import Position, Positions
from augment.rewrite import Rewriter, moved
from augment.words import cased, form
from schemas.configuration import Augmentation
from schemas.example import Example


@dataclass(frozen=True)
class Drawing:
    """How copies are drawn: how many trials a row has, and what each may do.

    `drop` names kinds of candidates that are left out; `keep_case` gives a candidate the case of the word it replaces;
    `longest_distance` is the largest share of the candidates' places in a text that one copy may change.
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

    def draw(self, example: Example, positions: Positions, strategy: str) -> tuple[list[Example], Counter[str]]:
        """Return the distinct copies of a row in order of draw, and counts of what was drawn.

        Trial d changes text d % 2 of a pair, the text of a single one. In a trial each word takes one of its
        candidates, evenly chosen, with the probability given; one that equals the word, case and accents aside, leaves
        it as written. A trial that gives the row itself or an earlier copy gives none. The random numbers are a
        function of seed, row id, trial and position: more copies begin with the same ones.

        Counts: `trials`, `trial_words` (words that a trial could have changed) and `replaced_<source>`.
        """
        drawn: Counter[str] = Counter(trials=self.copies)
        positions = self.allowed(example, positions)
        found: list[Example] = []
        if not self.copies or not any(position.words for position in positions):
            return found, drawn
        rewriters = [Rewriter.of(text, i, positions) for i, text in enumerate(example.texts)]
        chosen, replaced, varied = self.choose(example, positions)
        trials, places = np.nonzero(replaced)
        choices = chosen[trials, places].tolist()
        counts = replaced.sum(axis=1).tolist()
        places = places.tolist()
        seen = {example.texts}
        after = 0
        for trial, count in enumerate(counts):
            before, after = after, after + count
            if not count:
                continue
            text = trial % len(rewriters)
            written = rewriters[text].written(places[before:after], choices[before:after])
            texts = (*example.texts[:text], written, *example.texts[text + 1 :])
            if texts not in seen:
                seen.add(texts)
                changes = rewriters[text].changes(places[before:after], choices[before:after])
                spans = moved(example.spans, changes) if example.spans else ()
                found.append(example.copy(texts, strategy=strategy, draw=trial, changes=changes, spans=spans))
        drawn.update(trial_words=varied)
        for source, number in Counter([change.source for copy in found for change in copy.changes]).items():
            drawn[f"replaced_{source}"] = number
        return found, drawn

    def allowed(self, example: Example, positions: Positions) -> Positions:
        """Return the positions with the candidates that may be drawn, as they would be written."""
        if not self.drop and not self.keep_case:
            return positions
        return tuple(
            replace(position, words=self.words(example.texts[position.text][position.start : position.end], position))
            for position in positions
        )

    def words(self, written: str, position: Position) -> tuple[str, ...]:
        """Return the candidates of a written word that may be drawn."""
        kept = (word for word in position.words if not self.drops(word, written))
        return tuple(cased(word, written) for word in kept) if self.keep_case else tuple(kept)

    def drops(self, word: str, written: str) -> bool:
        """Whether a candidate is of a kind that is left out."""
        return (
            ("original" in self.drop and form(word) == form(written))
            or ("punctuation" in self.drop and not any(map(str.isalnum, word)))
            or ("special" in self.drop and word[:1] + word[-1:] in ("[]", "<>"))
        )

    def choose(
        self, example: Example, positions: Positions
    ) -> tuple[Int[np.ndarray, "trials positions"], Bool[np.ndarray, "trials positions"], int]:
        """Return each trial's candidate of each position, whether it replaces the word, and how many it could."""
        generator = np.random.Generator(np.random.Philox(key=np.array([self.seed, example.id], np.uint64)))
        numbers = generator.random((self.copies, len(positions), 2))
        sizes = np.array([len(position.words) for position in positions])
        chosen = (numbers[:, :, 0] * sizes).astype(np.int64)
        texts = np.array([position.text for position in positions])
        varied = (np.arange(self.copies) % len(example.texts))[:, None] == texts
        changing = np.zeros((len(positions), max(sizes)), np.bool_)
        for place, position in enumerate(positions):
            written = form(example.texts[position.text][position.start : position.end])
            changing[place, : sizes[place]] = [form(word) != written for word in position.words]
        replaced = varied & (numbers[:, :, 1] < self.probability) & changing[np.arange(len(positions)), chosen]
        possible = varied & (sizes > 0)
        if self.longest_distance < 1:
            most = np.floor(self.longest_distance * possible.sum(axis=1, keepdims=True))
            # Of too many changes those stay that were the likeliest to be made.
            rank = np.where(replaced, numbers[:, :, 1], 1).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
            replaced &= rank < most
        return chosen, replaced, int(possible.sum())
