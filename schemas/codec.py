"""Codecs: how numbers of a teacher are kept on disk."""

from enum import StrEnum

import numpy as np
import pyarrow as pa


class Codec(StrEnum):
    """A rung of the ladder from exact to small."""

    F32 = "f32"
    F16 = "f16"

    @property
    def dtype(self) -> np.dtype:
        """NumPy type on disk."""
        return np.dtype({"f32": "<f4", "f16": "<f2"}[self.value])

    @property
    def arrow(self) -> pa.DataType:
        """Arrow type on disk."""
        return {"f32": pa.float32(), "f16": pa.float16()}[self.value]

    @property
    def relative_error(self) -> float:
        """Largest error of a kept normal number, relative to it: half a unit in the last place."""
        return {"f32": 0.0, "f16": 2.0**-11}[self.value]

    def keep(self, values: np.ndarray) -> np.ndarray:
        """Turn float32 numbers into what is kept.

        Raises `OverflowError` where a number is not finite or too large for the codec.
        """
        with np.errstate(over="ignore"):
            kept = values.astype(self.dtype)
        if not np.isfinite(kept).all():
            largest = np.abs(values).max()
            raise OverflowError(f"{largest} does not fit {self.value}")
        return kept
