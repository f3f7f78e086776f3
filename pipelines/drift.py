"""Drift: how far what a teacher says of a copy is from what it says of the original."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

import numpy as np
from jaxtyping import Float

from distill.decision import decided
from pipelines.families import Logits, Member
from schemas.example import Change
from schemas.task import NO_ANSWERS, Kind

AT_ONCE = 4096
"""Pairs that are compared together: a call for each would take longer than all the rest."""


@dataclass
class Drift:
    """Sums over pairs of an original and its copy; of rows whose words were judged, over pairs of words.

    `changed` counts other verdicts or, of numbers, adds up how far they lie apart; `divergence` adds up
    KL(original ‖ copy) in nats, over labels where each is answered by itself; of numbers there is none.
    """

    kind: Kind
    pairs: int = 0
    changed: float = 0.0
    divergence: float = 0.0
    waiting: list[tuple[Logits, Logits]] = field(default_factory=list)

    def add(self, original: Member, copy: Member) -> None:
        """Add a copy, unless the teacher was not asked for it or its original."""
        if original.logits is None or copy.logits is None:
            return
        before, after = np.atleast_2d(original.logits), np.atleast_2d(copy.logits)
        if self.kind is Kind.TOKEN_CLASSIFICATION:
            pairs = np.array(pairs_of_words(original, copy), np.int64).reshape(-1, 2)
            before, after = before[pairs[:, 0]], after[pairs[:, 1]]
            judged = ~np.isnan(before).any(-1) & ~np.isnan(after).any(-1)
            before, after = before[judged], after[judged]
        self.waiting.append((before, after))
        if len(self.waiting) == AT_ONCE:
            self.compare()

    def compare(self) -> None:
        """Compare the pairs that wait for it."""
        if not self.waiting:
            return
        before, after = (np.concatenate(each).astype(np.float64) for each in zip(*self.waiting, strict=True))
        self.waiting.clear()
        self.pairs += len(before)
        self.changed += float(changes(self.kind, before, after))
        self.divergence += float(divergences(self.kind, before, after).sum())

    def numbers(self) -> dict[str, float | int | None]:
        """Return the means; `None` where nothing was compared, or a kind has no such number."""
        self.compare()
        mean = self.changed / self.pairs if self.pairs else None
        numeric = self.kind is Kind.REGRESSION
        return {
            "compared": self.pairs,
            "flips": None if numeric else mean,
            "difference": mean if numeric else None,
            "divergence": self.divergence / self.pairs if self.pairs and not numeric else None,
        }


def changes(kind: Kind, before: Logits, after: Logits) -> float:
    """Return how many verdicts differ, or the sum of absolute differences of numbers."""
    first, second = decided(kind, before), decided(kind, after)
    if kind is Kind.REGRESSION:
        return np.abs(first - second).sum()
    differs = first != second
    return (differs.any(-1) if differs.ndim > 1 else differs).sum()


def divergences(
    kind: Kind, before: Float[np.ndarray, "rows classes"], after: Float[np.ndarray, "rows classes"]
) -> Float[np.ndarray, " rows"]:
    """Return KL(before ‖ after) of every row in nats: of one distribution, or summed over labels of their own."""
    match kind:
        case Kind.CLASSIFICATION | Kind.TOKEN_CLASSIFICATION:
            first, second = (each - np.logaddexp.reduce(each, -1, keepdims=True) for each in (before, after))
            return (np.exp(first) * (first - second)).sum(-1)
        case Kind.MULTI_LABEL:
            # The logarithms of a probability and of its complement, for every label.
            first, second = ((-np.logaddexp(0, -each), -np.logaddexp(0, each)) for each in (before, after))
            terms = [np.exp(one) * (one - other) for one, other in zip(first, second, strict=True)]
            return np.sum(terms, axis=(0, 2))
        case Kind.REGRESSION:
            return np.zeros(len(before))
        case Kind.NONE:
            raise NO_ANSWERS
        case _:
            assert_never(kind)


def pairs_of_words(original: Member, copy: Member) -> list[tuple[int, int]]:
    """Return the numbers of the words that are in both, a replaced word being in the place of another."""
    known = {start: number for number, (start, _) in enumerate(original.places)}
    changes = sorted(copy.example.changes, key=lambda change: change.start)
    stood = [place_before(start, changes) for start, _ in copy.places]
    return [(known[place], number) for number, place in enumerate(stood) if place in known]


def place_before(start: int, changes: Sequence[Change]) -> int | None:
    """Return where a word of a copy stood in the original's text, `None` for one that was put in between."""
    shift = 0
    for change in changes:
        if change.start <= start < change.end and not change.original:
            return None
        if change.end > start:
            break
        shift += change.end - change.start - len(change.original)
    return start - shift
