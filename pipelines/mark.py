"""Marks: how a change of a text is shown, on a terminal and on a page."""

from dataclasses import dataclass

from pipelines.printable import printable
from schemas.example import KEPT, MASK, MASKING, RANDOM, Example, Piece

NAMES = {
    "masked_language_model": "masked LM",
    "vectors": "word vectors",
    "part_of_speech": "same part of speech",
    "n_gram": "n-gram",
    MASK: "mask",
    RANDOM: "random piece",
    KEPT: "kept under a mask",
}
"""What people call the sources of our own strategies; a page has a colour for each. Any other has its own name."""

CUT_AWAY = "…"


@dataclass(frozen=True)
class Mark:
    """A part of a text as it is shown: `note` says what was done to it and `source` by what, nothing where nothing was.

    `kind` is the source where a page has a colour for it.
    """

    text: str
    note: str = ""
    source: str = ""
    kind: str = ""


def source_name(source: str) -> str:
    """Return what people call a source."""
    return NAMES.get(source, source)


def mark(piece: Piece) -> Mark:
    """Return how a piece of a text is shown; what is invisible in it is written out."""
    text, change = printable(piece.text), piece.change
    if change is None:
        return Mark(text)
    name = source_name(change.source)
    if change.source in MASKING:
        note = name
    elif not piece.text:
        text, note = CUT_AWAY, f"cut: {printable(change.original.strip())}"
    else:
        note = f"was {printable(change.original)}" if change.original else "added"
    return Mark(text, note, name, change.source if change.source in NAMES else "")


def marks(example: Example, number: int) -> list[Mark]:
    """Return one of a row's texts as it is shown."""
    return [mark(piece) for piece in example.pieces(number)]
