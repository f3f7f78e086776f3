"""Hinton's distillation: the teacher's softened answer beside the label."""

from collections.abc import Mapping

from distill.prediction import predict
from distill.recipe import Recipe, Stage
from distill.shape import ModelShape
from schemas.signal import TEACHER


def recipe(
    student: ModelShape,
    teacher: ModelShape,
    *,
    temperature: float = 4.0,
    soft: float = 0.9,
    epochs: float = 3.0,
    learning_rate: float = 3e-5,
    teachers: Mapping[str, ModelShape] | None = None,
) -> Recipe:
    """Learn softened answers with weight `soft` and labels with the rest (Hinton et al., 2015, section 2).

    A regression has no temperature: both targets enter by squared error. More `teachers` share the weight `soft` with
    the run's own, each in equal parts: divergences from each of an ensemble (Hinton et al., 2015, section 1).
    """
    answer, names = predict(student.kind), (TEACHER, *(teachers or ()))
    softened = (answer.by_divergence(temperature, soft / len(names), name) for name in names)
    terms = (*softened, answer.of_labels(1 - soft))
    return Recipe(Stage("answers", tuple(term for term in terms if term.weight), epochs, learning_rate))
