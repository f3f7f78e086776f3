"""TinyBERT's general distillation: the insides of a language model on raw text, no predictions."""

from distill.layer_map import layer_map
from distill.losses import mse
from distill.recipe import Recipe, Stage, Term, from_teacher, same_heads
from distill.shape import ModelShape
from schemas.signal import attention_scores, hidden


def recipe(
    student: ModelShape,
    teacher: ModelShape,
    *,
    layers: str = "uniform",
    attention: bool = True,
    epochs: float = 1.0,
    learning_rate: float = 5e-5,
) -> Recipe:
    """Learn embeddings, hidden states and attention, all of weight 1, with one projection (Jiao et al., 2020, 4.2).

    One epoch over the rows, as `corpus.passes` of the text are among them: the paper's three epochs are three passes.
    `attention` off leaves the scores out, for models with other numbers of heads or, as DeBERTa, without any to read.
    """
    pairs = layer_map(layers, student.layers, teacher.layers)
    scores = (Term(mse, attention_scores(s), from_teacher(attention_scores(t))) for s, t in pairs)
    terms = (
        *(Term(mse, hidden(s), from_teacher(hidden(t)), project="width") for s, t in [(0, 0), *pairs]),
        *(same_heads(scores, student, teacher) if attention else ()),
    )
    return Recipe(Stage("general", terms, epochs, learning_rate))
