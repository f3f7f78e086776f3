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

from schemas.signal import Family, Signal

IMPLEMENTATION = "distill"


Pairs = Float[Tensor, "rows heads length length"]


@dataclass
class Capture:
    """What is wanted of the blocks of one forward pass; blocks are known by the order of the calls, from 1."""

    wanted: frozenset[Signal]
    calls: int = 0
    found: dict[Signal, Pairs] = field(default_factory=dict)

    def of_block(self) -> list[Signal]:
        """Count a call; return what is wanted of its block."""
        self.calls += 1
        return [signal for signal in self.wanted if signal.layer == self.calls]


_CAPTURE: ContextVar[Capture | None] = ContextVar("capture", default=None)


@contextmanager
def capture(signals: Collection[Signal]) -> Iterator[dict[Signal, Pairs]]:
    """Collect scores QKᵀ/√d and relations of some blocks during a forward pass; other blocks keep fused attention."""
    capture = Capture(frozenset(signal for signal in signals if signal.at == "tokens"))
    token = _CAPTURE.set(capture)
    try:
        yield capture.found
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
    """Attend as transformers asks; where something of the block is wanted, compute and keep it on the way."""
    capture = _CAPTURE.get()
    wanted = capture.of_block() if capture else []
    scores: Pairs | None = None
    for signal in wanted:
        assert capture is not None
        if signal.family is Family.ATTENTION:
            factor = query.size(-1) ** -0.5 if scaling is None else scaling
            capture.found[signal] = scores = query @ key.transpose(-1, -2) * factor
        else:
            states = {Family.QUERY_RELATION: query, Family.KEY_RELATION: key, Family.VALUE_RELATION: value}
            capture.found[signal] = related(states[signal.family], signal.heads or query.size(1))
    if scores is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **rest
        )  # type: ignore[return-value]
    if attention_mask is not None:
        masked = attention_mask if attention_mask.dtype == torch.bool else attention_mask >= 0
        scores = scores.masked_fill(~masked, torch.finfo(scores.dtype).min)
    weights = nn.functional.dropout(torch.softmax(scores, dim=-1), dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), None


def related(states: Float[Tensor, "rows old_heads length head_width"], heads: int) -> Pairs:
    """Return the products of vectors that are cut anew into some heads, by the root of their width."""
    whole = states.transpose(1, 2).flatten(2)
    cut = whole.unflatten(-1, (heads, -1)).transpose(1, 2)
    return cut @ cut.transpose(-1, -2) * cut.size(-1) ** -0.5


AttentionInterface.register(IMPLEMENTATION, attention)
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
