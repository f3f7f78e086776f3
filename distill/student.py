"""Students: made from a teacher's own layers, at random, or from a checkpoint."""

import re
from collections.abc import Collection

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from distill.attention import IMPLEMENTATION
from distill.encoder import Encoder, architecture, are_of_pieces, load_model
from distill.layer_map import uniform
from distill.shape import ModelShape
from schemas.checkpoint import Checkpoint
from schemas.configuration import Student
from schemas.errors import ConfigurationError
from schemas.signal import Signal
from schemas.task import Kind, Task

FIELDS = {
    "layers": ("num_hidden_layers",),
    "width": ("hidden_size", "pooler_hidden_size"),
    "heads": ("num_attention_heads",),
    "intermediate": ("intermediate_size", "hidden_dim"),
}
"""What configurations of transformers call it: DeBERTa's head has its own width, DistilBERT its own name for one."""

BLOCK = re.compile(r"((?:^|\.)layers?\.)(\d+)\.")
"""Where the name of a weight says which block it is of; ALBERT's do not, as one serves them all."""


def student_configuration(student: Student, teacher: Checkpoint, task: Task) -> PreTrainedConfig:
    """Return the configuration of a student: its checkpoint's, or the teacher's with the shape changed."""
    shape = student.model_dump(exclude={"start"}, exclude_none=True)
    if has_checkpoint(student):
        if shape:
            raise ConfigurationError(
                "no shape beside a checkpoint", f"student.start: {student.start} with {', '.join(shape)}", "remove it"
            )
        path = Checkpoint.find(student.start).path
        return AutoConfig.from_pretrained(path, trust_remote_code=False, **task.model_labels())
    configuration = AutoConfig.from_pretrained(teacher.path, trust_remote_code=False, **task.model_labels())
    shape = {name: value for key, value in shape.items() for name in FIELDS[key] if hasattr(configuration, name)}
    if student.start == "teacher":
        changed = [k for k, v in shape.items() if v != getattr(configuration, k) and k not in FIELDS["layers"]]
        if changed:
            raise ConfigurationError(
                "the teacher's width, heads and intermediate width where the student starts from its layers",
                f"student: {', '.join(f'{key} {shape[key]}' for key in changed)}",
                "set student.start=random, or leave out all but `student.layers`",
            )
    teachers_layers = configuration.num_hidden_layers
    for key, value in shape.items():
        setattr(configuration, key, value)
    if getattr(configuration, "layer_types", None):
        # ModernBERT says of each block whether it looks at a window or at the whole row; so do the teacher's.
        pairs = uniform(configuration.num_hidden_layers, teachers_layers)
        configuration.layer_types = [configuration.layer_types[n - 1] for _, n in pairs]
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


def has_checkpoint(student: Student) -> bool:
    """Whether a student starts from a checkpoint of its own."""
    return student.start not in ("teacher", "random")


def reads_other_ids(student: Student, teacher: Checkpoint) -> bool:
    """Whether a student has a tokenizer of its own, so that what the teacher says of tokens is of other tokens."""
    return has_checkpoint(student) and vocabulary_of(Checkpoint.find(student.start)) != vocabulary_of(teacher)


def tokenizer_source(student: Student, teacher: Checkpoint) -> Checkpoint:
    """Return the checkpoint whose tokenizer a student reads with: the teacher's wherever it can."""
    return Checkpoint.find(student.start) if reads_other_ids(student, teacher) else teacher


def student_shape(student: Student, teacher: Checkpoint, task: Task) -> ModelShape:
    """Return a student's shape without making it."""
    return ModelShape.of(student_configuration(student, teacher, task), task.kind)


def start_of(student: Student) -> str | None:
    """Return the fingerprint of the checkpoint that a student starts from, if it is one of its own."""
    return Checkpoint.find(student.start).fingerprint if has_checkpoint(student) else None


def make_student(
    student: Student, teacher: Checkpoint, task: Task, seed: int, signals: Collection[Signal] = ()
) -> Encoder:
    """Make a student in fp32, with the head that the signals need beside the task's.

    From the teacher it takes embeddings, head and the blocks of the uniform layer map. At random it is drawn by the
    seed. A checkpoint's missing head is drawn by the seed, too.
    """
    torch.manual_seed(seed)
    configuration = student_configuration(student, teacher, task)
    pieces = are_of_pieces(signals)
    if has_checkpoint(student):
        start = Checkpoint.find(student.start)
        model, _ = load_model(start, task.kind, pieces=pieces, **task.model_labels())
        return Encoder(model, task.kind)
    model = architecture(task.kind, pieces=pieces).from_config(configuration, attn_implementation=IMPLEMENTATION)
    model.float()
    if student.start == "teacher":
        take_layers(model, teacher, task.kind, pieces=pieces)
    return Encoder(model, task.kind)


def take_layers(model: nn.Module, teacher: Checkpoint, kind: Kind, *, pieces: bool = False) -> None:
    """Copy the teacher's embeddings, head, and the blocks that the uniform map gives each student block."""
    loaded, _ = load_model(teacher, kind, pieces=pieces)
    source = loaded.state_dict()
    shapes = (ModelShape.of(each.config, kind) for each in (model, loaded))  # type: ignore[arg-type]
    pairs = uniform(*(shape.layers for shape in shapes))
    origin = {m - 1: n - 1 for m, n in pairs}
    weights = {name: source[BLOCK.sub(lambda m: f"{m[1]}{origin[int(m[2])]}.", name)] for name in model.state_dict()}
    model.load_state_dict(weights)
