"""Masks: which pieces of a row a model is not to see, frozen into the row."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from tokenizers import Encoding

from schemas.example import KEPT, MASK, RANDOM, Change

MASKED, LEFT = 0.8, 0.1
"""Shares of the chosen positions that are masked, and left as they are; the rest become random pieces."""

Place = tuple[int, int, int]
"""A text of the row, and the first and the last character of a piece of it."""


def masks(
    texts: Sequence[str],
    encoding: Encoding,
    share: float,
    unit: Literal["pieces", "words"],
    draw: np.random.Generator,
) -> tuple[Change, ...]:
    """Choose a share of a row's pieces, one at least, by themselves or by whole words.

    Of the chosen pieces, 80 % are masked, 10 % become random ones and 10 % stay (Devlin et al., 2019, section 3.1). A
    word that would be more than the share is passed over, as in TinyBERT's corpus builder.
    """
    groups: dict[tuple[int, ...], dict[Place, None]] = {}
    seen: set[Place] = set()
    words = zip(encoding.sequence_ids, encoding.word_ids, encoding.offsets, strict=True)
    for number, (text, word, (start, end)) in enumerate(words):
        place = (text if text is not None else -1, start, end)
        # Several pieces of one character, as of a rare sign, are one place.
        if text is None or start == end or place in seen:
            continue
        seen.add(place)
        key = (text, word) if unit == "words" and word is not None else (text, -1, number)
        groups.setdefault(key, {})[place] = None
    wanted = max(1, round(share * len(seen)))
    chosen: list[Place] = []
    every = [list(group) for group in groups.values()]
    for at in draw.permutation(len(every)).tolist():
        if len(chosen) + len(every[at]) <= wanted:
            chosen += every[at]
    chances = draw.random(len(chosen)).tolist()
    return tuple(
        Change(text, start, end, texts[text][start:end], source_of(chance))
        for (text, start, end), chance in zip(sorted(chosen), chances, strict=True)
    )


def source_of(chance: float) -> str:
    """Return what becomes of a chosen piece."""
    if chance < MASKED:
        return MASK
    return KEPT if chance < MASKED + LEFT else RANDOM
