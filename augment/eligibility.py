"""Eligibility: which words of a row may be replaced."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from augment.stop_words import ENGLISH
from augment.words import Word, form
from schemas.configuration import Augmentation
from schemas.errors import ConfigurationError
from schemas.example import Example
from schemas.task import Task


@dataclass(frozen=True)
class Eligibility:
    """Letters a to z only, no stop word, not protected, and outside entities unless those are asked for.

    `outside` is the class of tokens that belong to no entity, `None` where tokens have no classes or entities may be
    replaced too.
    """

    stop_words: frozenset[str] = ENGLISH
    words: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    outside: int | None = None

    @classmethod
    def of(cls, settings: Augmentation, task: Task) -> "Eligibility":
        """Read the settings; raises `ConfigurationError` for a list of stop words that is not there."""
        outside = task.labels.index("O") if "O" in task.labels and not settings.replace_entities else None
        return cls(
            stop_words=stop_words(settings.stop_words),
            words=frozenset(map(form, settings.protect.words)),
            pattern=re.compile(settings.protect.pattern) if settings.protect.pattern else None,
            outside=outside,
        )

    def eligible(self, example: Example, text: int, words: Iterable[Word]) -> Iterator[Word]:
        """Yield the words of one of a row's texts that may be replaced."""
        return filter(self.may_replace, self.unprotected(example, text, words))

    def unprotected(self, example: Example, text: int, words: Iterable[Word]) -> Iterator[Word]:
        """Yield the words of one of a row's texts that nothing protects, stop words and numbers too."""
        kept = [(s.start, s.end) for s in example.spans if s.text == text and self.holds(s.label)]
        for word in words:
            if not self.protects(word) and not any(start < word.end and word.start < end for start, end in kept):
                yield word

    def holds(self, label: int | None) -> bool:
        """Whether a span of a class keeps its words; one without a class is there for nothing else."""
        return label is None or (self.outside is not None and label != self.outside)

    def protects(self, word: Word) -> bool:
        """Whether a word is protected wherever it stands; the pattern is looked for in the word as written."""
        return word.form in self.words or bool(self.pattern and self.pattern.search(word.text))

    def may_replace(self, word: Word) -> bool:
        """Whether a word is one that TinyBERT replaces."""
        return word.form.isascii() and word.form.isalpha() and word.form not in self.stop_words


def stop_words(source: str) -> frozenset[str]:
    """Return the stop words that a setting names: `english`, `none`, or a file with a word a line."""
    if source == "english":
        return ENGLISH
    if source == "none":
        return frozenset()
    try:
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "english, none, or a text file with a stop word a line",
            f"augment.stop_words: {source}: {error}",
            "correct the path",
        ) from None
    return frozenset(form(line.strip()) for line in lines if line.strip())
