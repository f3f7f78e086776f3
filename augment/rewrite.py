"""Rewriting: other words into the places of texts, saying what was changed and where the rest went."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
from jaxtyping import Int
from pyarrow import compute

from augment.candidates import Position, Positions
from schemas import rows
from schemas.example import Change, Example, Span, copy_id


@dataclass(frozen=True)
class Chosen:
    """Words chosen for places of some rows, in order of row, trial and place; a place counts among all of the rows'."""

    rows: Int[np.ndarray, " changes"]
    trials: Int[np.ndarray, " changes"]
    places: Int[np.ndarray, " changes"]
    words: pa.StringArray


class Originals:
    """Some rows, their texts and their positions, each end to end: what is done for all of them at once is done so.

    A row's positions are in order of text and start. Every text is cut into segments: what stands between its
    positions and what stands at them, in turn.
    """

    def __init__(self, examples: Sequence[Example], positions: Sequence[Positions]) -> None:
        self.examples = examples
        self.positions: list[Position] = list(chain.from_iterable(positions))
        self.places_per_row = np.array(list(map(len, positions)), np.int64)
        """How many positions each row has."""
        self.texts_per_row = np.array([len(example.texts) for example in examples], np.int64)
        """How many texts each row has."""
        self.text_in_row = np.array([position.text for position in self.positions], np.int64)
        """Which of its row's texts each position stands in."""
        self.text_index = np.repeat(firsts(self.texts_per_row), self.places_per_row) + self.text_in_row
        """Which of all texts each position stands in."""
        self.segment_in_text = (
            2 * (np.arange(len(self.text_index)) - np.searchsorted(self.text_index, self.text_index)) + 1
        )
        """Which of its text's segments each position is."""

    @cached_property
    def segments(self) -> list[list[str]]:
        """The segments of every text."""
        cuts: list[list[int]] = [[0] for _ in range(self.texts_per_row.sum())]
        for index, position in zip(self.text_index.tolist(), self.positions, strict=True):
            cuts[index] += (position.start, position.end)
        texts = zip(chain.from_iterable(example.texts for example in self.examples), cuts, strict=True)
        return [[text[start:end] for start, end in pairwise([*own, len(text)])] for text, own in texts]

    @cached_property
    def written(self) -> pa.StringArray:
        """What stands at each position."""
        return pa.array(chain.from_iterable(segments[1::2] for segments in self.segments), pa.string())

    def copies(self, strategy: str, chosen: Chosen) -> pa.RecordBatch:
        """Return the distinct copies as rows of `COPIES`; trial d changes text d % 2 of a pair."""
        ends = np.flatnonzero(np.diff(chosen.rows << 32 | chosen.trials, append=-1)) + 1
        bounds = np.concatenate([[0], ends])
        rows_of, trials = chosen.rows[bounds[:-1]], chosen.trials[bounds[:-1]]
        changed = firsts(self.texts_per_row)[rows_of] + trials % self.texts_per_row[rows_of]
        texts = self.beside_others(self.rewritten(changed, bounds, chosen), changed, rows_of)
        changes = self.changes(bounds, chosen)
        origins = np.array([example.id for example in self.examples], np.uint64)
        made = zip(origins[rows_of].tolist(), texts.to_pylist(), strict=True)
        ids = np.array([copy_id(origin, strategy, each) for origin, each in made], np.uint64)
        columns = {
            "id": ids,
            "origin": origins[rows_of],
            "texts": texts,
            "strategy": pa.repeat(strategy, len(ids)),
            "draw": pa.array(trials, pa.int32()),
            "changes": changes,
            "spans": self.spans(rows_of, changes),
        }
        batch = pa.RecordBatch.from_arrays([columns[name] for name in rows.COPIES.names], schema=rows.COPIES)
        # The originals come first, so that a copy that reads as its original is none.
        unchanged = [copy_id(example.id, strategy, example.texts) for example in self.examples]
        _, first = np.unique(np.concatenate([np.array(unchanged, np.uint64), ids]), return_index=True)
        return batch.take(np.sort(first[first >= len(unchanged)]) - len(unchanged))

    def rewritten(
        self, changed: Int[np.ndarray, " copies"], bounds: Int[np.ndarray, " bounds"], chosen: Chosen
    ) -> pa.StringArray:
        """Return the texts with words put in; the changes between two bounds are those of one copy."""
        counts = np.array(list(map(len, self.segments)), np.int64)
        offsets, index = ranges(firsts(counts)[changed], counts[changed])
        copies = np.repeat(offsets[:-1], np.diff(bounds))
        index[copies + self.segment_in_text[chosen.places]] = counts.sum() + np.arange(len(chosen.words))
        pool = pa.concat_arrays([pa.array(chain.from_iterable(self.segments), pa.string()), chosen.words])
        return compute.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pool.take(index)), "")  # pyright: ignore[reportAttributeAccessIssue]

    def beside_others(
        self, texts: pa.StringArray, changed: Int[np.ndarray, " copies"], rows_of: Int[np.ndarray, " copies"]
    ) -> pa.ListArray:
        """Return all texts of each copy: the changed one, and its original's others."""
        every = pa.array(chain.from_iterable(example.texts for example in self.examples), pa.string())
        begins = firsts(self.texts_per_row)[rows_of]
        offsets, index = ranges(begins, self.texts_per_row[rows_of])
        index[offsets[:-1] + changed - begins] = len(every) + np.arange(len(texts))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.concat_arrays([every, texts]).take(index))

    def changes(self, bounds: Int[np.ndarray, " bounds"], chosen: Chosen) -> pa.ListArray:
        """Return the changes that the words make; those between two bounds are of one copy's one text."""
        originals = self.written.take(chosen.places)
        new, old = (compute.utf8_length(each).to_numpy() for each in (chosen.words, originals))  # pyright: ignore[reportAttributeAccessIssue]
        longer = new - old
        # A change moves those after it in its copy.
        before = np.cumsum(longer) - longer
        starts = np.array([position.start for position in self.positions], np.int64)[chosen.places]
        starts += before - np.repeat(before[bounds[:-1]], np.diff(bounds))
        sources = pa.array([position.source for position in self.positions], pa.string())
        columns = {
            "text": pa.array(self.text_in_row[chosen.places], pa.int8()),
            "start": pa.array(starts, pa.int32()),
            "end": pa.array(starts + new, pa.int32()),
            "original": originals,
            "source": sources.take(chosen.places),
        }
        structs = pa.StructArray.from_arrays([columns[field.name] for field in rows.CHANGE], fields=list(rows.CHANGE))
        return pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), structs)

    def spans(self, rows_of: Int[np.ndarray, " copies"], changes: pa.ListArray) -> pa.Array:
        """Return the spans of each copy, moved by its changes."""
        kind = rows.COPIES.field("spans").type
        if not any(example.spans for example in self.examples):
            return pa.array([()] * len(rows_of), kind)
        made = ([Change(**change) for change in own] for own in changes.to_pylist())
        moves = zip((self.examples[row].spans for row in rows_of.tolist()), made, strict=True)
        return pa.array([moved(spans, own) for spans, own in moves], kind)


def firsts(sizes: Int[np.ndarray, " parts"]) -> Int[np.ndarray, " parts"]:
    """Return where each part begins, of parts end to end."""
    return np.cumsum(sizes) - sizes


def ranges(
    begins: Int[np.ndarray, " parts"], sizes: Int[np.ndarray, " parts"]
) -> tuple[Int[np.ndarray, " bounds"], Int[np.ndarray, " members"]]:
    """Return the bounds of ranges that are put end to end, and what is in them."""
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return offsets, np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], sizes)


def moved(spans: Sequence[Span], changes: Sequence[Change]) -> tuple[Span, ...]:
    """Return spans of a text as they lie after changes, which are in order of place.

    A span that holds a change grows with it; one whose text is gone is left out.
    """
    kept = []
    for span in spans:
        start, end = span.start, span.end
        # Each change is undone up to itself: it stands where it does after those before it.
        for change in (each for each in changes if each.text == span.text):
            stood = change.start + len(change.original)
            longer = change.end - stood
            start = start + longer if start >= stood else min(start, change.start)
            end = end + longer if end >= stood else min(end, change.end) if end > change.start else end
        if start < end:
            kept.append(span._replace(start=start, end=end))
    return tuple(kept)
