"""Drawing: copies of rows from their candidates; pure, seeded, and without a model."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int
from pyarrow import compute

from augment.candidates import Positions
from augment.rewrite import Chosen, Originals, firsts
from augment.words import cased, form, forms
from schemas.configuration import DRAWING, Augmentation
from schemas.example import Example

Drawn = Counter[str]
Grown = tuple[pa.RecordBatch, Drawn]
"""Copies of some rows, as rows of `COPIES`, distinct and in order of row and draw; and counts of what was drawn."""

NUMBERS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class Plan:
    """What the trials of some rows set out to change, in order of row, trial and place.

    `places` count among all of the rows' positions; `numbers` choose among the words of a place, evenly in [0, 1);
    `varied` is how many words the trials could have changed.
    """

    rows: Int[np.ndarray, " changes"]
    trials: Int[np.ndarray, " changes"]
    places: Int[np.ndarray, " changes"]
    numbers: Float64[np.ndarray, " changes"]
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
        return cls(seed=seed, **{name: getattr(settings, name) for name in DRAWING})

    def draw(self, examples: Sequence[Example], positions: Sequence[Positions], strategy: str) -> Iterator[Grown]:
        """Yield the distinct copies of some rows at a time in order of row and draw, and counts of what was drawn.

        Trial d changes text d % 2 of a pair, the text of a single one. In a trial each word takes one of its
        candidates, evenly chosen, with the probability given; one that equals the word, case and accents aside, leaves
        it as written. A trial that gives the row itself or an earlier copy gives none. The random numbers are a
        function of seed, row id, trial and position: more copies begin with the same ones.

        Counts: `trials`, `trial_words` (words that a trial could have changed) and `replaced_<source>`.
        """
        for part in self.parts(positions):
            allowed = list(map(self.allowed, examples[part], positions[part]))
            originals = Originals(examples[part], allowed)
            plan = self.plan(originals, [bool(each.words) for each in originals.positions])
            yield self.grown(originals, strategy, plan, self.choose(originals, plan))

    def parts(self, positions: Sequence[Positions]) -> Iterator[slice]:
        """Cut rows into parts of which not too many numbers are drawn at once."""
        start = drawn = 0
        for row, places in enumerate(positions):
            numbers = self.copies * len(places)
            if row > start and drawn + numbers > NUMBERS_AT_ONCE:
                yield slice(start, row)
                start, drawn = row, 0
            drawn += numbers
        if start < len(positions):
            yield slice(start, len(positions))

    def plan(self, originals: Originals, open: Sequence[bool]) -> Plan:
        """Return what the trials of some rows set out to change; `open` says which positions can change at all."""
        sizes = originals.places_per_row
        numbers = np.concatenate(
            [np.empty((0, 2))]
            + [
                uniform(self.seed, example.id, (self.copies * places, 2))
                for example, places in zip(originals.examples, sizes.tolist(), strict=True)
            ]
        )
        rows = np.repeat(np.arange(len(sizes)), self.copies * sizes)
        trials, places = np.divmod(np.arange(len(rows)) - self.copies * firsts(sizes)[rows], sizes[rows])
        places += firsts(sizes)[rows]
        in_turn = trials % originals.texts_per_row[rows] == originals.text_in_row[places]
        varied = in_turn & np.array(open, np.bool_)[places]
        planned = varied & (numbers[:, 1] < self.probability)
        if self.longest_distance < 1:
            planned &= self.nearest(rows * self.copies + trials, numbers[:, 1], varied, planned)
        return Plan(rows[planned], trials[planned], places[planned], numbers[planned, 0], int(varied.sum()))

    def choose(self, originals: Originals, plan: Plan) -> Chosen:
        """Return the words that the numbers of a plan choose, without those that would change nothing."""
        counts = np.array([len(position.words) for position in originals.positions], np.int64)
        words = pa.array(chain.from_iterable(position.words for position in originals.positions), pa.string())
        written = forms(originals.written).take(np.repeat(np.arange(len(counts)), counts))
        other = compute.not_equal(forms(words), written).to_numpy(zero_copy_only=False)  # pyright: ignore[reportAttributeAccessIssue]
        choices = firsts(counts)[plan.places] + (plan.numbers * counts[plan.places]).astype(np.int64)
        changing = other[choices]
        rows, trials, places = (each[changing] for each in (plan.rows, plan.trials, plan.places))
        return Chosen(rows, trials, places, words.take(choices[changing]))

    def grown(self, originals: Originals, strategy: str, plan: Plan, chosen: Chosen) -> Grown:
        """Return the copies of some rows, and counts."""
        copies = originals.copies(strategy, chosen)
        trials = self.copies * len(originals.examples)
        return copies, counted(copies, trials=trials, trial_words=plan.varied)

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


def counted(copies: pa.RecordBatch, **drawn: int) -> Drawn:
    """Count the words that were replaced, by source, beside what was drawn."""
    sources = copies.column("changes").flatten().field("source").value_counts().to_pylist()
    return Drawn({**drawn, **{f"replaced_{each['values']}": each["counts"] for each in sources}})


PHILOX = np.random.Philox(key=0)
GENERATOR = np.random.Generator(PHILOX)
FRESH = PHILOX.state


def uniform(seed: int, row: int, shape: tuple[int, ...], stream: int = 0) -> Float64[np.ndarray, "*shape"]:
    """Return the numbers in [0, 1) of a seed and a row: those of a new Philox generator with this key.

    Numbers of one `stream` are none of another's. One generator is set back for every row, as making one takes longer
    than drawing from it; two threads must not draw at once, which `pipelines.engine` sees to.
    """
    counter, key = np.array([0, stream, 0, 0], np.uint64), np.array([seed, row], np.uint64)
    PHILOX.state = {**FRESH, "state": {"counter": counter, "key": key}}
    return GENERATOR.random(shape)
