"""Counts of words and of the entities that their tags stand for, sentence by sentence."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from distill.counted import Count
from distill.words import NONE, Words
from schemas.tags import OUTSIDE, Entity, entities


def entity_counts(words: Words, names: Sequence[str]) -> Count:
    """Count for entity F1: twice the entities found with just their words and type, and all there are and were found.

    A word without an answer, as it was cut away, is outside entities.
    """
    true = entities_of(words.labels, words, names)

    def count(predictions: Int[np.ndarray, " words"]) -> Float[np.ndarray, "rows 2"]:
        found = entities_of(predictions, words, names)
        pairs = [(2 * len(a & b), len(a) + len(b)) for a, b in zip(found, true, strict=True)]
        return np.array(pairs, np.float64).reshape(-1, 2)

    return count


def entities_of(classes: Int[np.ndarray, " words"], words: Words, names: Sequence[str]) -> list[set[Entity]]:
    """Return the entities of every row."""
    assert NONE == -1
    tags = [*names, OUTSIDE]
    spoken = [tags[each] for each in classes.tolist()]
    ends = words.ends.tolist()
    return [set(entities(spoken[start:end])) for start, end in pairwise(ends)]


def word_counts(words: Words) -> Count:
    """Count for accuracy: words that were given their class, and words; one without an answer is wrong."""

    def count(predictions: Int[np.ndarray, " words"]) -> Float[np.ndarray, "rows 2"]:
        right = words.count((predictions == words.labels) & (predictions != NONE))
        return np.stack([right, np.diff(words.ends)], axis=1).astype(np.float64)

    return count
