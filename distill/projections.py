"""Projections: a teacher's query and key weights, which make attention scores of a block's input."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save
from torch import Tensor, nn

from distill.batch import Batch
from distill.encoder import Encoder
from schemas.errors import ModelError

PARTS = ("query", "key")


@dataclass(frozen=True)
class Projections:
    """Weights and biases of some blocks, by block and part, and the number of heads."""

    weights: dict[str, Tensor]

    @classmethod
    def load(cls, path: Path) -> "Projections":
        """Read them from a file."""
        return cls(load_file(path))

    def scores(self, batch: Batch, block: int, inputs: Float[Tensor, "tokens width"]) -> Float[Tensor, " numbers"]:
        """Return a block's scores QKᵀ/√d, packed as a batch packs pairs."""
        heads = int(self.weights["heads"])
        states = inputs.new_zeros((*batch.input_ids.shape, inputs.size(1)))
        states[batch.mask] = inputs
        query, key = (self.project(states, block, part).unflatten(-1, (heads, -1)).transpose(1, 2) for part in PARTS)
        return batch.pack_pairs(query @ key.transpose(-1, -2) * query.size(-1) ** -0.5)

    def project(self, states: Float[Tensor, "*places width"], block: int, part: str) -> Float[Tensor, "*places width"]:
        """Return queries or keys."""
        weight, bias = (self.weights[f"{block}.{part}.{kind}"].to(states.device) for kind in ("weight", "bias"))
        return nn.functional.linear(states, weight, bias)


def projection_bytes(encoder: Encoder, blocks: tuple[int, ...]) -> bytes:
    """Return the file of some blocks of a plain BERT-shaped model; raises `ModelError` for any other."""
    weights = {"heads": torch.tensor(encoder.shape.heads)}
    for block in blocks:
        layer = plain_attention(encoder.model.base_model, block)
        if layer is None:
            raise not_plain(encoder.model)
        for part in PARTS:
            for kind, value in getattr(layer, part).named_parameters():
                weights[f"{block}.{part}.{kind}"] = value.detach().cpu().contiguous()
    return save(weights)


def not_plain(model: nn.Module) -> ModelError:
    """Return the refusal of a model whose scores are not made of a block's input alone."""
    return ModelError(
        "a plain BERT-shaped teacher, whose attention can be kept as the blocks' inputs",
        f"{type(model).__name__}: other attention",
        "set teach.attention=scores",
    )


def is_plain(body: nn.Module) -> bool:
    """Whether a model's attention scores are products of two projections of a block's input, and nothing else."""
    return plain_attention(body, 1) is not None


def plain_attention(body: Any, block: int) -> nn.Module | None:
    """Return the part of a block that holds its projections, where its attention is as BERT's."""
    try:
        layer = body.encoder.layer[block - 1].attention.self
        return layer if all(isinstance(getattr(layer, part), nn.Linear) for part in PARTS) else None
    except AttributeError:
        return None
