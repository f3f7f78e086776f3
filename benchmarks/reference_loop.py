"""TinyBERT's augmentation as its published script does the work, re-created plainly as a baseline.

One word a forward pass, the vocabulary at every position, everything sorted, and the whole matrix of vectors for every
word of several pieces. It is kinder than the script in one thing: it records no gradients.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from augment.stop_words import ENGLISH


@dataclass
class ReferenceLoop:
    """The script's models and settings; `forwards` and `tokens` count what was put to the masked language model."""

    model: Any
    tokenizer: Any
    known: list[str]
    matrix: np.ndarray
    top: int
    context: str = "pair"
    forwards: int = 0
    tokens: int = 0
    index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.index = {word: i for i, word in enumerate(self.known)}

    def candidates(self, sentence: str) -> list[tuple[int, set[str]]]:
        """Return place and candidate set of every eligible word of a sentence of plain lower-case words."""
        words = sentence.split()
        return [(place, self.of_word(words, place)) for place, word in enumerate(words) if eligible(word)]

    def of_word(self, words: list[str], place: int) -> set[str]:
        """Return the candidates of one word."""
        if len(self.tokenizer.tokenize(words[place])) == 1:
            return self.by_model(words, place)
        return self.by_vectors(words[place])

    def by_vectors(self, word: str) -> set[str]:
        """Sort all words by their cosine with one."""
        if word not in self.index:
            return {word}
        similar = self.matrix @ self.matrix[self.index[word]]
        similar[self.index[word]] = -np.inf
        return {self.known[i] for i in np.argsort(-similar)[: self.top]}

    def by_model(self, words: list[str], place: int) -> set[str]:
        """Mask one word, show the sentence whole beside it, and sort the whole vocabulary at the masked place."""
        pieces = self.tokenizer.tokenize(" ".join(words))
        at = len(self.tokenizer.tokenize(" ".join(words[:place])))
        masked = [*pieces[:at], self.tokenizer.mask_token, *pieces[at + 1 :]]
        tokens = [self.tokenizer.cls_token, *masked, self.tokenizer.sep_token]
        segments = [0] * len(tokens)
        if self.context == "pair":
            tokens += [*pieces, self.tokenizer.sep_token]
            segments += [1] * (len(pieces) + 1)
        self.forwards += 1
        self.tokens += len(tokens)
        with torch.no_grad():
            logits = self.model(
                input_ids=torch.tensor([self.tokenizer.convert_tokens_to_ids(tokens)]),
                token_type_ids=torch.tensor([segments]),
            ).logits
        best = torch.argsort(logits[0, at + 1], descending=True)[: self.top]
        return {piece for piece in self.tokenizer.convert_ids_to_tokens(best.tolist()) if not piece.startswith("##")}

    def augment(self, sentence: str, copies: int, probability: float) -> list[str]:
        """Return the distinct sentences that so many trials make."""
        words, possible = sentence.split(), [(place, sorted(found)) for place, found in self.candidates(sentence)]
        made: list[str] = []
        for _ in range(copies):
            new = list(words)
            for place, found in possible:
                word = random.choice(found) if found else words[place]
                if random.random() < probability:
                    new[place] = word
            if " ".join(new) not in made:
                made.append(" ".join(new))
        return made


def eligible(word: str) -> bool:
    """Whether a word may be replaced."""
    return word.isalpha() and word not in ENGLISH
