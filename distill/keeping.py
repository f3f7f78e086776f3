"""Keeping: in which form a cache holds what a teacher says."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from distill.projections import is_plain, not_plain
from distill.shape import ModelShape
from distill.skeleton import skeleton_of
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec
from schemas.configuration import Teaching
from schemas.signal import Family, Signal, hidden


@dataclass(frozen=True)
class Keeping:
    """The codec of what is not exact, and what is kept of attention and of the embedding output."""

    codec: Codec = Codec.F16
    attention: Literal["scores", "input"] = "scores"
    embedding: Literal["keep", "compute"] = "keep"

    def family(self, signal: Signal) -> Family:
        """Return the family of the group that a signal is kept in."""
        if signal.family is Family.ATTENTION and self.attention == "input":
            return Family.ATTENTION_INPUT
        if signal == hidden(0) and self.embedding == "compute":
            return Family.EMBEDDING
        return signal.family


def keeping_of(
    teaching: Teaching,
    checkpoint: Checkpoint,
    shape: ModelShape,
    signals: Collection[Signal],
    lengths: Callable[[], np.ndarray],
) -> Keeping:
    """Decide what the configuration leaves open; `lengths` gives the tokens of some rows, and is asked only for that.

    A block's input takes `width` numbers a token, its scores `heads` numbers a pair of tokens. Raises `ModelError`
    where inputs are asked of a teacher whose scores are not made of them.
    """
    attention: Literal["scores", "input"] = "scores"
    if teaching.attention != "scores" and any(signal.family is Family.ATTENTION for signal in signals):
        model = skeleton_of(checkpoint, shape.kind)
        if teaching.attention == "input":
            attention = "input"
            if not is_plain(model.base_model):
                raise not_plain(model)
        elif is_plain(model.base_model):
            tokens = lengths().astype(np.int64)
            attention = "input" if shape.width * tokens.sum() < shape.heads * (tokens**2).sum() else "scores"
    return Keeping(teaching.codec, attention, teaching.embedding)
