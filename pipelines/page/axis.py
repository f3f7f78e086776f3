"""Axes: where numbers and their ticks lie on a drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A scale from numbers to places on a drawing; `begin` may lie beyond `end`, as it does for heights."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    @classmethod
    def of(cls, values: Sequence[float], begin: float, end: float, logarithmic: bool = False) -> "Axis":
        """Make an axis on which all values lie, with some room beside them."""
        if logarithmic:
            return cls(min(values) / 1.5, max(values) * 1.5, begin, end, True)
        room = 0.08 * (max(values) - min(values)) or 0.5
        return cls(min(values) - room, max(values) + room, begin, end)

    def at(self, value: float) -> float:
        """Return the place of a number, to a tenth of a unit."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = map(math.log, (low, high, value))
        return round(self.begin + (value - low) / (high - low) * (self.end - self.begin), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return places and names of a few round numbers."""
        numbers = self.round_logarithmic() if self.logarithmic else self.round_linear()
        return [(self.at(number), f"{number:.4g}") for number in numbers]

    def round_linear(self) -> list[float]:
        """Return two to six multiples of 1, 2 or 5 times a power of ten."""
        finest = 10.0 ** math.floor(math.log10((self.high - self.low) / 10))
        for factor in (1, 2, 5, 10, 20, 50):
            step = factor * finest
            first, last = math.ceil(self.low / step), math.floor(self.high / step)
            if last - first < 6:
                break
        return [round(i * step, 12) for i in range(first, last + 1)]

    def round_logarithmic(self) -> list[float]:
        """Return 1, 2 and 5 times powers of ten."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        numbers = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        return [number for number in numbers if self.low <= number <= self.high]
