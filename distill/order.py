"""The order of rows in training: a pure function of seed, epoch and position, whatever workers and restarts."""

from functools import lru_cache

import numpy as np

WINDOW = 16
"""Batches whose rows are sorted by length together, so that a batch has rows of similar length."""


class Order:
    """Batches of rows for any step.

    `rows` are row numbers, `counts` how often each is seen in an epoch, `lengths` their tokens. A step beyond the first
    epoch goes on with the next epoch's permutation.
    """

    def __init__(self, rows: np.ndarray, counts: np.ndarray, lengths: np.ndarray, *, batch: int, seed: int) -> None:
        self.rows = np.repeat(rows, counts)
        self.lengths = np.repeat(lengths, counts)
        self.batch = batch
        self.seed = seed
        self.permutation = lru_cache(maxsize=1)(self._permutation)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the last one possibly smaller."""
        return -(-len(self.rows) // self.batch)

    def at(self, step: int) -> np.ndarray:
        """Return the row numbers of a step."""
        epoch, position = divmod(step, self.steps_per_epoch)
        window, place = divmod(position, WINDOW)
        shuffled = self.permutation(epoch)[window * WINDOW * self.batch : (window + 1) * WINDOW * self.batch]
        by_length = shuffled[np.argsort(self.lengths[shuffled], kind="stable")]
        starts = np.arange(0, len(by_length), self.batch)
        start = starts[self.generator(epoch, window + 1).permutation(len(starts))[place]]
        return self.rows[by_length[start : start + self.batch]]

    def generator(self, epoch: int, window: int) -> np.random.Generator:
        """Return the random numbers of an epoch, or of one of its windows."""
        return np.random.Generator(np.random.Philox(key=[self.seed, epoch], counter=[0, 0, 0, window]))

    def _permutation(self, epoch: int) -> np.ndarray:
        return self.generator(epoch, 0).permutation(len(self.rows))
