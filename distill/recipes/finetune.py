"""Fine-tuning: labels only; the arm without distillation, and how a teacher is made."""

from distill.prediction import predict
from distill.recipe import Recipe, Stage
from distill.shape import ModelShape


def recipe(student: ModelShape, teacher: ModelShape, *, epochs: float = 3.0, learning_rate: float = 3e-5) -> Recipe:
    """Learn from labels (Devlin et al., 2019, section 4.1)."""
    return Recipe(Stage("labels", (predict(student.kind).of_labels(),), epochs, learning_rate))
