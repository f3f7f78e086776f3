"""Groups of a teacher's answers: one tensor family, layer-major in one column, ragged, never padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, assert_never

import numpy as np
import pyarrow as pa

from schemas.codec import Codec
from schemas.group import ID
from schemas.signal import Family, Signal, attention_scores, hidden, logits, token_logits

AXES = {
    Family.LOGITS: "classes",
    Family.TOKEN_LOGITS: "tokens,classes",
    Family.HIDDEN: "layers,tokens,width",
    Family.ATTENTION: "layers,heads,tokens,tokens",
}


class Status(IntEnum):
    """Whether a row's slot holds an answer."""

    KEPT = 0
    NOT_FINITE = 1


@dataclass(frozen=True)
class Answers:
    """What one group of a teacher holds.

    `width` is the number of classes, the hidden width or the number of heads. A row of `l` tokens has `classes`,
    `l * classes`, `layers * l * width` or `layers * heads * l * l` numbers.
    """

    teacher: str
    family: Family
    layers: tuple[int, ...]
    width: int
    codec: Codec

    @property
    def name(self) -> str:
        """Name of the group, such as `teacher.hidden.0-3-6.f16`."""
        layers = ("-".join(map(str, self.layers)),) if self.layers else ()
        return ".".join((self.teacher, self.family.value, *layers, self.codec.value))

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Signals of the group, in the order in which they are kept."""
        match self.family:
            case Family.LOGITS:
                return (logits(),)
            case Family.TOKEN_LOGITS:
                return (token_logits(),)
            case Family.HIDDEN:
                return tuple(hidden(layer) for layer in self.layers)
            case Family.ATTENTION:
                return tuple(attention_scores(layer) for layer in self.layers)
            case _:
                assert_never(self.family)

    def size(self, lengths: np.ndarray) -> np.ndarray:
        """Return how many numbers one layer of a row has, for rows of so many tokens."""
        match self.family:
            case Family.LOGITS:
                return np.full_like(lengths, self.width)
            case Family.TOKEN_LOGITS | Family.HIDDEN:
                return lengths * self.width
            case Family.ATTENTION:
                return lengths * lengths * self.width
            case _:
                assert_never(self.family)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the group; plain lists with metadata of our own, so that any Arrow reader opens them."""
        metadata = {
            "distill.axes": AXES[self.family],
            "distill.layers": ",".join(map(str, self.layers)),
            "distill.width": str(self.width),
            "distill.codec": self.codec.value,
        }
        if self.family is Family.ATTENTION:
            metadata["distill.semantics"] = "scores before softmax, divided by the root of the head width"
        values = pa.field(self.family.value, pa.large_list(self.codec.arrow), nullable=False, metadata=metadata)
        return pa.schema([ID, pa.field("status", pa.int8(), nullable=False), values])

    def to_batch(self, ids: np.ndarray, status: Sequence[int], values: np.ndarray, sizes: np.ndarray) -> pa.RecordBatch:
        """Turn the flat numbers of rows, `sizes` numbers each, into a record batch."""
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        column = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values, self.codec.arrow))
        arrays = [pa.array(ids.astype(np.uint64)), pa.array(status, pa.int8()), column]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def settings(self) -> dict[str, Any]:
        """Return what a manifest says of the group."""
        return {
            "teacher": self.teacher,
            "family": self.family.value,
            "layers": list(self.layers),
            "width": self.width,
            "codec": self.codec.value,
        }

    @classmethod
    def of(cls, settings: dict[str, Any]) -> "Answers":
        """Read what a group holds from its manifest's settings."""
        return cls(
            teacher=settings["teacher"],
            family=Family(settings["family"]),
            layers=tuple(settings["layers"]),
            width=settings["width"],
            codec=Codec(settings["codec"]),
        )
