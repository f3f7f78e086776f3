"""Lexicons: the words of a corpus by part of speech, as often as they occur there."""

import importlib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from augment.words import plain_words
from schemas.errors import ConfigurationError

Tagger = Callable[[Sequence[str]], Sequence[str]]
"""From the words of a text to their tags, one each."""


@dataclass(frozen=True)
class Lexicon:
    """Words of each tag, and how many occurrences there are up to each of them."""

    words: dict[str, list[str]]
    totals: dict[str, list[int]]

    @classmethod
    def of(cls, path: Path, tagger: Tagger) -> "Lexicon":
        """Tag a text file, a text a line, and count its words; the same file gives the same lexicon."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                words = [word.text for word in plain_words(line)]
                for word, tag in zip(words, tagger(words) if words else (), strict=True):
                    counts[tag][word] += 1
        words = {tag: sorted(found) for tag, found in counts.items()}
        return cls(words, {tag: list(accumulate(counts[tag][word] for word in words[tag])) for tag in words})

    def draw(self, tag: str, number: float) -> str | None:
        """Return the word of a tag that a number in [0, 1) falls on, each as likely as it is frequent."""
        if tag not in self.words:
            return None
        totals = self.totals[tag]
        return self.words[tag][bisect_right(totals, int(number * totals[-1]))]


def load_tagger(name: str) -> Tagger:
    """Import a tagger by its dotted path, `package.module.function`."""
    module, _, function = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            "the dotted path of a function from words to their tags",
            f"augment.dials.tang.tagger: `{name}`: {error}",
            "correct it, or make its module importable",
        ) from None
