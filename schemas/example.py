"""Examples: rows of text with an identity that no file format, order or path can change."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from schemas.digest import chained, identity

Label = int | float | tuple[int, ...] | None

MASK, RANDOM, KEPT = "mask", "random", "kept"
"""Sources of changes that are positions to be masked: what a model reads there is the mask, a piece drawn at random,
or what stood there (Devlin et al., 2019, section 3.1). The text itself is unchanged."""

MASKING = (MASK, RANDOM, KEPT)


class Change(NamedTuple):
    """One replaced word of a copy, or one masked position of any row.

    `text` says which of the row's texts; `start` and `end` are character offsets in the **copy**; `original` is what
    stood there; `source` is where the replacement came from, or one of `MASKING`: then `original` still stands there.
    """

    text: int
    start: int
    end: int
    original: str
    source: str


class Piece(NamedTuple):
    """A part of one of a row's texts: as it was read where `change` is `None`, else what the change made of it."""

    text: str
    change: Change | None = None


class Span(NamedTuple):
    """A part of one of a row's texts: a token with its class, or, without one, words that no copy may change."""

    text: int
    start: int
    end: int
    label: int | None = None


class Example(NamedTuple):
    """One row: an original as read, or a copy made from one.

    `label` is a class index, a number, or the sorted indices of all labels that fit; `None` where the teacher is to
    label the row, and where its words have classes of their own, in `spans`. `count` says how many identical rows of
    the input this one stands for. An original is its own `origin`.
    """

    id: int
    origin: int
    texts: tuple[str, ...]
    label: Label = None
    count: int = 1  # pyright: ignore[reportIncompatibleMethodOverride]
    strategy: str = ""
    draw: int = -1
    changes: tuple[Change, ...] = ()
    spans: tuple[Span, ...] = ()

    @classmethod
    def original(
        cls,
        data_set: str,
        texts: tuple[str, ...],
        label: Label = None,
        spans: tuple[Span, ...] = (),
        changes: tuple[Change, ...] = (),
    ) -> Self:
        """Make a row as read; its id is a digest of the data set's name, the texts, the label, the spans and the masks.

        `changes` of a row as read can only be masked positions.
        """
        marked = [[(each.text, each.start, each.end, each.label) for each in spans]] if spans else []
        key = identity(data_set, texts, label, *marked, *masking_key(changes))
        return cls(id=key, origin=key, texts=texts, label=label, spans=spans, changes=changes)

    def copy(
        self,
        texts: tuple[str, ...],
        *,
        strategy: str,
        draw: int,
        changes: tuple[Change, ...],
        spans: tuple[Span, ...] = (),
    ) -> "Example":
        """Make a changed copy that keeps the label, the count and the origin; `spans` are those of the new texts."""
        key = copy_id(self.id, strategy, texts, masks_of(changes))
        return Example(key, self.id, texts, self.label, self.count, strategy, draw, changes, spans)

    def pieces(self, number: int) -> list[Piece]:
        """Cut one of the texts at its changes; the pieces end to end are the text, one that was cut away is empty."""
        text, at, found = self.texts[number], 0, []
        for change in sorted((each for each in self.changes if each.text == number), key=lambda each: each.start):
            found += [Piece(text[at : change.start]), Piece(text[change.start : change.end], change)]
            at = change.end
        return [piece for piece in (*found, Piece(text[at:])) if piece.text or piece.change]

    @property
    def masks(self) -> tuple[Change, ...]:
        """The masked positions of the row."""
        return tuple(masks_of(self.changes))

    @property
    def is_labelled(self) -> bool:
        """Whether somebody said what the row or its words are."""
        return self.label is not None or any(span.label is not None for span in self.spans)

    @property
    def is_original(self) -> bool:
        """Whether the row was read, not made."""
        return self.id == self.origin

    @property
    def shown(self) -> tuple:
        """What a model is shown: the texts, and where they are masked."""
        return (self.texts, *masks_of(self.changes))

    @property
    def length(self) -> int:
        """Characters in all texts; what rows of a shard are sorted by."""
        return sum(map(len, self.texts))

    @property
    def order(self) -> tuple[int, int]:
        """Sort key inside a shard: neighbours have similar lengths, so batches need no re-ordering."""
        return (self.length, self.id)


def copy_id(origin: int, strategy: str, texts: Iterable[str], masks: Sequence[Change] = ()) -> int:
    """Return the id of a copy: a digest of its original's id, of what made it, and of what a model is shown."""
    return chained(origin, strategy, *texts, *([repr(masks)] if masks else []))


def masks_of(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that mask."""
    return [change for change in changes if change.source in MASKING]


def masking_key(changes: Iterable[Change]) -> list[dict[str, list]]:
    """Return what tells two maskings of one text apart in a row's id; nothing where nothing is masked."""
    masks = [(each.text, each.start, each.end, each.source) for each in masks_of(changes)]
    return [{"masks": masks}] if masks else []
