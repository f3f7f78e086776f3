"""TinyBERT's augmentation (Jiao et al., 2020): words from a masked language model and from word vectors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from augment.candidates import NONE, Position, Positions
from augment.draw import Drawing, Grown
from augment.eligibility import Eligibility
from augment.models.masked_language_model import MaskedLanguageModel, Proposal, Request
from augment.strategy import Setting
from augment.vectors import Vectors
from augment.words import Word, surroundings
from schemas.configuration import Context
from schemas.example import Example

NAME = "tinybert"
NEEDS = ("masked_language_model",)

MODEL = "masked_language_model"
VECTORS = "vectors"


class Place(NamedTuple):
    """An eligible word of one of a row's texts, and the question to the model for one of one piece."""

    row: int
    text: int
    word: Word
    request: Request | None


@dataclass(frozen=True)
class TinyBert:
    """Every eligible word has `top` possible words; each draw takes one with a probability.

    A word of one piece is put to the masked language model, one of several pieces is looked up in the vectors; without
    vectors, or without an entry there, it stays as it is.
    """

    model: MaskedLanguageModel
    vectors: Vectors | None
    eligibility: Eligibility = field(default_factory=Eligibility)
    drawing: Drawing = field(default_factory=Drawing)
    context: Context = "pair"
    top: int = 15
    batch_tokens: int = 4096

    def propose(self, examples: Sequence[Example]) -> list[Positions]:
        """Return the possible words of every eligible word of each row, in order; a question is asked once."""
        places = list(self.places(examples))
        return self.positions(len(examples), places, self.ask([place.request for place in places if place.request]))

    def positions(self, rows: int, places: Sequence[Place], answers: Mapping[Request, Proposal]) -> list[Positions]:
        """Return the places of each row with their words; one that the model is still to be asked for has none yet."""
        near = self.neighbours([place.word for place in places if not place.request])
        found: list[list[Position]] = [[] for _ in range(rows)]
        for row, text, word, request in places:
            known = answers.get(request, Proposal()) if request else near.get(word.form, Proposal())
            source = MODEL if request else VECTORS
            kept = known.words or (request and request not in answers)
            found[row].append(
                Position(
                    text, word.start, word.end, source if kept else NONE, known.words, known.scores, known.near_tie
                )
            )
        return list(map(tuple, found))

    def ask(self, requests: Sequence[Request]) -> dict[Request, Proposal]:
        """Put the distinct requests to the model."""
        asked = list(dict.fromkeys(requests))
        settings = {"top": self.top, "context": self.context, "batch_tokens": self.batch_tokens}
        return dict(zip(asked, self.model.propose(asked, **settings), strict=True))

    def grow(self, examples: Sequence[Example], positions: Sequence[Positions]) -> Iterator[Grown]:
        """Yield copies, some rows' at a time."""
        return self.drawing.draw(examples, positions, NAME)

    def places(self, examples: Sequence[Example]) -> Iterator[Place]:
        """Yield everything eligible."""
        texts = list(dict.fromkeys(text for example in examples for text in example.texts))
        splits = dict(zip(texts, self.model.split(texts), strict=True))
        for row, example in enumerate(examples):
            for number, text in enumerate(example.texts):
                for word in self.eligibility.eligible(example, number, splits[text].words):
                    one = word.pieces == 1
                    asked = Request(splits[text].pieces, word.piece, surroundings(text, word)) if one else None
                    yield Place(row, number, word, asked)

    def neighbours(self, words: Sequence[Word]) -> dict[str, Proposal]:
        """Return the nearest words of those that have a vector, by form."""
        if self.vectors is None:
            return {}
        found = self.vectors.neighbours([word.form for word in words], self.top)
        return {
            form: Proposal(tuple(word for word, _ in near), tuple(score for _, score in near))
            for form, near in found.items()
        }


def load(setting: Setting) -> TinyBert:
    """Load the strategy as a run configuration says."""
    settings = setting.augmentation
    return TinyBert(
        model=setting.proposers.masked_language_model,
        vectors=setting.proposers.vectors,
        eligibility=setting.eligibility,
        drawing=Drawing.of(settings, setting.seed),
        context=settings.context,
        top=settings.candidates,
        batch_tokens=settings.batch_tokens,
    )
