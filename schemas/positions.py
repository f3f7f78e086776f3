"""Positions: how many pieces a model of transformers has places for."""

import sys
from typing import Any


def positions_of(model: Any) -> int:
    """Return how many pieces a model reads at once, `sys.maxsize` where it sets no limit; no weights are asked.

    RoBERTa's kin count from behind the position of the padding, so of their 514 positions 512 are left for pieces.
    """
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and hasattr(module, "num_embeddings"):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    limit = getattr(model.config, "max_position_embeddings", None)
    return sys.maxsize if limit is None else limit
