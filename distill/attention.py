"""Reading attention scores before softmax, through the extension point that transformers has for attention."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from schemas.errors import ModelError
from schemas.signal import At, Family, Signal, attention_scores

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
    capture = Capture(frozenset(signal for signal in signals if signal.at is At.PAIR))
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
    """Attend as transformers asks; where something of the block is wanted, compute and keep it on the way.

    A block that looks at a window keeps 0 for pairs outside it, as TinyBERT's code does for what is masked.
    """
    capture = _CAPTURE.get()
    scores: Pairs | None = None
    for signal in capture.of_block() if capture else ():
        assert capture is not None
        heads = signal.heads or query.size(1)
        match signal.family:
            case Family.ATTENTION:
                factor = query.size(-1) ** -0.5 if scaling is None else scaling
                found = scores = query @ key.transpose(-1, -2) * factor
            case Family.QUERY_RELATION:
                found = related(query, heads)
            case Family.KEY_RELATION:
                found = related(key, heads)
            case Family.VALUE_RELATION:
                found = related(value, heads)
            case (
                Family.LOGITS
                | Family.TOKEN_LOGITS
                | Family.MASKED_LOGITS
                | Family.POOLED
                | Family.FIRST
                | Family.MEAN
                | Family.HIDDEN
                | Family.ATTENTION_INPUT
                | Family.EMBEDDING
            ):
                raise ValueError(f"{signal} is not of pairs of tokens")
            case _:
                assert_never(signal.family)
        capture.found[signal] = found
    if capture is None or scores is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **rest
        )  # type: ignore[return-value]
    if attention_mask is not None:
        unseen = ~(attention_mask if attention_mask.dtype == torch.bool else attention_mask >= 0)
        if rest.get("sliding_window") is not None:
            # What lies outside a block's window was never trained to mean anything: noise is not to be learnt from.
            capture.found[attention_scores(capture.calls)] = scores.masked_fill(unseen, 0.0)
        scores = scores.masked_fill(unseen, torch.finfo(scores.dtype).min)
    weights = nn.functional.dropout(torch.softmax(scores, dim=-1), dropout, training=module.training)
    return (weights @ value).transpose(1, 2).contiguous(), None


def related(states: Float[Tensor, "rows old_heads length head_width"], heads: int) -> Pairs:
    """Return the products of vectors that are cut anew into some heads, by the root of their width."""
    whole = states.transpose(1, 2).flatten(2)
    cut = whole.unflatten(-1, (heads, -1)).transpose(1, 2)
    return cut @ cut.transpose(-1, -2) * cut.size(-1) ** -0.5


def gives_scores(model: Any) -> bool:
    """Whether the attention of a model, or of one without weights, goes through transformers' extension point."""
    return type(model).is_backend_compatible()


def no_scores(model: nn.Module, signals: Collection[Signal]) -> ModelError:
    """Return the refusal of a model whose attention does not go through transformers' extension point."""
    return ModelError(
        f"attention before softmax: {', '.join(map(str, sorted(signals)))}",
        f"{type(model).__name__} gives none: its attention is not transformers' AttentionInterface",
        "set `train.dials: {attention: false}` where the recipe has that dial, or name another model",
    )


AttentionInterface.register(IMPLEMENTATION, attention)
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
