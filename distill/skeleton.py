"""Skeletons: models without weights, to be asked what they can do before anything is loaded, written or trained."""

from typing import Any

import torch
from transformers import AutoConfig, PreTrainedConfig

from distill.attention import IMPLEMENTATION
from distill.encoder import architecture
from schemas.checkpoint import Checkpoint
from schemas.task import Kind


def skeleton(configuration: PreTrainedConfig, kind: Kind) -> Any:
    """Return the model of a configuration on no device, in a moment and in no memory."""
    with torch.device("meta"):
        return architecture(kind).from_config(configuration, attn_implementation=IMPLEMENTATION)


def skeleton_of(checkpoint: Checkpoint, kind: Kind) -> Any:
    """Return the model of a checkpoint without reading its weights."""
    return skeleton(AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False), kind)
