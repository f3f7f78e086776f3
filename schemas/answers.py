"""Groups of a teacher's answers: one tensor family, layer-major in one column, ragged, never padded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, assert_never

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from schemas.affine import Affine
from schemas.codec import Codec, Kept
from schemas.codec_error import Error
from schemas.errors import NewerFormatError
from schemas.group import ID
from schemas.signal import At, Family, Signal, attention_scores, hidden

SCALES = "scales"
"""Name of the column of scales, one a vector, where the codec has any."""

BYTES_AROUND = 17
"""Bytes of a row's id, status and place."""


class Status(IntEnum):
    """Whether a row's slot holds an answer."""

    KEPT = 0
    NOT_FINITE = 1
    OVERFLOW = 2
    TOO_LONG = 3


def failures(accounting: Mapping[str, int]) -> int:
    """Return how many rows have no usable answer."""
    return sum(accounting.get(state.name.lower(), 0) for state in Status if state is not Status.KEPT)


@dataclass(frozen=True)
class Answers:
    """What one group of a teacher holds.

    `width` is the number of classes, the hidden width or the number of heads; of masked tokens it is their signal's. A
    row of `l` tokens has `width` numbers a layer, `l * width` at tokens, `width * l * l` at pairs of them; of a group
    of masked tokens only these count, so its `lengths` are how many of a row's tokens are masked. Vectors, which a
    codec may scale one by one, are those of a token, or a token's scores of all tokens in one head. `affine` is what
    hidden states are moved and divided by before they are scaled. `weights` are files of the teacher that lie beside
    the shards, with digests.
    """

    teacher: str
    family: Family
    layers: tuple[int, ...]
    width: int
    codec: Codec
    affine: Affine | None = None
    weights: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Name of the group, such as `teacher.hidden.0-3-6.f16`."""
        layers = ("-".join(map(str, self.layers)),) if self.layers else ()
        return ".".join((self.teacher, str(self.signal()), *layers, self.codec.value))

    def signal(self, layer: int | None = None) -> Signal:
        """Return the signal of a layer, or what signals of all layers have in common."""
        return Signal.of(self.family, layer, self.width)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Signals that the group serves, in the order in which they are kept."""
        match self.family:
            case Family.ATTENTION_INPUT:
                return tuple(map(attention_scores, self.layers))
            case Family.EMBEDDING:
                return (hidden(0),)
            case _:
                return tuple(map(self.signal, self.layers or (None,)))

    @property
    def asked(self) -> tuple[Signal, ...]:
        """Signals that a teacher is asked for, in the order in which they are kept."""
        match self.family:
            case Family.ATTENTION_INPUT:
                return tuple(hidden(layer - 1) for layer in self.layers)
            case Family.EMBEDDING:
                return ()
            case _:
                return self.signals

    @property
    def wants_affine(self) -> bool:
        """Whether an affine map is still to be measured."""
        return self.affine is None and self.codec.scales and self.family in (Family.HIDDEN, Family.ATTENTION_INPUT)

    @property
    def wants_weights(self) -> bool:
        """Whether weights of the teacher are still to be put beside the shards."""
        return self.family in (Family.ATTENTION_INPUT, Family.EMBEDDING) and not self.weights

    def size(self, lengths: np.ndarray) -> np.ndarray:
        """Return how many numbers one layer of a row has, for rows of so many tokens."""
        return self.vectors(lengths) * (lengths if self.family.at is At.PAIR else self.width)

    def vector(self, length: int) -> int:
        """Return how many numbers a vector of a row of so many tokens has."""
        return length if self.family.at is At.PAIR else self.width

    def measured(self, values: Float[np.ndarray, "vectors numbers"]) -> Float[np.ndarray, "vectors measures"]:
        """Return the part of a row's numbers that measures something: all but the ids of pieces."""
        top = self.signal().top
        return values if top is None else values[:, : top + 1]

    def vectors(self, lengths: np.ndarray) -> np.ndarray:
        """Return how many vectors one layer of a row has, for rows of so many tokens."""
        match self.family.at:
            case At.ROW:
                return np.ones_like(lengths)
            case At.TOKEN | At.MASKED:
                return lengths
            case At.PAIR:
                return lengths * self.width
            case At.NOWHERE:
                return np.zeros_like(lengths)
            case _:
                assert_never(self.family.at)

    def bytes(self, lengths: np.ndarray, empty: int = 0) -> float:
        """Return the bytes that rows of so many tokens take, without what stands around record batches.

        `empty` is how many more rows have a slot and no answer.
        """
        scales = 2 * self.vectors(lengths) if self.codec.scales else 0
        numbers = len(self.asked) * (self.size(lengths) * self.codec.dtype.itemsize + scales)
        around = BYTES_AROUND + (8 if self.codec.scales else 0)
        return float(np.sum(numbers)) + (len(lengths) + empty) * around

    def weight_bytes(self, embedding: int) -> int:
        """Return what the weights beside the shards take: queries and keys, or embeddings of that size."""
        match self.family:
            case Family.ATTENTION_INPUT:
                return 8 * len(self.layers) * self.width * (self.width + 1)
            case Family.EMBEDDING:
                return embedding
            case _:
                return 0

    def keep(self, layers: Sequence[Float[np.ndarray, " numbers"]], length: int) -> tuple[Kept, Error]:
        """Turn a row's numbers, layer by layer, into what is kept, and measure what that costs.

        Raises `OverflowError` where they do not fit.
        """
        if not layers:
            return Kept(np.empty((0, self.width), self.codec.dtype), np.empty(0, np.float16)), Error()
        values = np.stack(layers).reshape(-1, self.vector(length))
        moved = self.affine.move(values) if self.affine else values
        kept = self.codec.keep(moved)
        if self.codec is Codec.F32:
            return kept, Error()
        return kept, Error.between(values, self.widen(kept, length))

    def widen(self, kept: Kept, length: int) -> Float[np.ndarray, "vectors numbers"]:
        """Return what was kept of a row as float32 numbers."""
        moved = self.codec.widen(Kept(kept.numbers.reshape(-1, self.vector(length)), kept.scales))
        return self.affine.back(moved) if self.affine else moved

    def bound(self, values: Float[np.ndarray, "vectors numbers"]) -> Float[np.ndarray, "vectors #numbers"]:
        """Return the largest error that keeping a row's numbers can make."""
        if self.affine is None:
            return self.codec.bound(values)
        return self.affine.spread(self.codec.bound(self.affine.move(values)))

    @property
    def schema(self) -> pa.Schema:
        """Columns of the group; plain lists with metadata of our own, so that any Arrow reader opens them."""
        metadata = {
            "distill.axes": self.family.axes,
            "distill.layers": ",".join(map(str, self.layers)),
            "distill.width": str(self.width),
            "distill.codec": self.codec.value,
        }
        if self.family.at is At.PAIR:
            metadata["distill.semantics"] = "scores before softmax, divided by the root of the head width"
        values = pa.field(self.family.value, pa.large_list(self.codec.arrow), nullable=False, metadata=metadata)
        scales = [pa.field(SCALES, pa.large_list(pa.float16()), nullable=False)] if self.codec.scales else []
        return pa.schema([ID, pa.field("status", pa.int8(), nullable=False), values, *scales])

    def to_batch(self, ids: np.ndarray, status: Sequence[int], kept: Sequence[Kept]) -> pa.RecordBatch:
        """Turn what is kept of rows into a record batch."""
        columns = [pa.array(ids.astype(np.uint64)), pa.array(status, pa.int8())]
        columns.append(ragged([each.numbers.ravel() for each in kept], self.codec.arrow))
        if self.codec.scales:
            columns.append(ragged([each.scales for each in kept], pa.float16()))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def settings(self) -> dict[str, Any]:
        """Return what a manifest says of the group."""
        return {
            "teacher": self.teacher,
            "family": self.family.value,
            "layers": list(self.layers),
            "width": self.width,
            "codec": self.codec.value,
            **({"affine": self.affine.settings()} if self.affine else {}),
            **({"weights": dict(self.weights)} if self.weights else {}),
        }

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "Answers":
        """Read what a group holds from its manifest's settings.

        Raises `NewerFormatError` for a family or a codec that a later version added.
        """
        try:
            family, codec = Family(settings["family"]), Codec(settings["codec"])
        except ValueError:
            known = f"{', '.join(Family)}, kept as {', '.join(Codec)}"
            found = f"{settings['family']} of `{settings['teacher']}`, kept as {settings['codec']}"
            raise NewerFormatError(known, found, "upgrade offline-distill") from None
        return cls(
            teacher=settings["teacher"],
            family=family,
            layers=tuple(settings["layers"]),
            width=settings["width"],
            codec=codec,
            affine=Affine(**settings["affine"]) if "affine" in settings else None,
            weights=tuple(settings.get("weights", {}).items()),
        )


def ragged(rows: Sequence[np.ndarray], kind: pa.DataType) -> pa.LargeListArray:
    """Put the numbers of rows end to end in a column."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(rows), kind))
