"""Teachers as a trainer sees them: cached or live, they answer for a batch through one method."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, assert_never, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill.batch import Batch
from distill.embedding import Embedding
from distill.encoder import Encoder, Values
from distill.needs import USABLE, failed_in
from distill.packed import Packed, PackedReader, read_together
from distill.projections import Projections
from distill.training_rows import TrainingRows
from schemas.answers import Answers
from schemas.codec import Codec
from schemas.errors import IntegrityError, QualityError
from schemas.signal import At, Column, Family, Signal


@runtime_checkable
class Teacher(Protocol):
    """Whatever answers for a batch."""

    def answer(self, batch: Batch, signals: Collection[Signal]) -> Values:
        """Return the teacher's signals for the rows of a batch, packed, float32, on the batch's device."""
        ...

    def kept(self, signals: Collection[Signal], rows: int) -> Bool[np.ndarray, " rows"]:
        """Return which of so many rows have answers for all of the signals."""
        ...

    def failed(self) -> list[str]:
        """Say of how many rows there is no usable answer, and why."""
        ...


def ask(teachers: Mapping[str, Teacher], batch: Batch, columns: Collection[Column]) -> dict[Column, Tensor]:
    """Return what teachers, known by their names, say of a batch: the values of columns."""
    answers: dict[Column, Tensor] = {}
    for name, teacher in teachers.items():
        signals = {column.signal for column in columns if column.teacher == name}
        answers |= {Column(name, signal): values for signal, values in teacher.answer(batch, signals).items()}
    return answers


def kept(teachers: Mapping[str, Teacher], columns: Collection[Column], rows: int) -> Bool[np.ndarray, " rows"]:
    """Return which of so many rows have answers in all columns."""
    found = np.ones(rows, np.bool_)
    for column in columns:
        found &= teachers[column.teacher].kept({column.signal}, rows)
    return found


def kept_of(
    chosen: Bool[np.ndarray, " rows"], teachers: Mapping[str, Teacher], columns: Collection[Column]
) -> Bool[np.ndarray, " rows"]:
    """Return which of the chosen rows have answers in all columns; raises `QualityError` where none of them has."""
    found = chosen & kept(teachers, columns, len(chosen))
    if chosen.any() and not found.any():
        counts = "; ".join(sorted({each for teacher in teachers.values() for each in teacher.failed()}))
        raise QualityError(
            f"rows with a usable answer in {', '.join(map(str, sorted(columns)))}",
            f"none of the {chosen.sum():,} to learn from ({counts})",
            USABLE,
        )
    return found


class LiveTeacher:
    """Asks the model itself, at every step.

    `rows` are those of the batches as the teacher reads them, where the student reads other token ids.
    """

    def __init__(self, encoder: Encoder, rows: TrainingRows | None = None) -> None:
        self.encoder = encoder
        self.rows = rows

    def answer(self, batch: Batch, signals: Collection[Signal]) -> Values:
        """Run the teacher in evaluation mode, without gradients."""
        if not signals:
            return {}
        if self.rows is not None:
            batch = self.rows.batch(batch.rows, batch.input_ids.device)
        with torch.no_grad():
            return self.encoder.read(batch, signals)

    def kept(self, signals: Collection[Signal], rows: int) -> Bool[np.ndarray, " rows"]:
        """Whoever is asked anew answers for every row."""
        del signals
        return np.ones(rows, np.bool_)

    def failed(self) -> list[str]:
        """Nothing fails that is not kept."""
        return []


class CachedTeacher:
    """Reads what a cache holds; a batch touches only the groups that have its signals."""

    def __init__(self, readers: Collection[PackedReader]) -> None:
        self.readers: dict[Signal, PackedReader] = {}
        for reader in readers:
            for signal in reader.answers.signals:
                self.readers.setdefault(signal, reader)
        self.embedding: Embedding | None = None
        self.projections: dict[PackedReader, Projections] = {}

    def answer(self, batch: Batch, signals: Collection[Signal]) -> Values:
        """Copy the rows' numbers into packed buffers, move them to the batch's device and widen them there."""
        by_reader: dict[PackedReader, list[Signal]] = {}
        for signal in sorted(signals):
            if signal not in self.readers:
                raise IntegrityError(f"a group that holds `{signal}`", "none", "run `distill teach`")
            by_reader.setdefault(self.readers[signal], []).append(signal)
        answers: Values = {}
        for reader in [each for each in by_reader if each.answers.family is Family.EMBEDDING]:
            answers |= {signal: self.embedding_of(reader).read(batch) for signal in by_reader.pop(reader)}
        for reader, packed in read_together(batch.rows, by_reader).items():
            wanted = by_reader[reader]
            for signal, numbers in zip(wanted, widened(packed, reader.answers, batch, wanted), strict=True):
                found = shaped(numbers, reader.answers.family, reader.answers.width)
                if reader.answers.family is Family.ATTENTION_INPUT:
                    found = self.projections_of(reader).scores(batch, signal.layer or 0, found)
                answers[signal] = found
        return answers

    def embedding_of(self, reader: PackedReader) -> Embedding:
        """Return the teacher's embeddings, read when they are first wanted."""
        self.embedding = self.embedding or Embedding.load(reader.file)
        return self.embedding

    def projections_of(self, reader: PackedReader) -> Projections:
        """Return the projections of a group, read when they are first wanted."""
        if reader not in self.projections:
            self.projections[reader] = Projections.load(reader.file)
        return self.projections[reader]

    def kept(self, signals: Collection[Signal], rows: int) -> Bool[np.ndarray, " rows"]:
        """Return which rows have answers for all of the signals."""
        return np.logical_and.reduce([np.ones(rows, np.bool_), *(self.readers[signal].kept() for signal in signals)])

    def failed(self) -> list[str]:
        """Say group by group of how many rows there is no usable answer, and why."""
        return [failed_in(reader.manifest) for reader in set(self.readers.values()) if reader.failed]


