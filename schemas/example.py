"""Examples: rows of text with an identity that no file format, order or path can change."""

from dataclasses import dataclass, replace
from typing import Self

from schemas.digest import identity

Label = int | float | tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Change:
    """One replaced word of a copy.

    `text` says which of the row's texts; `start` and `end` are character offsets in the **copy**; `original` is what
    stood there; `source` is where the replacement came from.
    """

    text: int
    start: int
    end: int
    original: str
    source: str


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one of a row's texts: a token with its class, or, without one, words that no copy may change."""

    text: int
    start: int
    end: int
    label: int | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One row: an original as read, or a copy made from one.

    `label` is a class index, a number, or the sorted indices of all labels that fit; `None` where the teacher is to
    label the row, and where its words have classes of their own, in `spans`. `count` says how many identical rows of
    the input this one stands for. An original is its own `origin`.
    """

    id: int
    origin: int
    texts: tuple[str, ...]
    label: Label = None
    count: int = 1
    strategy: str = ""
    draw: int = -1
    changes: tuple[Change, ...] = ()
    spans: tuple[Span, ...] = ()

    @classmethod
    def original(cls, data_set: str, texts: tuple[str, ...], label: Label = None, spans: tuple[Span, ...] = ()) -> Self:
        """Make a row as read; its id is a digest of the data set's name, the texts, the label and the spans."""
        marked = [[(each.text, each.start, each.end, each.label) for each in spans]] if spans else []
        key = identity(data_set, texts, label, *marked)
        return cls(id=key, origin=key, texts=texts, label=label, spans=spans)

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
        key = identity(self.id, strategy, texts)
        return replace(
            self, id=key, origin=self.id, texts=texts, strategy=strategy, draw=draw, changes=changes, spans=spans
        )

    @property
    def is_labelled(self) -> bool:
        """Whether somebody said what the row or its words are."""
        return self.label is not None or any(span.label is not None for span in self.spans)

    @property
    def is_original(self) -> bool:
        """Whether the row was read, not made."""
        return self.id == self.origin

    @property
    def length(self) -> int:
        """Characters in all texts; what rows of a shard are sorted by."""
        return sum(map(len, self.texts))

    @property
    def order(self) -> tuple[int, int]:
        """Sort key inside a shard: neighbours have similar lengths, so batches need no re-ordering."""
        return (self.length, self.id)
