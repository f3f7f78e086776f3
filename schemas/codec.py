"""Codecs: how numbers of a teacher are kept on disk."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Shaped

SMALLEST_NORMAL = {"f16": 2.0**-14, "bf16": 2.0**-126}
STEPS = 127


class Kept(NamedTuple):
    """Numbers as they are kept; `scales` has one number a vector where the codec scales, and none elsewhere."""

    numbers: Shaped[np.ndarray, "vectors numbers"]
    scales: Float[np.ndarray, " scales"]


class Codec(StrEnum):
    """A rung of the ladder from exact to small.

    `f32` is exact; `f16` and `bf16` round every number, `bf16` coarser and up to numbers as large as those of `f32`;
    `int8` keeps 255 steps of each vector's largest number.
    """

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    INT8 = "int8"

    @property
    def dtype(self) -> np.dtype:
        """NumPy type on disk; NumPy has no bfloat16, so its bits are kept."""
        return np.dtype({"f32": "<f4", "f16": "<f2", "bf16": "<u2", "int8": "i1"}[self.value])

    @property
    def arrow(self) -> pa.DataType:
        """Arrow type on disk; Arrow has no bfloat16 either."""
        types = {"f32": pa.float32(), "f16": pa.float16(), "bf16": pa.uint16(), "int8": pa.int8()}
        return types[self.value]

    @property
    def scales(self) -> bool:
        """Whether every vector has a scale, of half precision, beside its numbers."""
        return self is Codec.INT8

    def keep(self, values: Float[np.ndarray, "vectors numbers"]) -> Kept:
        """Turn float32 numbers into what is kept.

        Raises `OverflowError` where a number is not finite or too large for the codec.
        """
        none = np.empty(0, np.float16)
        with np.errstate(over="ignore", invalid="ignore"):
            match self:
                case Codec.F32 | Codec.F16:
                    kept = Kept(values.astype(self.dtype), none)
                case Codec.BF16:
                    bits = values.view(np.uint32)
                    kept = Kept(((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16), none)
                case Codec.INT8:
                    scales = scales_of(values)
                    wide = np.where(scales > 0, scales, 1).astype(np.float32)[:, None]
                    kept = Kept(np.rint(values / wide).astype(np.int8), scales)
            fits = np.isfinite(values).all() and np.isfinite(self.widen(kept)).all()
        if not fits:
            raise OverflowError(f"{np.abs(values).max()} does not fit {self.value}")
        return kept

    def widen(self, kept: Kept) -> Float[np.ndarray, "vectors numbers"]:
        """Return what was kept as float32 numbers."""
        match self:
            case Codec.F32 | Codec.F16:
                return kept.numbers.astype(np.float32)
            case Codec.BF16:
                return (kept.numbers.astype(np.uint32) << 16).view(np.float32)
            case Codec.INT8:
                return kept.numbers * kept.scales.astype(np.float32)[:, None]

    def bound(self, values: Float[np.ndarray, "vectors numbers"]) -> Float[np.ndarray, "vectors #numbers"]:
        """Return the largest error that keeping numbers can make: half a step."""
        match self:
            case Codec.F32:
                return np.zeros_like(values)
            case Codec.F16 | Codec.BF16:
                half = {"f16": 2.0**-11, "bf16": 2.0**-8}[self.value]
                return half * np.maximum(np.abs(values), SMALLEST_NORMAL[self.value])
            case Codec.INT8:
                return scales_of(values).astype(np.float32)[:, None] / 2


def scales_of(values: Float[np.ndarray, "vectors numbers"]) -> Float[np.ndarray, " vectors"]:
    """Return the step of each vector in half precision, rounded up so that its largest number is within the steps."""
    largest = np.abs(values).max(axis=1, initial=0).astype(np.float64)
    scales = (largest / STEPS).astype(np.float16)
    return np.where(scales * np.float64(STEPS) < largest, np.nextafter(scales, np.float16(np.inf)), scales)
