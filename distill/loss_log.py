"""The log of losses: one JSON line a step and one an evaluation, read off the device in bundles."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from distill.training_state import Position
from schemas.errors import QualityError


@dataclass(frozen=True)
class Step:
    """What one step gave: where it was, the ids of its rows, the learning rate, the loss and its terms."""

    position: Position
    ids: np.ndarray
    rate: float
    loss: Tensor
    terms: dict[str, Tensor]


@dataclass(frozen=True)
class LossLog:
    """A file of losses, and the steps that are not yet written to it."""

    path: Path
    pending: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Remember a step; its numbers stay where they were computed, so the device is not waited for."""
        self.pending.append(step)

    def flush(self) -> None:
        """Write what is pending; raises `QualityError` that names rows where a loss is not a finite number."""
        with self.path.open("a", encoding="utf-8") as file:
            for step in self.pending:
                loss = step.loss.item()
                if not math.isfinite(loss):
                    ids = ", ".join(f"{i:016x}" for i in step.ids[:4])
                    raise QualityError(
                        "a finite loss",
                        f"{loss} in stage {step.position.stage}, step {step.position.step}, rows {ids}, …",
                        "lower `train.learning_rate`; the last good state is kept",
                    )
                terms = {name: value.item() for name, value in step.terms.items()}
                place = {"stage": step.position.stage, "step": step.position.step}
                file.write(json.dumps({**place, "rate": step.rate, "loss": loss, "terms": terms}) + "\n")
        self.pending.clear()

    def evaluated(self, position: Position, value: float) -> None:
        """Write what the metric on the dev rows is after a step; an undefined one is null."""
        place = {"stage": position.stage, "step": position.step}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**place, "dev": None if math.isnan(value) else value}) + "\n")

    def cut(self, position: Position) -> None:
        """Drop the lines from beyond the position that a run goes on from."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if place_of(line) <= (position.stage, position.step)]
        self.path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def entries(self) -> Iterator[dict]:
        """Yield what is written, step by step: lines with `loss`, `rate` and `terms`, and lines with `dev`.

        Nothing where there is no log, and nothing from a line on that a crash cut.
        """
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            if place_of(line) == CUT:
                return
            yield json.loads(line)


CUT = (2**31, 0)
"""The place of a line that a crash cut: beyond everything."""


def place_of(line: str) -> tuple[int, int]:
    """Return stage and step of a line, `CUT` for one that was cut."""
    try:
        entry = json.loads(line)
        return entry["stage"], entry["step"]
    except ValueError:
        return CUT
