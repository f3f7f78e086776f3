"""Embeddings: a teacher without its blocks, which gives its embedding output from token ids alone."""

import json
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from transformers import AutoConfig, AutoModel

from distill.batch import Batch
from distill.encoder import Encoder
from schemas.checkpoint import ORIGIN, Checkpoint
from schemas.errors import ModelError
from schemas.signal import hidden
from schemas.task import Kind

PROBE = 4
PER_LAYER = ("layer_types", "mlp_layer_types")


@dataclass(frozen=True)
class Embedding:
    """A body without blocks: its last hidden state is the embedding output."""

    body: Encoder

    @classmethod
    def load(cls, path: Path) -> "Embedding":
        """Read a file of `embedding_bytes`."""
        with safe_open(path, "pt") as file:
            return cls.of(file.metadata()["configuration"], load_file(path))

    @classmethod
    def of(cls, configuration: str, weights: dict[str, Tensor]) -> "Embedding":
        """Make one of a configuration in JSON and weights by name."""
        body = AutoModel.from_config(AutoConfig.for_model(**json.loads(configuration)))
        body.load_state_dict(weights, strict=False)
        return cls(Encoder(body.eval(), Kind.NONE))

    @torch.no_grad()
    def read(self, batch: Batch) -> Float[Tensor, "tokens width"]:
        """Return the embedding output at every token."""
        self.body.model.to(batch.input_ids.device)
        return batch.pack_tokens(self.body.model(**self.body.inputs(batch)).last_hidden_state)


def embedding_bytes(encoder: Encoder) -> bytes:
    """Return the file of a teacher's embeddings with a configuration of no blocks.

    Raises `ModelError` for a teacher whose embedding output is not what is left of it without its blocks.
    """
    bare = without_blocks(encoder.model.config)
    settings = {key: value for key, value in bare.to_dict().items() if key not in ORIGIN}
    configuration = json.dumps(settings, sort_keys=True)
    weights = encoder.model.base_model.state_dict()
    few = Batch.of(np.arange(1), [np.arange(PROBE)], [np.zeros(PROBE, np.int64)], padding=0, device=encoder.device)
    with torch.no_grad():
        expected = encoder.read(few, {hidden(0)})[hidden(0)]
    try:
        names = AutoModel.from_config(bare).state_dict()
        kept = {name: weights[name].cpu().contiguous().clone() for name in names if name in weights}
        found = Embedding.of(configuration, kept).read(few)
    except Exception as error:
        # Each family that cannot do without blocks ends in an exception of its own.
        raise not_apart(encoder.model, f"{type(error).__name__} without blocks") from error
    if not torch.allclose(found, expected, rtol=1e-5, atol=1e-6):
        raise not_apart(encoder.model, "another output")
    return save(kept, {"configuration": configuration})


def not_apart(model: Any, found: str) -> ModelError:
    """Return the refusal of a model whose embeddings cannot be had by themselves."""
    return ModelError(
        "a teacher whose embedding output can be computed without its blocks",
        f"{type(model).__name__}: {found}",
        "set teach.embedding=keep",
    )


def embedding_size(checkpoint: Checkpoint) -> int:
    """Return how many bytes a teacher's embeddings take, without loading any; 0 where they cannot be had."""
    configuration = AutoConfig.from_pretrained(checkpoint.path, trust_remote_code=False)
    try:
        with torch.device("meta"):
            body = AutoModel.from_config(without_blocks(configuration))
    except Exception:  # As in `embedding_bytes`, which refuses such a teacher where its embeddings are wanted.
        return 0
    return sum(weight.numel() * weight.element_size() for weight in body.state_dict().values())


def without_blocks(configuration: Any) -> Any:
    """Return a copy of a configuration that has no blocks."""
    found = deepcopy(configuration)
    found.num_hidden_layers = 0
    for name in PER_LAYER:
        if getattr(found, name, None):
            setattr(found, name, [])
    return found
