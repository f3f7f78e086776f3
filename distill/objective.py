"""Objectives: a stage's terms over a student, with the projections they share."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.batch import Batch
from distill.encoder import Encoder, Values
from distill.recipe import Label, Recipe, Stage, Term
from distill.shape import ModelShape
from schemas.errors import ConfigurationError
from schemas.signal import Column, Family, Signal


class Objective(nn.Module):
    """The student and all projections of a recipe; calling it gives the loss of one stage on one batch."""

    def __init__(self, encoder: Encoder, recipe: Recipe, teachers: Mapping[str, ModelShape]) -> None:
        super().__init__()
        self.encoder = encoder
        self.student = encoder.model
        widths = projected_widths(recipe, teachers)
        self.projections = nn.ModuleDict(
            {name: nn.Linear(encoder.shape.width, width) for name, width in widths.items()}
        )

    def forward(
        self, stage: Stage, batch: Batch, answers: Mapping[Column, Tensor], labels: Tensor | None
    ) -> tuple[Float[Tensor, ""], Mapping[str, Tensor]]:
        """Return the weighted sum of the stage's terms, and each term alone, detached."""
        signals = self.encoder.read(batch, stage.signals)
        total = torch.zeros((), device=batch.input_ids.device)
        parts: dict[str, Tensor] = {}
        for term in stage.terms:
            value = term.loss(self.projected(term, batch, signals), self.target(term, batch, answers, labels))
            total = total + term.weight * value
            parts[term.name] = value.detach()
        return total, parts

    def projected(self, term: Term, batch: Batch, signals: Values) -> Tensor:
        """Return the student's side of a term."""
        signal = compared(signals[term.student], term.student, batch)
        if term.project is None:
            return signal
        assert term.student.family.width == "width"
        return self.projections[term.project](signal).float()

    def target(self, term: Term, batch: Batch, answers: Mapping[Column, Tensor], labels: Tensor | None) -> Tensor:
        """Return the target's side of a term."""
        if isinstance(term.target, Label):
            assert labels is not None
            return labels
        return compared(answers[term.target], term.target.signal, batch)


def projected_widths(recipe: Recipe, teachers: Mapping[str, ModelShape]) -> dict[str, int]:
    """Return how wide the targets of each projection are; terms that share one have targets of one width."""
    widths: dict[str, int] = {}
    for term in (term for stage in recipe.stages for term in stage.terms if term.project):
        assert term.project is not None
        assert isinstance(term.target, Column)
        width = teachers[term.target.teacher].width
        if widths.setdefault(term.project, width) != width:
            raise ConfigurationError(
                "targets of one width for one projection",
                f"train.recipe: `{term.project}`: {widths[term.project]} and {width} wide",
                "give each width a projection of its own",
            )
    return widths


def compared(values: Tensor, signal: Signal, batch: Batch) -> Tensor:
    """Return the part of a signal that losses compare: all of it, of a token classifier's answers those for words."""
    return batch.at_words(values) if signal.family is Family.TOKEN_LOGITS else values
