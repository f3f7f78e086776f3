"""Hinton's distillation: the teacher's softened answer beside the label."""

from distill.prediction import predict
from distill.recipe import Recipe, Stage
from distill.shape import ModelShape


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
    answer = predict(student.kind)
    terms = (answer.by_divergence(temperature, soft), answer.of_labels(1 - soft))
    return Recipe(Stage("answers", tuple(term for term in terms if term.weight), epochs, learning_rate))
