"""Signals: things that can be read off any encoder, and the columns a cache keeps them in."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, assert_never

from schemas.task import NO_ANSWERS, Kind, Unit, unit_of


class At(StrEnum):
    """Where in a row there are numbers: for the row as a whole, each token, each masked token, each pair of tokens."""

    ROW = "row"
    TOKEN = "token"
    MASKED = "masked"
    PAIR = "pair"
    NOWHERE = "nowhere"


class Family(StrEnum):
    """A kind of tensor; signals of one family share a group of the cache.

    `at` says where there are numbers, `width` how many, by a field of a model's shape. `exact` ones are so few that
    they are always kept in f32.

    Of the last two nothing is a signal: attention scores and the embedding output are computed from them anew.
    """

    at: At
    width: str
    exact: bool

    LOGITS = "logits", At.ROW, "classes", True
    TOKEN_LOGITS = "token_logits", At.TOKEN, "classes", True
    MASKED_LOGITS = "masked_logits", At.MASKED, "vocabulary", True
    FIRST = "first", At.ROW, "width", True
    MEAN = "mean", At.ROW, "width", True
    POOLED = "pooled", At.ROW, "width", True
    HIDDEN = "hidden", At.TOKEN, "width", False
    ATTENTION = "attention", At.PAIR, "heads", False
    QUERY_RELATION = "query_relation", At.PAIR, "heads", False
    KEY_RELATION = "key_relation", At.PAIR, "heads", False
    VALUE_RELATION = "value_relation", At.PAIR, "heads", False
    ATTENTION_INPUT = "attention_input", At.TOKEN, "width", False
    EMBEDDING = "embedding", At.NOWHERE, "width", True

    def __new__(cls, value: str, at: At, width: str, exact: bool) -> "Family":
        """Make a member that is its name and knows its shape."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.at, member.width, member.exact = at, width, exact
        return member

    @property
    def of_states(self) -> bool:
        """Whether it is read off a layer's output, which a model gives only when asked."""
        return self in (Family.HIDDEN, Family.FIRST, Family.MEAN)

    @property
    def file(self) -> str:
        """Name of the file of weights that signals are computed with, where they are not kept themselves."""
        return f"{self.value}.safetensors"

    @property
    def axes(self) -> str:
        """What a row's numbers count, outermost first."""
        match self.at:
            case At.ROW:
                inner = self.width
            case At.TOKEN:
                inner = f"tokens,{self.width}"
            case At.MASKED:
                inner = "masked,values and log-sum-exp and pieces"
            case At.PAIR:
                inner = f"{self.width},tokens,tokens"
            case At.NOWHERE:
                inner = "none"
            case _:
                assert_never(self.at)
        return inner if self.width in ("classes", "vocabulary") or self is Family.POOLED else f"layers,{inner}"


RELATIONS = (Family.QUERY_RELATION, Family.KEY_RELATION, Family.VALUE_RELATION)


@dataclass(frozen=True, order=True, slots=True)
class Signal:
    """One thing that can be read off an encoder, teacher or student alike.

    `layer` 0 is the embedding output, blocks count from 1, so that hidden states and attention share one layer map.
    `heads` is into how many heads a relation is cut, whatever the model has; `top` is how many of the vocabulary's
    logits there are at a masked token, the largest ones, all where it is `None`.
    """

    family: Family
    layer: int | None = None
    heads: int | None = None
    top: int | None = None

    def __str__(self) -> str:
        cut = f"-{self.heads}" if self.heads else f"-top{self.top}" if self.top else ""
        return f"{self.family.value}{cut}" + ("" if self.layer is None else f".{self.layer}")

    @classmethod
    def of(cls, family: Family, layer: int | None, width: int) -> "Signal":
        """Return the signal of a family and a layer that has so many numbers: the inverse of `width`."""
        heads = width if family in RELATIONS else None
        return cls(family, layer, heads, top_of(width) if family is Family.MASKED_LOGITS else None)

    @property
    def width(self) -> int | None:
        """How many numbers there are, where the signal says it and not a model's shape."""
        return width_of(self.top) if self.top else self.heads

    @property
    def at(self) -> At:
        """Where in a row there are numbers."""
        return self.family.at

    @property
    def is_answer(self) -> bool:
        """Whether it is what a head says, and not of a model's insides."""
        return self.family in (Family.LOGITS, Family.TOKEN_LOGITS)


TEACHER = "teacher"
"""By which name recipes know the teacher of a run, and a cache what it said, unless it is one of several."""


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
    return Signal(Family.TOKEN_LOGITS)


def width_of(top: int) -> int:
    """Return how many numbers say so many of the largest logits: they, the log-sum-exp of all, the ids of pieces."""
    return 2 * top + 1


def top_of(width: int) -> int:
    """Return how many of the largest logits so many numbers say: the inverse of `width_of`."""
    return width // 2


def masked_logits(top: int | None = None) -> Signal:
    """Return the signal of a masked language model's logits at masked tokens, `vocabulary` numbers each.

    With `top` there are `width_of(top)` numbers: the largest logits from the first on, the log-sum-exp of **all**,
    without which the rest could not be known to be small, and the ids of the pieces, as whole numbers.
    """
    return Signal(Family.MASKED_LOGITS, top=top)


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


def hidden(layer: int, at: Literal["token", "first", "mean"] = "token") -> Signal:
    """Return the signal of a layer's output, `width` numbers: at every token, at the first, or their mean."""
    return Signal({"token": Family.HIDDEN, "first": Family.FIRST, "mean": Family.MEAN}[at], layer)


def pooled() -> Signal:
    """Return the signal of what a model's pooler makes of the last layer, `width` numbers a row."""
    return Signal(Family.POOLED)


def attention_scores(layer: int) -> Signal:
    """Return the signal of a block's attention **before** softmax, `heads` numbers for every pair of tokens."""
    return Signal(Family.ATTENTION, layer)


def relation(layer: int, of: Literal["query", "key", "value"], heads: int) -> Signal:
    """Return the signal of how a block's queries, keys or values relate, `heads` numbers for every pair of tokens.

    The vectors of all heads are cut anew into `heads` of width d each; a relation is their product by the root of d,
    **before** softmax (MiniLMv2: Wang et al., 2021, section 3.1; values with the model's own heads: MiniLM, 2020).
    """
    families = {"query": Family.QUERY_RELATION, "key": Family.KEY_RELATION, "value": Family.VALUE_RELATION}
    return Signal(families[of], layer, heads)
