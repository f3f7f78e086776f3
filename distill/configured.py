"""The recipe of a run, refused before anything is written where teacher or student cannot give what it asks."""

from collections.abc import Collection

from transformers import AutoConfig, PreTrainedConfig

from distill.attention import gives_scores, no_scores
from distill.encoder import are_of_pieces, has_no
from distill.recipe import Recipe, load_recipe
from distill.shape import ModelShape
from distill.skeleton import skeleton
from distill.student import reads_other_ids, student_configuration, vocabulary_of
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.errors import ConfigurationError, ModelError
from schemas.signal import TEACHER, At, Family, Signal
from schemas.task import Kind


def recipe_of(configuration: Configuration, teacher: Checkpoint, shape: ModelShape) -> Recipe:
    """Return the configured recipe for a teacher, which has this shape in the end, and the configured student.

    Raises `ModelError` for attention scores and pooled output that a model does not give, and for signals of tokens
    where the student has a tokenizer of its own.
    """
    settings, kind = configuration.train, configuration.task.kind
    student = student_configuration(configuration.student, teacher, configuration.task)
    own = ModelShape.of(student, kind)
    others = {name: Checkpoint.find(configuration.model_of(name)) for name in configuration.other_teachers}
    shapes = {name: ModelShape.of_checkpoint(checkpoint, kind) for name, checkpoint in others.items()}
    recipe = load_recipe(settings.recipe, own, shape, settings.dials, shapes)
    for name, checkpoint in {TEACHER: teacher, **others}.items():
        wanted = recipe.signals_of(name)
        refuse_unreadable(AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False), kind, wanted)
        if of_tokens(wanted) and vocabulary_of(checkpoint) != vocabulary_of(teacher):
            raise ModelError(
                "signals of whole rows from a teacher with a tokenizer of its own",
                f"train.recipe: `{settings.recipe}` wants {', '.join(of_tokens(wanted))} of {name}",
                "set `train.recipe: hinton` where rows are classified, or name a teacher with the same tokenizer",
            )
    students = frozenset[Signal]().union(*(stage.signals for stage in recipe.stages))
    refuse_unreadable(student, kind, students)
    if are_of_pieces(students) and not (configuration.data.corpus and configuration.corpus.mask):
        raise ConfigurationError(
            "masked tokens, of a corpus, where a recipe learns what stands there",
            f"train.recipe: `{settings.recipe}`; corpus.mask: {configuration.corpus.mask}",
            "set corpus.mask=0.15 with `data.corpus`, or name another recipe",
        )
    start = configuration.student.start
    tokens = of_tokens([column.signal for column in recipe.columns])
    if tokens and reads_other_ids(configuration.student, teacher):
        raise ModelError(
            "signals of whole rows, as the student has a tokenizer of its own: its tokens are not the teacher's",
            f"train.recipe: `{settings.recipe}` wants {', '.join(tokens)}; student.start: {start}",
            "set `train.recipe: hinton` where rows are classified, name a checkpoint with the teacher's tokenizer, "
            "or set student.start=random",
        )
    return recipe.with_teacher(configuration.teacher_name)


def of_tokens(signals: Collection[Signal]) -> list[str]:
    """Return the signals that have numbers at tokens."""
    return sorted({str(signal) for signal in signals if signal.at is not At.ROW})


def refuse_unreadable(configuration: PreTrainedConfig, kind: Kind, signals: Collection[Signal]) -> None:
    """Refuse layers that a model does not have, and attention scores and pooled output where it gives none.

    Its weights are not needed to tell.
    """
    shape = ModelShape.of(configuration, kind)
    for signal in sorted(signals):
        refuse_absent(signal, shape, configuration.model_type)
    pairs = {signal for signal in signals if signal.at is At.PAIR}
    pools = any(signal.family is Family.POOLED for signal in signals)
    if not pairs and not pools:
        return
    model = skeleton(configuration, kind)
    if pairs and not gives_scores(model):
        raise no_scores(model, pairs)
    if pools and getattr(model.base_model, "pooler", None) is None:
        raise has_no(model, "pooled output")


def refuse_absent(signal: Signal, shape: ModelShape, name: str) -> None:
    """Refuse a signal of a layer that a model does not have, or of heads into which its width cannot be cut."""
    first = 1 if signal.at is At.PAIR else 0
    if signal.layer is not None and not first <= signal.layer <= shape.layers:
        raise ConfigurationError(
            f"layers from {first} to {shape.layers}: 0 is the embedding output, blocks count from 1",
            f"train.recipe: {signal} of a {name} of {shape.layers} blocks",
            "correct the recipe, or name another model",
        )
    if signal.heads and shape.width % signal.heads:
        raise ConfigurationError(
            f"relations of so many heads as divide the width, {shape.width}",
            f"train.recipe: {signal} of a {name}",
            "correct the recipe",
        )
