"""Diversity: how much texts repeat themselves and each other."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

LONGEST = 4

Words = Sequence[str]
NGrams = Counter[tuple[str, ...]]


def words_of(texts: Iterable[str]) -> list[str]:
    """Return the words and marks of punctuation of a row's texts, in lower case."""
    return [word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())]


def n_grams(words: Words, size: int) -> NGrams:
    """Count the runs of `size` words."""
    return Counter(zip(*(words[start:] for start in range(size)), strict=False))


def distinct(rows: Iterable[Words], size: int) -> float | None:
    """Return which share of the n-grams of all rows together are different ones (Li et al., 2016: distinct-n).

    It falls as rows are added, so only as many rows as others can be compared with them. `None` without n-grams.
    """
    counts: NGrams = Counter()
    for words in rows:
        counts.update(n_grams(words, size))
    return len(counts) / counts.total() if counts else None


def self_bleu(rows: Sequence[Words]) -> list[float]:
    """Return the BLEU of every row against all the others (Zhu et al., 2018: self-BLEU), none for a single row."""
    counted = [[n_grams(words, size) for size in range(1, LONGEST + 1)] for words in rows]
    return [
        bleu(counts, counted[:place] + counted[place + 1 :])
        for place, counts in enumerate(counted)
        if counts[0] and len(rows) > 1
    ]


def bleu(counts: Sequence[NGrams], references: Sequence[Sequence[NGrams]]) -> float:
    """Return BLEU-4 of one row (Papineni et al., 2002), from its n-grams and those of its references, by size.

    One row has few n-grams: beyond single words a match more is counted on both sides (Lin and Och, 2004), and sizes
    that the row is too short for are left out.
    """
    logarithms = []
    for size, own in enumerate(counts):
        if not own:
            continue
        matches = sum(min(count, max(other[size][each] for other in references)) for each, count in own.items())
        extra = 1 if size else 0
        if not matches + extra:
            return 0.0
        logarithms.append(math.log((matches + extra) / (own.total() + extra)))
    length = counts[0].total()
    nearest = min((other[0].total() for other in references), key=lambda other: (abs(other - length), other))
    brevity = min(0.0, 1 - nearest / length)
    return math.exp(brevity + sum(logarithms) / len(logarithms))
