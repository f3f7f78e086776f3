"""The rules of Tang et al. (2019), section 3.3: mask, replace by a word of the same part of speech, take an n-gram.

Masked positions are spans, not the text "[MASK]": a model is shown its own mask there. Of a pair's trials every third
changes the first text, the second, and both. A copy in which every word was masked or replaced is left out, as is one
that shows nothing new.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from augment.candidates import Positions
from augment.draw import Grown, counted, uniform
from augment.eligibility import Eligibility
from augment.lexicon import Lexicon, Tagger, load_tagger
from augment.rewrite import moved
from augment.strategy import Setting
from augment.words import Word, plain_words
from schemas import rows
from schemas.configuration import Probability
from schemas.errors import ConfigurationError
from schemas.example import MASK, Change, Example

NAME = "tang"
NEEDS = ()

PART_OF_SPEECH = "part_of_speech"
N_GRAM = "n_gram"
LONGEST_N_GRAM = 5
ROWS_AT_ONCE = 256
PER_TEXT, PER_WORD = 3, 2
"""Numbers that a trial draws: for each text whether it is an n-gram, of which length and where; then two a word."""
STREAM = 1
"""Its random numbers are others than those that candidates are drawn by."""


@dataclass(frozen=True)
class Tang:
    """Probabilities of masking a word, of replacing it by one of its part of speech, and of keeping only an n-gram."""

    eligibility: Eligibility
    copies: int
    seed: int
    mask: float
    part_of_speech: float
    n_gram: float
    tagger: Tagger | None = None
    lexicon: Lexicon | None = None

    def propose(self, examples: Sequence[Example]) -> list[Positions]:
        """Return nothing to keep: rules ask no model."""
        return [() for _ in examples]

    def grow(self, examples: Sequence[Example], positions: Sequence[Positions]) -> Iterator[Grown]:
        """Yield copies, some rows' at a time."""
        for start in range(0, len(examples), ROWS_AT_ONCE):
            some = examples[start : start + ROWS_AT_ONCE]
            copies = rows.copies_to_batch([copy for example in some for copy in self.draw(example)])
            yield copies, counted(copies, trials=self.copies * len(some))

    def draw(self, example: Example) -> list[Example]:
        """Return the distinct copies of a row; the random numbers are a function of seed, row id, trial and word."""
        words = [plain_words(text) for text in example.texts]
        tags = [self.tagger([word.text for word in each]) if self.tagger and each else [] for each in words]
        free = [{word.start for word in self.eligible(example, i, each)} for i, each in enumerate(words)]
        width = sum(PER_TEXT + PER_WORD * len(each) for each in words)
        numbers = uniform(self.seed, example.id, (self.copies, width), STREAM).tolist()
        found, seen = [], {example.shown}
        for trial in range(self.copies):
            texts, changes, start = list(example.texts), [], 0
            for i, each in enumerate(words):
                own = numbers[trial][start : start + PER_TEXT + PER_WORD * len(each)]
                start += len(own)
                if i in self.turn(trial, len(words)):
                    texts[i], made = self.rewrite(example.texts[i], i, each, tags[i], free[i], own)
                    changes += made
            copy = example.copy(
                tuple(texts), strategy=NAME, draw=trial, changes=tuple(changes), spans=moved(example.spans, changes)
            )
            if changes and copy.shown not in seen:
                seen.add(copy.shown)
                found.append(copy)
        return found

    def eligible(self, example: Example, text: int, words: Sequence[Word]) -> Iterator[Word]:
        """Yield the words of a text that rules may change: what has a letter or digit and is not protected."""
        return (word for word in self.eligibility.unprotected(example, text, words) if any(map(str.isalnum, word.text)))

    def turn(self, trial: int, texts: int) -> tuple[int, ...]:
        """Return which texts a trial changes."""
        return ((0,), (1,), (0, 1))[trial % 3] if texts == 2 else (0,)

    def rewrite(
        self, text: str, number: int, words: Sequence[Word], tags: Sequence[str], free: set[int], numbers: list[float]
    ) -> tuple[str, list[Change]]:
        """Return a text after one trial, and what was changed; the text as it is where no word would be left of it."""
        chosen: dict[int, tuple[str, str]] = {}
        for place, word in enumerate(words):
            first, second = numbers[PER_TEXT + PER_WORD * place :][:PER_WORD]
            if word.start not in free:
                continue
            if first < self.mask:
                chosen[place] = (word.text, MASK)
            elif first < self.mask + self.part_of_speech and self.lexicon:
                other = self.lexicon.draw(tags[place], second)
                if other and other != word.text:
                    chosen[place] = (other, PART_OF_SPEECH)
        window = self.window(words, free, numbers)
        if all(place in chosen for place in window if words[place].start in free):
            return text, []
        parts, changes = [], []
        at = length = 0
        for start, end, new, source in replacements(text, words, chosen, window):
            parts += [text[at:start], new]
            length += start - at + len(new)
            changes.append(Change(number, length - len(new), length, text[start:end], source))
            at = end
        return "".join([*parts, text[at:]]), changes

    def window(self, words: Sequence[Word], free: set[int], numbers: list[float]) -> range:
        """Return which words are kept: all, or an n-gram; protected words are never cut away."""
        whole = range(len(words))
        if not words or numbers[0] >= self.n_gram or len(free) < sum(any(map(str.isalnum, w.text)) for w in words):
            return whole
        size = min(len(words), 1 + int(numbers[1] * LONGEST_N_GRAM))
        start = int(numbers[2] * (len(words) - size + 1))
        return range(start, start + size)


def replacements(
    text: str, words: Sequence[Word], chosen: dict[int, tuple[str, str]], window: range
) -> Iterator[tuple[int, int, str, str]]:
    """Yield start, end, new text and source of every change, in order: what is cut away, and words inside."""
    if not words:
        return
    first, last = words[window.start].start, words[window.stop - 1].end
    if first:
        yield 0, first, "", N_GRAM
    for place in window:
        if place in chosen:
            yield words[place].start, words[place].end, *chosen[place]
    if last < len(text):
        yield last, len(text), "", N_GRAM


def files(*, lexicon: str = "", tagger: str = "", **_: float) -> tuple[Path, ...]:
    """Return the files that copies depend on; raises `ConfigurationError` for what is not there."""
    if bool(lexicon) != bool(tagger):
        raise ConfigurationError(
            "both a tagger and a lexicon for words of the same part of speech, or neither",
            f"augment.dials.tang: tagger `{tagger}`, lexicon `{lexicon}`",
            "give the other one too, or delete it",
        )
    if not lexicon:
        return ()
    module = sys.modules[load_tagger(tagger).__module__]
    if not Path(lexicon).is_file():
        raise ConfigurationError(
            "a text file, a text a line", f"augment.dials.tang.lexicon: {lexicon}: no such file", "correct the path"
        )
    return (Path(lexicon), *(Path(file) for file in [module.__file__] if file))


def load(
    setting: Setting,
    *,
    mask: Probability = 0.1,
    part_of_speech: Probability = 0.1,
    n_gram: Probability = 0.25,
    tagger: str = "",
    lexicon: str = "",
) -> Tang:
    """Load the rules; without a tagger and a lexicon no word is replaced by one of its part of speech."""
    tags = load_tagger(tagger) if tagger else None
    return Tang(
        eligibility=setting.eligibility,
        copies=setting.augmentation.copies,
        seed=setting.seed,
        mask=mask,
        part_of_speech=part_of_speech,
        n_gram=n_gram,
        tagger=tags,
        lexicon=Lexicon.of(Path(lexicon), tags) if tags else None,
    )
