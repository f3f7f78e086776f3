"""Students: made from a teacher's own layers, at random, or from a checkpoint."""

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from distill.attention import IMPLEMENTATION
from distill.encoder import Encoder, architecture, load_model
from distill.layer_map import uniform
from distill.shape import ModelShape
from schemas.checkpoint import Checkpoint
from schemas.configuration import Student
from schemas.errors import ConfigurationError, ModelError
from schemas.task import Kind, Task

FIELDS = {
    "layers": "num_hidden_layers",
    "width": "hidden_size",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
}


def student_configuration(student: Student, teacher: Checkpoint, task: Task) -> PreTrainedConfig:
    """Return the configuration of a student: its checkpoint's, or the teacher's with the shape changed."""
    shape = {FIELDS[key]: value for key, value in student.model_dump(exclude={"start"}, exclude_none=True).items()}
    if student.start not in ("teacher", "random"):
        if shape:
            raise ConfigurationError(
                "no shape beside a checkpoint", f"student.start: {student.start} with {', '.join(shape)}", "remove it"
            )
        checkpoint = Checkpoint.find(student.start)
        if vocabulary_of(checkpoint) != vocabulary_of(teacher):
            raise ModelError(
                "a student that reads the teacher's token ids",
                f"student.start: {student.start}: another vocabulary",
                "name a checkpoint with the teacher's tokenizer, or set student.start=random",
            )
        path = checkpoint.path
        return AutoConfig.from_pretrained(path, trust_remote_code=False, **task.model_labels())
    configuration = AutoConfig.from_pretrained(teacher.path, trust_remote_code=False, **task.model_labels())
    if student.start == "teacher":
        changed = [k for k, v in shape.items() if v != getattr(configuration, k) and k != FIELDS["layers"]]
        if changed:
            raise ConfigurationError(
                "the teacher's width, heads and intermediate width where the student starts from its layers",
                f"student: {', '.join(f'{key} {shape[key]}' for key in changed)}",
                "set student.start=random, or leave out all but `student.layers`",
            )
    for key, value in shape.items():
        setattr(configuration, key, value)
    if configuration.hidden_size % configuration.num_attention_heads:
        raise ConfigurationError(
            "a width that the heads divide",
            f"student: {configuration.hidden_size} wide, {configuration.num_attention_heads} heads",
            "correct `student.width` or `student.heads`",
        )
    return configuration


def vocabulary_of(checkpoint: Checkpoint) -> dict[str, int]:
    """Return the ids of a checkpoint's pieces."""
    return AutoTokenizer.from_pretrained(checkpoint.path, trust_remote_code=False).get_vocab()


def student_shape(student: Student, teacher: Checkpoint, task: Task) -> ModelShape:
    """Return a student's shape without making it."""
    return ModelShape.of(student_configuration(student, teacher, task), task.kind)


def start_of(student: Student) -> str | None:
    """Return the fingerprint of the checkpoint that a student starts from, if it is one of its own."""
    return None if student.start in ("teacher", "random") else Checkpoint.find(student.start).fingerprint


def make_student(student: Student, teacher: Checkpoint, task: Task, seed: int) -> Encoder:
    """Make a student in fp32.

    From the teacher it takes embeddings, head and the blocks of the uniform layer map. At random it is drawn by the
    seed. A checkpoint's missing head is drawn by the seed, too.
    """
    torch.manual_seed(seed)
    configuration = student_configuration(student, teacher, task)
    if student.start not in ("teacher", "random"):
        model, _ = load_model(Checkpoint.find(student.start), task.kind, **task.model_labels())
        return Encoder(model, task.kind)
    model = architecture(task.kind).from_config(configuration, attn_implementation=IMPLEMENTATION)
    model.float()
    if student.start == "teacher":
        take_layers(model, teacher, task.kind)
    return Encoder(model, task.kind)


def take_layers(model: nn.Module, teacher: Checkpoint, kind: Kind) -> None:
    """Copy the teacher's embeddings, head, and the blocks that the uniform map gives each student block."""
    loaded, _ = load_model(teacher, kind)
    source = loaded.state_dict()
    shapes = (ModelShape.of(each.config, kind) for each in (model, loaded))  # type: ignore[arg-type]
    pairs = uniform(*(shape.layers for shape in shapes))
    origin = {f".layer.{m - 1}.": f".layer.{n - 1}." for m, n in pairs}
    weights = {}
    for name in model.state_dict():
        block = next((key for key in origin if key in name), None)
        weights[name] = source[name.replace(block, origin[block]) if block else name]
    model.load_state_dict(weights)
