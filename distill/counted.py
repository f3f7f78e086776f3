"""Metrics that are made of sums over rows, so that a resample of rows is only another sum."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from distill.metrics import LEVEL, NUMBERS_AT_ONCE, RESAMPLES, percentiles

Count = Callable[[Num[np.ndarray, "..."]], Float[np.ndarray, "rows counts"]]
"""What predictions count for, row by row."""


def ratio(counts: Float[np.ndarray, "resamples 2"]) -> Float[np.ndarray, " resamples"]:
    """Return the first count over the second, `nan` where there is nothing to count."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return counts[:, 0] / counts[:, 1]


@dataclass(frozen=True)
class Counted:
    """Judges by counts of rows, and by what is made of their sums.

    An F1 score is the ratio of twice the hits to all that is there and all that was found.
    """

    count: Count
    made_of: Callable[[Float[np.ndarray, "resamples counts"]], Float[np.ndarray, " resamples"]] = ratio

    def score(self, predictions: Num[np.ndarray, "..."]) -> float:
        """Return the metric, `nan` where it is undefined."""
        return float(self.made_of(self.count(predictions).sum(0, keepdims=True))[0])

    def interval(self, predictions: Num[np.ndarray, "..."], *, seed: int) -> tuple[float, float]:
        """Return the percentile bootstrap interval over rows."""
        return percentiles(self.resampled([predictions], seed)[0], LEVEL)

    def difference(
        self, first: Num[np.ndarray, "..."], second: Num[np.ndarray, "..."], *, seed: int
    ) -> tuple[float, tuple[float, float]]:
        """Return by how much the first of two systems is better on the same rows, and the paired interval."""
        scores = self.resampled([first, second], seed)
        return self.score(first) - self.score(second), percentiles(scores[0] - scores[1], LEVEL)

    def resampled(self, systems: Sequence[Num[np.ndarray, "..."]], seed: int) -> Float[np.ndarray, "systems resamples"]:
        """Return the metric of each system on the same resamples of the rows.

        Rows that count for the same are of one kind: drawing rows is drawing counts of the kinds there are.
        """
        counts = [self.count(predictions) for predictions in systems]
        rows = len(counts[0])
        if not rows:
            return np.full((len(systems), RESAMPLES), np.nan)
        kinds, times = np.unique(np.concatenate(counts, axis=1), axis=0, return_counts=True)
        by_system = np.split(kinds, len(systems), axis=1)
        random = np.random.default_rng(seed)
        at_once = max(1, NUMBERS_AT_ONCE // len(kinds))
        parts = []
        for start in range(0, RESAMPLES, at_once):
            drawn = random.multinomial(rows, times / rows, size=min(at_once, RESAMPLES - start)).astype(np.float64)
            parts.append(np.stack([self.made_of(drawn @ each) for each in by_system]))
        return np.concatenate(parts, axis=1)
