"""Predictions: which signal answers a kind of task, and which losses compare it with labels and with a teacher's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from distill.losses import (
    Loss,
    binary_cross_entropy,
    binary_kl_divergence,
    cross_entropy,
    kl_divergence,
    mse,
    soft_binary_cross_entropy,
    soft_cross_entropy,
    squared_error,
)
from distill.recipe import Term, from_teacher, label, nothing_to_predict
from schemas.signal import TEACHER, Signal, answer_of
from schemas.task import Kind


@dataclass(frozen=True)
class Prediction:
    """What a recipe says of answers: terms whose signal and losses fit the kind of task.

    `soft` and `divergence` make a loss for a temperature.
    """

    signal: Signal
    hard: Loss
    soft: Callable[[float], Loss]
    divergence: Callable[[float], Loss]

    def of_labels(self, weight: float = 1.0) -> Term:
        """Learn the labels."""
        return Term(self.hard, self.signal, label(), weight)

    def of_teacher(self, temperature: float, weight: float = 1.0) -> Term:
        """Learn the teacher's answer by cross-entropy, as TinyBERT does."""
        return Term(self.soft(temperature), self.signal, from_teacher(self.signal), weight)

    def by_divergence(self, temperature: float, weight: float = 1.0, teacher: str = TEACHER) -> Term:
        """Learn a teacher's answer by a divergence on the scale of the labels' loss, as Hinton does."""
        return Term(self.divergence(temperature), self.signal, from_teacher(self.signal, teacher), weight)


def predict(kind: Kind) -> Prediction:
    """Return how a kind of task predicts; a regression has no temperature, its numbers enter by squared error.

    Token classifications learn at first pieces of words alone, labels and teacher's answers alike: no prediction is
    made at the others (Devlin et al., 2019, section 5.3), and a teacher that was fine-tuned so means nothing by what
    it says there.
    """
    if kind is Kind.NONE:
        raise nothing_to_predict("it predicts")
    answer = answer_of(kind)
    match kind:
        case Kind.CLASSIFICATION | Kind.TOKEN_CLASSIFICATION:
            return Prediction(answer, cross_entropy, soft_cross_entropy, kl_divergence)
        case Kind.REGRESSION:
            return Prediction(answer, squared_error, without_temperature, without_temperature)
        case Kind.MULTI_LABEL:
            return Prediction(answer, binary_cross_entropy, soft_binary_cross_entropy, binary_kl_divergence)
        case _:
            assert_never(kind)


def without_temperature(temperature: float) -> Loss:
    """Return the loss of numbers, whatever the temperature."""
    del temperature
    return mse
