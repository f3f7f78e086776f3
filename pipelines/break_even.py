"""The break-even: after how many students a cache has cost less than a teacher in the loop."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class BreakEven:
    """Seconds that teaching takes, and that a student saves by reading `seen` rows instead of asking for them.

    `asking` and `reading` are seconds a row, `rows` those that are taught once.
    """

    teaching: float
    asking: float
    reading: float
    seen: int
    rows: int

    @property
    def students(self) -> int | None:
        """How many students it takes, at least 1; `None` where reading takes as long as asking: no number would do."""
        saved = self.seen * (self.asking - self.reading)
        return max(1, math.ceil(self.teaching / saved)) if saved > 0 else None

    @property
    def passes(self) -> float:
        """How often a student sees each row."""
        return self.seen / self.rows
