"""The evolving variant (Jiao et al., 2020, algorithm 1): each word is proposed for in the copy as it is by then.

The paper masks a word in the copy under way, so what it proposes depends on what was replaced before; the published
code proposes in the original once (`tinybert`). This asks the model anew for every change of every copy: its cost grows
with copies times probability.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from augment.candidates import NONE, Position, Positions
from augment.draw import Drawing, Drawn, Grown
from augment.models.masked_language_model import Proposal, Request
from augment.rewrite import Rewriter
from augment.strategies import tinybert
from augment.strategies.tinybert import MODEL, NEEDS, VECTORS, TinyBert, position
from augment.strategy import Setting
from augment.words import form, surroundings
from schemas.example import Example

__all__ = ["NEEDS", "load"]

NAME = "evolving"


@dataclass
class Draft:
    """A copy under way: which trial of which row, the places it will still change, and the words it has put in.

    Each place to change has the number that chooses among its words.
    """

    row: int
    trial: int
    to_change: list[tuple[int, float]]
    places: list[int]
    words: list[str]


@dataclass(frozen=True)
class Evolving:
    """TinyBERT's words and vectors, with the masked language model asked at every step of every copy."""

    base: TinyBert

    @property
    def drawing(self) -> Drawing:
        """How copies are drawn."""
        return self.base.drawing

    def propose(self, examples: Sequence[Example]) -> list[Positions]:
        """Return the places of eligible words, and the neighbours of those of several pieces."""
        places = list(self.base.places(examples))
        near = self.base.neighbours([word for _, _, word, request in places if not request])
        rows: list[list[Position]] = [[] for _ in examples]
        for row, text, word, request in places:
            found = Proposal() if request else near.get(word.form, Proposal())
            source = MODEL if request else VECTORS if found.words else NONE
            rows[row].append(position(text, word, source, found))
        return list(map(tuple, rows))

    def grow(self, examples: Sequence[Example], positions: Sequence[Positions]) -> Iterator[Grown]:
        """Yield each row's copies; all copies of all rows take their steps together."""
        open = [[bool(each.words) or each.source == MODEL for each in row] for row in positions]
        plan = self.drawing.plan(examples, positions, open)
        drafts: dict[tuple[int, int], Draft] = {}
        columns = (plan.rows, plan.trials, plan.places, plan.numbers)
        for row, trial, place, number in zip(*(column.tolist() for column in columns), strict=True):
            drafts.setdefault((row, trial), Draft(row, trial, [], [], [])).to_change.append((place, number))
        while waiting := [draft for draft in drafts.values() if draft.to_change]:
            self.step(waiting, examples, positions)
        made = [(draft.row, draft.trial, place) for draft in drafts.values() for place in draft.places]
        rows, trials, places = np.array(made, np.int64).reshape(-1, 3).T
        words = [word for draft in drafts.values() for word in draft.words]
        found = self.drawing.copies_of(examples, positions, NAME, rows, trials, places, words)
        for copies, varied in zip(found, plan.varied.tolist(), strict=True):
            drawn = Drawn(trials=self.drawing.copies, trial_words=varied)
            drawn.update(f"replaced_{change.source}" for copy in copies for change in copy.changes)
            yield copies, drawn

    def step(self, drafts: Sequence[Draft], examples: Sequence[Example], positions: Sequence[Positions]) -> None:
        """Let every draft change its next word."""
        asked = self.requests(drafts, examples, positions)
        answers = self.base.ask([request for request in asked if request])
        for draft, request in zip(drafts, asked, strict=True):
            place, number = draft.to_change.pop(0)
            position, example = positions[draft.row][place], examples[draft.row]
            written = example.texts[position.text][position.start : position.end]
            words = self.drawing.words(written, answers[request].words if request else position.words)
            word = words[int(number * len(words))] if words else written
            if form(word) != form(written):
                draft.places.append(place)
                draft.words.append(word)

    def requests(
        self, drafts: Sequence[Draft], examples: Sequence[Example], positions: Sequence[Positions]
    ) -> list[Request | None]:
        """Return each draft's question about its next word, `None` where its words are known."""
        texts: list[str] = []
        starts: list[int] = []
        for draft in drafts:
            position, example = positions[draft.row][draft.to_change[0][0]], examples[draft.row]
            rewriter = Rewriter.of(example, positions[draft.row])
            texts.append(rewriter.written(position.text, draft.places, draft.words))
            put_in = zip(draft.places, draft.words, strict=True)
            starts.append(position.start + sum(len(word) - len(rewriter.slots[place][3]) for place, word in put_in))
        found: list[Request | None] = []
        splits = self.base.model.split(texts)
        for draft, text, start, split in zip(drafts, texts, starts, splits, strict=True):
            if positions[draft.row][draft.to_change[0][0]].source != MODEL:
                found.append(None)
                continue
            word = next(word for word in split.words if word.start == start)
            found.append(Request(split.pieces, word.piece, surroundings(text, word)))
        return found


def load(setting: Setting) -> Evolving:
    """Load the strategy as a run configuration says."""
    return Evolving(tinybert.load(setting))
