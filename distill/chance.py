"""Chance: whether a teacher knows anything of its task, asked before its answers are paid for."""

from dataclasses import dataclass

import numpy as np

from distill.encoder import Encoder
from distill.evaluate import HeldOut, predictions

ROWS = 512
"""Held-out rows that are looked at, at most."""
FEWEST = 8
"""Of fewer rows nothing can be said."""
SHUFFLES = 200
SHARE = 0.8
"""Of the shuffles that must do worse. A teacher of no use passes once in five times, a useful one nearly always."""


@dataclass(frozen=True)
class Chance:
    """A model's metric on some rows, what its answers give when they are shuffled among the rows, and how many."""

    value: float
    shuffled: np.ndarray
    rows: int

    @classmethod
    def of(cls, encoder: Encoder, held_out: HeldOut, seed: int) -> "Chance":
        """Ask a model once, and shuffle what it said."""
        said, generator = predictions(encoder, held_out), np.random.default_rng(seed)
        score = held_out.judge.score
        shuffled = [score(said[generator.permutation(len(said))]) for _ in range(SHUFFLES)]
        return cls(score(said), np.array(shuffled), len(held_out.rows.ids))

    @property
    def middle(self) -> float:
        """The metric of chance."""
        return float(np.median(self.shuffled))

    @property
    def is_all(self) -> bool:
        """Whether the model does no better than chance; so does one that always says the same."""
        return self.rows >= FEWEST and not (self.shuffled < self.value).mean() >= SHARE
