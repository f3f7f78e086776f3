"""Hinton's distillation: the teacher's softened answer beside the label."""

from distill.losses import cross_entropy, kl_divergence, mse, squared_error
from distill.recipe import Recipe, Stage, Term, from_teacher, label
from distill.shape import ModelShape
from schemas.signal import logits


def recipe(
    student: ModelShape,
    teacher: ModelShape,
    *,
    temperature: float = 4.0,
    soft: float = 0.9,
    epochs: float = 3.0,
    learning_rate: float = 3e-5,
) -> Recipe:
    """Learn softened answers with weight `soft` and labels with the rest (Hinton et al., 2015, section 2).

    A regression has no temperature: both targets enter by squared error.
    """
    answer, gold = (mse, squared_error) if student.classes == 1 else (kl_divergence(temperature), cross_entropy)
    terms = (Term(answer, logits(), from_teacher(logits()), soft), Term(gold, logits(), label(), 1 - soft))
    return Recipe(Stage("answers", tuple(term for term in terms if term.weight), epochs, learning_rate))
