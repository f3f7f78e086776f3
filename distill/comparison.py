"""Comparisons: by how much one arm is better than another on the same held-out rows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from distill.arm_result import ArmResult, defined
from distill.judge import Judge

PAIRS = (("distilled", "scratch"), ("distilled+augmented", "distilled"), ("distilled+augmented", "scratch"))
"""What a report answers: did distillation help, did augmentation help further, did both together."""


class Comparison(BaseModel):
    """How much better `name` is than `against`: the difference of the metric and its 95 % paired bootstrap interval."""

    name: str
    against: str
    difference: float | None
    interval: tuple[float | None, float | None]


def compare(results: Sequence[ArmResult], folder: Path, judge: Judge, seed: int) -> list[Comparison]:
    """Compare the arms that were trained, by the predictions that lie in their folders."""
    arms = {result.name: result for result in results}
    found = []
    for name, against in PAIRS:
        if name not in arms or against not in arms:
            continue
        first, second = (np.load(folder / each / "predictions.npy", allow_pickle=False) for each in (name, against))
        observed, (low, high) = judge.difference(first, second, seed=seed)
        found.append(
            Comparison(name=name, against=against, difference=defined(observed), interval=(defined(low), defined(high)))
        )
    return found
