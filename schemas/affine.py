"""Affine maps: what makes the channels of a layer alike before they share one scale a token."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Affine:
    """Means and deviations of every channel of every layer, from a sample of rows.

    Some channels of BERT-like models are many times as large as the others; with one scale for all of them the others
    would have few steps left.
    """

    means: tuple[tuple[float, ...], ...]
    deviations: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        for name in ("means", "deviations"):
            object.__setattr__(self, name, tuple(map(tuple, getattr(self, name))))

    @classmethod
    def of(cls, layers: Sequence[Float[np.ndarray, "vectors width"]]) -> "Affine":
        """Measure the channels of a sample; one that never varies is only moved."""
        means = [layer.mean(axis=0, dtype=np.float64) for layer in layers]
        deviations = [layer.std(axis=0, dtype=np.float64) for layer in layers]
        return cls(tuple(map(rounded, means)), tuple(rounded(np.where(each > 0, each, 1.0)) for each in deviations))

    @cached_property
    def arrays(self) -> tuple[Float[np.ndarray, "layers 1 width"], Float[np.ndarray, "layers 1 width"]]:
        """The numbers as float32."""
        return tuple(np.array(each, np.float32)[:, None] for each in (self.means, self.deviations))  # type: ignore[return-value]

    def move(self, values: Float[np.ndarray, "vectors width"]) -> Float[np.ndarray, "vectors width"]:
        """Move and divide the vectors of a row's layers."""
        means, deviations = self.arrays
        return ((values.reshape(len(means), -1, values.shape[1]) - means) / deviations).reshape(values.shape)

    def back(self, values: Float[np.ndarray, "vectors width"]) -> Float[np.ndarray, "vectors width"]:
        """Undo `move`."""
        means, deviations = self.arrays
        return (values.reshape(len(means), -1, values.shape[1]) * deviations + means).reshape(values.shape)

    def spread(self, bounds: Float[np.ndarray, "vectors #width"]) -> Float[np.ndarray, "vectors width"]:
        """Return what bounds of moved and divided numbers are for the numbers themselves."""
        _, deviations = self.arrays
        return (bounds.reshape(len(deviations), -1, bounds.shape[1]) * deviations).reshape(len(bounds), -1)

    def settings(self) -> dict[str, Any]:
        """Return what a manifest says of the map."""
        return {
            "means": [list(layer) for layer in self.means],
            "deviations": [list(layer) for layer in self.deviations],
        }


def rounded(numbers: Float[np.ndarray, " width"]) -> tuple[float, ...]:
    """Return numbers of six digits, which a manifest holds exactly."""
    return tuple(float(f"{number:.6g}") for number in numbers)
