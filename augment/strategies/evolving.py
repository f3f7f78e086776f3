"""The evolving variant (Jiao et al., 2020, algorithm 1): each word is proposed for in the copy as it is by then.

The paper masks a word in the copy under way, so what it proposes depends on what was replaced before; the published
code proposes in the original once (`tinybert`). This asks the model anew for every change of every copy: its cost grows
with copies times probability.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from augment.candidates import Positions
from augment.draw import Drawing, Grown
from augment.models.masked_language_model import Request
from augment.rewrite import Chosen, Originals
from augment.strategies import tinybert
from augment.strategies.tinybert import MODEL, NEEDS, TinyBert
from augment.strategy import Setting
from augment.words import form, surroundings
from schemas.example import Example

__all__ = ["NEEDS", "load"]

NAME = "evolving"


@dataclass(frozen=True)
class Draft:
    """A copy under way: which trial of which row, its text's segments as they are by now, and the places to change.

    Each place to change has the number that chooses among its words.
    """

    row: int
    trial: int
    segments: list[str]
    to_change: list[tuple[int, float]] = field(default_factory=list)
    changed: list[tuple[int, str]] = field(default_factory=list)


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
        return self.base.positions(len(examples), list(self.base.places(examples)), {})

    def grow(self, examples: Sequence[Example], positions: Sequence[Positions]) -> Iterator[Grown]:
        """Yield copies, some rows' at a time; all of those take their steps together."""
        for part in self.drawing.parts(positions):
            yield self.grown(Originals(examples[part], positions[part]))

    def grown(self, originals: Originals) -> Grown:
        """Return the copies of some rows."""
        plan = self.drawing.plan(originals, [bool(each.words) or each.source == MODEL for each in originals.positions])
        drafts: dict[tuple[int, int], Draft] = {}
        columns = (plan.rows, plan.trials, plan.places, plan.numbers)
        for row, trial, place, number in zip(*(column.tolist() for column in columns), strict=True):
            if (row, trial) not in drafts:
                drafts[row, trial] = Draft(row, trial, originals.segments[originals.text_index[place]].copy())
            drafts[row, trial].to_change.append((place, number))
        while waiting := [draft for draft in drafts.values() if draft.to_change]:
            self.step(waiting, originals)
        made = [(each.row, each.trial, *change) for each in drafts.values() for change in each.changed]
        *numbers, words = zip(*made, strict=True) if made else ((), (), (), ())
        rows, trials, places = (np.array(column, np.int64) for column in numbers)
        chosen = Chosen(rows, trials, places, pa.array(words, pa.string()))
        return self.drawing.grown(originals, NAME, plan, chosen)

    def step(self, drafts: Sequence[Draft], originals: Originals) -> None:
        """Let every draft change its next word."""
        asked = self.requests(drafts, originals)
        answers = self.base.ask([request for request in asked if request])
        for draft, request in zip(drafts, asked, strict=True):
            place, number = draft.to_change.pop(0)
            segment = originals.segment_in_text[place]
            written = draft.segments[segment]
            known = answers[request] if request else originals.positions[place]
            words = self.drawing.words(written, known.words)
            word = words[int(number * len(words))] if words else written
            if form(word) != form(written):
                draft.changed.append((place, word))
                draft.segments[segment] = word

    def requests(self, drafts: Sequence[Draft], originals: Originals) -> list[Request | None]:
        """Return each draft's question about its next word, `None` where its words are known."""
        asking = [draft for draft in drafts if originals.positions[draft.to_change[0][0]].source == MODEL]
        texts = ["".join(draft.segments) for draft in asking]
        found = {}
        for draft, text, split in zip(asking, texts, self.base.model.split(texts), strict=True):
            start = sum(map(len, draft.segments[: originals.segment_in_text[draft.to_change[0][0]]]))
            word = next(word for word in split.words if word.start == start)
            found[draft.row, draft.trial] = Request(split.pieces, word.piece, surroundings(text, word))
        return [found.get((draft.row, draft.trial)) for draft in drafts]


def load(setting: Setting) -> Evolving:
    """Load the strategy as a run configuration says."""
    return Evolving(tinybert.load(setting))
