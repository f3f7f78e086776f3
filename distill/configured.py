"""The recipe of a run, refused before anything is written where teacher or student cannot give what it asks."""

from collections.abc import Collection

from transformers import AutoConfig, PreTrainedConfig

from distill.attention import gives_scores, no_scores
from distill.recipe import Recipe, load_recipe
from distill.shape import ModelShape
from distill.skeleton import skeleton
from distill.student import reads_other_ids, student_configuration
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.errors import ModelError
from schemas.signal import Signal
from schemas.task import Kind


def recipe_of(configuration: Configuration, teacher: Checkpoint, shape: ModelShape) -> Recipe:
    """Return the configured recipe for a teacher, which has this shape in the end, and the configured student.

    Raises `ModelError` for attention scores that a model does not give, and for signals of tokens where the student
    has a tokenizer of its own.
    """
    settings, kind = configuration.train, configuration.task.kind
    student = student_configuration(configuration.student, teacher, configuration.task)
    recipe = load_recipe(settings.recipe, ModelShape.of(student, kind), shape, settings.dials)
    wanted = frozenset(column.signal for column in recipe.columns)
    refuse_unreadable(AutoConfig.from_pretrained(teacher.path, trust_remote_code=False), kind, wanted)
    refuse_unreadable(student, kind, frozenset[Signal]().union(*(stage.signals for stage in recipe.stages)))
    start = configuration.student.start
    tokens = sorted(str(signal) for signal in wanted if signal.at != "row")
    if tokens and reads_other_ids(configuration.student, teacher):
        raise ModelError(
            "signals of whole rows, as the student has a tokenizer of its own: its tokens are not the teacher's",
            f"train.recipe: `{settings.recipe}` wants {', '.join(tokens)}; student.start: {start}",
            "set `train.recipe: hinton` where rows are classified, name a checkpoint with the teacher's tokenizer, "
            "or set student.start=random",
        )
    return recipe


def refuse_unreadable(configuration: PreTrainedConfig, kind: Kind, signals: Collection[Signal]) -> None:
    """Refuse attention scores of a model that gives none; its weights are not needed to tell."""
    pairs = {signal for signal in signals if signal.at == "tokens"}
    if not pairs:
        return
    model = skeleton(configuration, kind)
    if not gives_scores(model):
        raise no_scores(model, pairs)
