"""TinyBERT: embeddings, hidden states and attention first, then predictions."""

from distill.layer_map import layer_map
from distill.losses import mse
from distill.prediction import predict
from distill.recipe import Recipe, Stage, Term, from_teacher, same_heads
from distill.shape import ModelShape
from schemas.signal import attention_scores, hidden


def recipe(
    student: ModelShape,
    teacher: ModelShape,
    *,
    layers: str = "uniform",
    attention: bool = True,
    temperature: float = 1.0,
    separate_embedding_projection: bool = False,
    intermediate_epochs: float = 20.0,
    intermediate_learning_rate: float = 5e-5,
    prediction_epochs: float = 3.0,
    prediction_learning_rate: float = 3e-5,
) -> Recipe:
    """Two stages of task-specific distillation (Jiao et al., 2020, sections 3 and 4).

    One projection serves the embedding and all layers as in the published code; the paper gives the embedding its own:
    `separate_embedding_projection`. A regression learns the teacher's number by squared error. `attention` off leaves
    the attention scores out, for models with other numbers of heads or, as DeBERTa, without scores to read.
    """
    pairs = layer_map(layers, student.layers, teacher.layers)
    embedding = "embedding" if separate_embedding_projection else "width"
    scores = (Term(mse, attention_scores(s), from_teacher(attention_scores(t))) for s, t in pairs)
    imitate = (
        Term(mse, hidden(0), from_teacher(hidden(0)), project=embedding),
        *(Term(mse, hidden(s), from_teacher(hidden(t)), project="width") for s, t in pairs),
        *(same_heads(scores, student, teacher) if attention else ()),
    )
    return Recipe(
        Stage("intermediate", imitate, intermediate_epochs, intermediate_learning_rate, schedule="constant"),
        Stage(
            "prediction",
            (predict(student.kind).of_teacher(temperature),),
            prediction_epochs,
            prediction_learning_rate,
        ),
    )
