"""The shape of a model: all that a recipe may know of it."""

from dataclasses import dataclass

from transformers import AutoConfig, PreTrainedConfig

from schemas.checkpoint import Checkpoint
from schemas.task import Kind


@dataclass(frozen=True)
class ModelShape:
    """Blocks, width, attention heads, vocabulary and outputs of an encoder with a head, and what the head is for."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    classes: int
    kind: Kind = Kind.CLASSIFICATION

    @classmethod
    def of(cls, configuration: PreTrainedConfig, kind: Kind) -> "ModelShape":
        """Read the shape from a model's configuration."""
        return cls(
            layers=configuration.num_hidden_layers,
            width=configuration.hidden_size,
            heads=configuration.num_attention_heads,
            vocabulary=configuration.vocab_size,
            classes=configuration.num_labels or 2,
            kind=kind,
        )

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, kind: Kind) -> "ModelShape":
        """Read the shape of a checkpoint without loading its weights."""
        return cls.of(AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False), kind)
