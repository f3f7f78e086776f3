"""The shape of a model: all that a recipe may know of it."""

from dataclasses import dataclass

from transformers import AutoConfig, PreTrainedConfig

from schemas.checkpoint import Checkpoint


@dataclass(frozen=True)
class ModelShape:
    """Blocks, width, attention heads, vocabulary and outputs of an encoder with a classification head."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    classes: int

    @classmethod
    def of(cls, configuration: PreTrainedConfig) -> "ModelShape":
        """Read the shape from a model's configuration."""
        return cls(
            layers=configuration.num_hidden_layers,
            width=configuration.hidden_size,
            heads=configuration.num_attention_heads,
            vocabulary=configuration.vocab_size,
            classes=configuration.num_labels or 2,
        )

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint) -> "ModelShape":
        """Read the shape of a checkpoint without loading its weights."""
        return cls.of(AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False))
