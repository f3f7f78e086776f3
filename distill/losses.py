"""Losses: plain functions of a student's signal and its target, both packed, without padding.

A mean over a packed tensor is the mean over real tokens and real pairs of tokens; there is no mask to forget.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from schemas.signal import top_of

Loss = Callable[[Tensor, Tensor], Tensor]


def mse(student: Float[Tensor, "*axes"], target: Float[Tensor, "*axes"]) -> Float[Tensor, ""]:
    """Mean squared difference over all entries."""
    return functional.mse_loss(student, target)


def cross_entropy(student: Float[Tensor, "rows classes"], target: Int[Tensor, " rows"]) -> Float[Tensor, ""]:
    """Cross-entropy with labels, mean over rows."""
    return functional.cross_entropy(student, target)


def squared_error(student: Float[Tensor, "rows 1"], target: Float[Tensor, " rows"]) -> Float[Tensor, ""]:
    """Squared error of a regression with labels, mean over rows."""
    return functional.mse_loss(student.squeeze(-1), target)


def binary_cross_entropy(
    student: Float[Tensor, "rows classes"], target: Float[Tensor, "rows classes"]
) -> Float[Tensor, ""]:
    """Cross-entropy of a yes or no for every class, 1 or 0 in the target, mean over rows and classes."""
    return functional.binary_cross_entropy_with_logits(student, target)


def soft_cross_entropy(temperature: float = 1.0) -> Loss:
    """Cross-entropy with the teacher's softened answer (Jiao et al., 2020, equation 10).

    The mean is over rows **and** classes and carries no factor of temperature squared, as in the published code.
    """

    def loss(student: Float[Tensor, "rows classes"], target: Float[Tensor, "rows classes"]) -> Float[Tensor, ""]:
        wanted = torch.softmax(target / temperature, dim=-1)
        return -(wanted * torch.log_softmax(student / temperature, dim=-1)).mean()

    return loss


def top_cross_entropy(
    student: Float[Tensor, "masked vocabulary"], target: Float[Tensor, "masked numbers"]
) -> Float[Tensor, ""]:
    """Cross-entropy with the largest of a teacher's logits (see `schemas.signal.masked_logits`), mean over masks.

    All pieces that are not among them count as one, so that no probability is lost: top-k alone is a biased target
    (Anshumann et al., 2025, Sparse Logit Sampling).
    """
    top = top_of(target.size(1))
    total = student.logsumexp(-1)
    said = student.gather(1, target[:, top + 1 :].long()) - total.unsqueeze(1)
    wanted = (target[:, :top] - target[:, top : top + 1]).exp()
    rest = (1 - wanted.sum(1)).clamp(min=0)
    # Of what is left the student says nearly nothing when it is sure; the clamp keeps the gradient finite there.
    left = (1 - said.exp().sum(1)).clamp(min=torch.finfo(said.dtype).eps).log()
    return -((wanted * said).sum(1) + rest * left).sum() / max(len(student), 1)


def kl_divergence(temperature: float) -> Loss:
    """Temperature squared times KL(teacher || student), mean over rows (Hinton et al., 2015, section 2)."""

    def loss(student: Float[Tensor, "rows classes"], target: Float[Tensor, "rows classes"]) -> Float[Tensor, ""]:
        return temperature**2 * functional.kl_div(
            torch.log_softmax(student / temperature, dim=-1),
            torch.log_softmax(target / temperature, dim=-1),
            reduction="batchmean",
            log_target=True,
        )

    return loss


def soft_binary_cross_entropy(temperature: float = 1.0) -> Loss:
    """Cross-entropy of every class's yes or no with the teacher's softened one, mean over rows and classes.

    The counterpart of `soft_cross_entropy` where classes do not exclude each other: a softmax over the two answers of a
    class is the sigmoid of its logit.
    """

    def loss(student: Float[Tensor, "rows classes"], target: Float[Tensor, "rows classes"]) -> Float[Tensor, ""]:
        return binary_cross_entropy(student / temperature, torch.sigmoid(target / temperature))

    return loss


def binary_kl_divergence(temperature: float) -> Loss:
    """Temperature squared times KL(teacher || student) of every class's yes or no, mean over rows and classes.

    Hinton et al., 2015, section 2, for every class by itself; the mean is the one of `binary_cross_entropy`, so that a
    weight between the two means what it does with one class a row.
    """
    cross_entropy = soft_binary_cross_entropy(temperature)

    def loss(student: Float[Tensor, "rows classes"], target: Float[Tensor, "rows classes"]) -> Float[Tensor, ""]:
        return temperature**2 * (cross_entropy(student, target) - cross_entropy(target, target))

    return loss
