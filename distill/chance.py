"""Chance: whether a teacher knows anything of its task, asked before its answers are paid for."""

from dataclasses import dataclass

import numpy as np

from distill.judge import Judge, Predictions

ROWS = 512
"""Held-out rows that a teacher is asked for, at most."""
FEWEST = 8
"""Of fewer answers nothing can be said."""
SHUFFLES = 200
SHARE = 0.8
"""Of the shuffles that must do worse. A teacher of no use passes once in five times, a useful one nearly always."""


@dataclass(frozen=True)
class Chance:
    """A model's metric, what its answers give when they are shuffled among rows or words, and how many there are."""

    value: float
    shuffled: np.ndarray
    units: int

    @classmethod
    def of(cls, said: Predictions, judge: Judge, seed: int) -> "Chance":
        """Judge what a model said, and the same shuffled."""
        generator = np.random.default_rng(seed)
        shuffled = [judge.score(said[generator.permutation(len(said))]) for _ in range(SHUFFLES)]
        return cls(judge.score(said), np.array(shuffled), len(said))

    @property
    def middle(self) -> float:
        """The metric of chance."""
        return float(np.median(self.shuffled))

    @property
    def is_all(self) -> bool:
        """Whether the model does no better than chance; so does one that always says the same."""
        return self.units >= FEWEST and not (self.shuffled < self.value).mean() >= SHARE
