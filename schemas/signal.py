"""Signals: things that can be read off any encoder, and the columns a cache keeps them in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from schemas.task import NO_ANSWERS, Kind, Unit, unit_of


class Family(StrEnum):
    """Signals of one tensor family share a group of the cache."""

    LOGITS = "logits"
    TOKEN_LOGITS = "token_logits"
    HIDDEN = "hidden"
    ATTENTION = "attention"


@dataclass(frozen=True, order=True, slots=True)
class Signal:
    """One thing that can be read off an encoder, teacher or student alike.

    `layer` 0 is the embedding output, blocks count from 1, so that hidden states and attention share one layer map.
    `at` says where in the row: the whole `row`, every `token`, every pair of `tokens`.
    """

    family: Family
    layer: int | None = None
    at: str = "row"

    def __str__(self) -> str:
        return self.family.value if self.layer is None else f"{self.family.value}.{self.layer}"

    @property
    def is_answer(self) -> bool:
        """Whether it is what a head says, and not of a model's insides."""
        return self.family in (Family.LOGITS, Family.TOKEN_LOGITS)


@dataclass(frozen=True, order=True, slots=True)
class Column:
    """Where a cache keeps a teacher's signal, such as `teacher.hidden.6`."""

    teacher: str
    signal: Signal

    def __str__(self) -> str:
        return f"{self.teacher}.{self.signal}"


def logits() -> Signal:
    """Return the signal of the classifier's outputs before softmax, `classes` numbers a row."""
    return Signal(Family.LOGITS)


def token_logits() -> Signal:
    """Return the signal of a token classifier's outputs before softmax, `classes` numbers at every token."""
    return Signal(Family.TOKEN_LOGITS, at="token")


def answer_of(kind: Kind) -> Signal:
    """Return the signal that is a model's answer to a kind of task."""
    unit = unit_of(kind)
    match unit:
        case Unit.ROW:
            return logits()
        case Unit.WORD:
            return token_logits()
        case Unit.NOTHING:
            raise NO_ANSWERS
        case _:
            assert_never(unit)


def hidden(layer: int) -> Signal:
    """Return the signal of a layer's output at every token, `width` numbers each."""
    return Signal(Family.HIDDEN, layer, "token")


def attention_scores(layer: int) -> Signal:
    """Return the signal of a block's attention **before** softmax, `heads` numbers for every pair of tokens."""
    return Signal(Family.ATTENTION, layer, "tokens")


def layers_of(signals: frozenset[Signal], family: Family) -> tuple[int, ...]:
    """Return the layers of one family among the signals, in order."""
    return tuple(sorted(s.layer for s in signals if s.family is family and s.layer is not None))
