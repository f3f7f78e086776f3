"""Reading attention scores before softmax, through the extension point that transformers has for attention."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from schemas.errors import ModelError

IMPLEMENTATION = "distill"


@dataclass
class Capture:
    """Scores of the wanted blocks of one forward pass; blocks are known by the order of the calls, from 1."""

    wanted: frozenset[int]
    calls: int = 0
    scores: dict[int, Float[Tensor, "rows heads length length"]] = field(default_factory=dict)


_CAPTURE: ContextVar[Capture | None] = ContextVar("capture", default=None)


@contextmanager
def capture_scores(blocks: tuple[int, ...]) -> Iterator[dict[int, Float[Tensor, "rows heads length length"]]]:
    """Collect the scores QKᵀ/√d of some blocks during a forward pass; the others keep fused attention."""
    capture = Capture(frozenset(blocks))
    token = _CAPTURE.set(capture)
    try:
        yield capture.scores
    finally:
        _CAPTURE.reset(token)


def attention(
    module: nn.Module,
    query: Float[Tensor, "rows heads length head_width"],
    key: Float[Tensor, "rows heads length head_width"],
    value: Float[Tensor, "rows heads length head_width"],
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **rest: Any,
) -> tuple[Float[Tensor, "rows length heads head_width"], None]:
    """Attend as transformers asks; where the block is wanted, compute and keep the scores on the way.

    A block that looks at a window keeps 0 for pairs outside it, as TinyBERT's code does for what is masked.
    """
    capture = _CAPTURE.get()
    if capture is not None:
        capture.calls += 1
    if capture is None or capture.calls not in capture.wanted:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **rest
        )  # type: ignore[return-value]
    scores = query @ key.transpose(-1, -2) * (query.size(-1) ** -0.5 if scaling is None else scaling)
    capture.scores[capture.calls] = scores
    if attention_mask is not None:
        unseen = ~(attention_mask if attention_mask.dtype == torch.bool else attention_mask >= 0)
        if rest.get("sliding_window") is not None:
            # What lies outside a block's window was never trained to mean anything: noise is not to be learnt from.
            capture.scores[capture.calls] = scores.masked_fill(unseen, 0.0)
        scores = scores.masked_fill(unseen, torch.finfo(scores.dtype).min)
    weights = nn.functional.dropout(torch.softmax(scores, dim=-1), dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), None


def gives_scores(model: Any) -> bool:
    """Whether the attention of a model, or of one without weights, goes through transformers' extension point."""
    return type(model).is_backend_compatible()


def no_scores(model: nn.Module, blocks: Collection[int]) -> ModelError:
    """Return the refusal of a model whose attention does not go through transformers' extension point."""
    return ModelError(
        f"attention scores before softmax of block {', '.join(map(str, sorted(blocks)))}",
        f"{type(model).__name__} gives none: its attention is not transformers' AttentionInterface",
        "set `train.dials: {attention: false}` where the recipe has that dial, or name another model",
    )


AttentionInterface.register(IMPLEMENTATION, attention)
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
