"""Errors of codecs: what keeping numbers costs, measured while they are written."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Error(NamedTuple):
    """Sums of squares of the errors and of the numbers themselves (`energy`), and the largest error."""

    squares: float = 0.0
    energy: float = 0.0
    largest: float = 0.0

    @classmethod
    def between(cls, values: Float[np.ndarray, "..."], kept: Float[np.ndarray, "..."]) -> "Error":
        """Measure what was kept of some numbers."""
        errors = (kept - values).ravel()
        return cls(float(errors @ errors), float(values.ravel() @ values.ravel()), float(np.abs(errors).max(initial=0)))

    def __add__(self, other: "Error") -> "Error":  # type: ignore[override]
        return Error(self.squares + other.squares, self.energy + other.energy, max(self.largest, other.largest))

    @property
    def relative(self) -> float:
        """Root of the mean square of the errors by that of the numbers."""
        return (self.squares / self.energy) ** 0.5 if self.energy else 0.0