def widened(
    packed: Packed, answers: Answers, batch: Batch, signals: Sequence[Signal]
) -> Float[Tensor, "signals numbers"]:
    """Move what was kept to the batch's device and widen it there, as `Answers.widen` does on the host."""
    device = batch.input_ids.device
    # A copy, where nothing is widened either: the next rows that are read overwrite what was packed.
    numbers = torch.from_numpy(packed.numbers).to(device, copy=answers.codec is Codec.F32)
    match answers.codec:
        case Codec.F32 | Codec.F16:
            return numbers.float()
        case Codec.BF16:
            return numbers.view(torch.bfloat16).float()
        case Codec.INT8:
            assert packed.scales is not None
            return scaled(numbers.float(), packed.scales, answers, batch, signals)
        case _:
            assert_never(answers.codec)


def scaled(
    numbers: Float[Tensor, "signals numbers"],
    kept_scales: Float[np.ndarray, "signals scales"],
    answers: Answers,
    batch: Batch,
    signals: Sequence[Signal],
) -> Float[Tensor, "signals numbers"]:
    """Multiply each vector by its scale, and move it back to where it was."""
    device = numbers.device
    scales = torch.from_numpy(kept_scales).to(device).float()
    if answers.family.at is At.PAIR:
        sizes = torch.from_numpy(np.repeat(batch.lengths, batch.lengths * answers.width)).to(device)
        return numbers * scales.repeat_interleave(sizes, dim=1)
    vectors = numbers.view(len(signals), -1, answers.width) * scales[..., None]
    if answers.affine:
        places = [answers.signals.index(signal) for signal in signals]
        means, deviations = (torch.from_numpy(each[places]).to(device) for each in answers.affine.arrays)
        vectors = vectors * deviations + means
    return vectors.flatten(1)


def shaped(packed: Tensor, family: Family, width: int) -> Tensor:
    """Return a signal's numbers in the shape in which an encoder gives them."""
    return packed if family.at is At.PAIR else packed.view(-1, width)
