"""Fine-tuning: labels only; the arm without distillation, and how a teacher is made."""

from distill.losses import cross_entropy, squared_error
from distill.recipe import Recipe, Stage, Term, label
from distill.shape import ModelShape
from schemas.signal import logits


def recipe(student: ModelShape, teacher: ModelShape, *, epochs: float = 3.0, learning_rate: float = 3e-5) -> Recipe:
    """Learn from labels (Devlin et al., 2019, section 4.1)."""
    loss = squared_error if student.classes == 1 else cross_entropy
    return Recipe(Stage("labels", (Term(loss, logits(), label()),), epochs, learning_rate))
