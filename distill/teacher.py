"""Teachers as a trainer sees them: cached or live, they answer for a batch through one method."""

from collections.abc import Collection
from typing import Protocol, assert_never, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from distill.batch import Batch
from distill.encoder import Answers, Encoder
from distill.packed import PackedReader
from distill.training_rows import TrainingRows
from schemas.errors import IntegrityError
from schemas.signal import Family, Signal


@runtime_checkable
class Teacher(Protocol):
    """Whatever answers for a batch."""

    def answer(self, batch: Batch, signals: Collection[Signal]) -> Answers:
        """Return the teacher's signals for the rows of a batch, packed, float32, on the batch's device."""
        ...


class LiveTeacher:
    """Asks the model itself, at every step.

    `rows` are those of the batches as the teacher reads them, where the student reads other token ids.
    """

    def __init__(self, encoder: Encoder, rows: TrainingRows | None = None) -> None:
        self.encoder = encoder
        self.rows = rows

    def answer(self, batch: Batch, signals: Collection[Signal]) -> Answers:
        """Run the teacher in evaluation mode, without gradients."""
        if not signals:
            return {}
        if self.rows is not None:
            batch = self.rows.batch(batch.rows, batch.input_ids.device)
        with torch.no_grad():
            return self.encoder.read(batch, signals)


class CachedTeacher:
    """Reads what a cache holds; a batch touches only the groups that have its signals."""

    def __init__(self, readers: Collection[PackedReader]) -> None:
        self.readers: dict[Signal, PackedReader] = {}
        for reader in readers:
            for signal in reader.answers.signals:
                self.readers.setdefault(signal, reader)

    def answer(self, batch: Batch, signals: Collection[Signal]) -> Answers:
        """Copy the rows' numbers into packed buffers, move them to the batch's device and widen them there."""
        by_reader: dict[PackedReader, list[Signal]] = {}
        for signal in sorted(signals):
            if signal not in self.readers:
                raise IntegrityError(f"a group that holds `{signal}`", "none", "run `distill teach`")
            by_reader.setdefault(self.readers[signal], []).append(signal)
        device = batch.input_ids.device
        answers: Answers = {}
        for reader, wanted in by_reader.items():
            numbers = reader.read(batch.rows, tuple(wanted))
            for signal, packed in zip(wanted, torch.from_numpy(numbers).to(device).float(), strict=True):
                answers[signal] = shaped(packed, signal.family, reader.answers.width)
        return answers

    def kept(self, signals: Collection[Signal]) -> np.ndarray:
        """Return which rows have answers for all of the signals."""
        return np.logical_and.reduce([self.readers[signal].kept() for signal in signals])


def shaped(packed: Tensor, family: Family, width: int) -> Tensor:
    """Return a signal's numbers in the shape in which an encoder gives them."""
    match family:
        case Family.LOGITS | Family.TOKEN_LOGITS | Family.HIDDEN:
            return packed.view(-1, width)
        case Family.ATTENTION:
            return packed
        case _:
            assert_never(family)
