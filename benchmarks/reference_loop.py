"""TinyBERT's augmentation as its published script does the work, re-created plainly as a baseline.

One word a forward pass, the vocabulary at every position, everything sorted, and the whole matrix of vectors for every
word of several pieces. It is kinder than the script in one thing: it records no gradients.
"""

from typing import Any

import numpy as np
import torch

from augment.stop_words import ENGLISH


def candidates(
    model: torch.nn.Module, tokenizer: Any, index: dict[str, int], matrix: np.ndarray, sentence: str, top: int
) -> list[set[str]]:
    """Return the candidate set of every eligible word of a sentence of plain lower-case words."""
    known = list(index)
    words = sentence.split()
    found: list[set[str]] = []
    for place, word in enumerate(words):
        if not word.isalpha() or word in ENGLISH:
            continue
        if len(tokenizer.tokenize(word)) == 1:
            found.append(by_model(model, tokenizer, words, place, top))
        elif word in index:
            similar = matrix @ matrix[index[word]]
            similar[index[word]] = -np.inf
            found.append({known[i] for i in np.argsort(-similar)[:top]})
        else:
            found.append({word})
    return found


def by_model(model: torch.nn.Module, tokenizer: Any, words: list[str], place: int, top: int) -> set[str]:
    """Mask one word, show the sentence whole beside it, and sort the whole vocabulary at the masked place."""
    pieces = tokenizer.tokenize(" ".join(words))
    at = len(tokenizer.tokenize(" ".join(words[:place])))
    masked = [*pieces[:at], tokenizer.mask_token, *pieces[at + 1 :]]
    tokens = [tokenizer.cls_token, *masked, tokenizer.sep_token, *pieces, tokenizer.sep_token]
    segments = [0] * (len(masked) + 2) + [1] * (len(pieces) + 1)
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor([tokenizer.convert_tokens_to_ids(tokens)]), token_type_ids=torch.tensor([segments])
        ).logits
    best = torch.argsort(logits[0, at + 1], descending=True)[:top]
    return {piece for piece in tokenizer.convert_ids_to_tokens(best.tolist()) if not piece.startswith("##")}
