"""TinyBERT's augmentation (Jiao et al., 2020): words from a masked language model and from word vectors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from augment.candidates import Position, Source
from augment.draw import Drawn, draw
from augment.masked_language_model import Context, MaskedLanguageModel, Proposal, Request
from augment.stop_words import STOP_WORDS
from augment.vectors import Vectors
from augment.words import Word, is_eligible
from schemas.configuration import Augmentation
from schemas.example import Example

NAME = "tinybert"


@dataclass(frozen=True)
class TinyBert:
    """Every eligible word has `top` possible words; each of `copies` draws takes one with a probability.

    A word of one piece is put to the masked language model, one of several pieces is looked up in the vectors; without
    vectors, or without an entry there, it stays as it is.
    """

    model: MaskedLanguageModel
    vectors: Vectors | None
    context: Context = "pair"
    top: int = 15
    batch_tokens: int = 4096
    copies: int = 20
    probability: float = 0.4
    seed: int = 0

    def propose(self, examples: Sequence[Example]) -> list[tuple[Position, ...]]:
        """Return the possible words of every eligible word of each row, in order; a text is put to the model once."""
        texts = list(dict.fromkeys(text for example in examples for text in example.texts))
        proposed = dict(zip(texts, self.propose_texts(texts), strict=True))
        return [
            tuple(replace(position, text=i) for i, text in enumerate(example.texts) for position in proposed[text])
            for example in examples
        ]

    def draw(self, example: Example, positions: Sequence[Position]) -> tuple[list[Example], Drawn]:
        """Return a row's copies, distinct and in order of draw, and counts of what was drawn."""
        return draw(example, positions, copies=self.copies, probability=self.probability, seed=self.seed, strategy=NAME)

    def propose_texts(self, texts: Sequence[str]) -> Iterator[list[Position]]:
        """Yield the possible words of each text."""
        splits = self.model.split(texts)
        eligible = [[word for word in split.words if is_eligible(word, STOP_WORDS)] for split in splits]
        requests = [
            Request(split.pieces, word.piece)
            for split, words in zip(splits, eligible, strict=True)
            for word in words
            if word.pieces == 1
        ]
        answers = iter(self.model.propose(requests, top=self.top, context=self.context, batch_tokens=self.batch_tokens))
        neighbours = self.neighbours([word for words in eligible for word in words if word.pieces > 1])
        for words in eligible:
            yield [
                position(word, Source.MASKED_LANGUAGE_MODEL, next(answers))
                if word.pieces == 1
                else position(word, Source.VECTORS, neighbours.get(word.form, Proposal()))
                for word in words
            ]

    def neighbours(self, words: Sequence[Word]) -> dict[str, Proposal]:
        """Return the nearest words of those that have a vector, by form."""
        if self.vectors is None:
            return {}
        found = self.vectors.neighbours([word.form for word in words], self.top)
        return {
            form: Proposal(tuple(word for word, _ in near), tuple(score for _, score in near))
            for form, near in found.items()
        }


def position(word: Word, source: Source, proposal: Proposal) -> Position:
    """Return a word's place with what was proposed for it, if anything was."""
    source = source if proposal.words else Source.NONE
    return Position(0, word.start, word.end, source, proposal.words, proposal.scores)


def load(
    settings: Augmentation, *, seed: int, threads: int, masked_language_model: Path, vectors: Path | None
) -> TinyBert:
    """Load the models of the strategy as a run configuration says."""
    return TinyBert(
        model=MaskedLanguageModel.load(masked_language_model, threads),
        vectors=Vectors.load(vectors) if vectors else None,
        context=settings.context,
        top=settings.candidates,
        batch_tokens=settings.batch_tokens,
        copies=settings.copies,
        probability=settings.probability,
        seed=seed,
    )
