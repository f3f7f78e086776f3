"""Records: what readers find in files, and what is refused on the way, each with the place it stood at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import DataError

SHOWN = 80


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file: a line counted from 1, and its first byte, `None` in files that have no lines.

    Bytes of a compressed file are counted after decompression.
    """

    file: Path
    line: int
    offset: int | None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file: its fields by name, or by position in files without a header, and its bytes as they stood."""

    where: Where
    fields: Mapping[str | int, object]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that cannot be used; `field` is the column at fault, `None` where the row as a whole is."""

    where: Where
    raw: bytes
    expected: str
    found: str
    field: str | int | None = None

    @property
    def reason(self) -> str:
        """Why the row was refused, in one sentence."""
        return f"expected {self.expected}, found {self.found}"

    def error(self) -> DataError:
        """Return the error for runs that accept no bad row."""
        place = f"{self.where}: " if self.field is None else f"{self.where}:{self.field}: "
        return DataError(
            self.expected,
            f"{place}{self.found}",
            "correct the row, or set `data.on_bad_row: reject` to leave bad rows out and have them listed",
        )


def shown(value: object) -> str:
    """Return a value as errors show it, cut where it is long."""
    if isinstance(value, str | bytes):
        # The repr of a text of megabytes is not worth waiting for.
        cut = value[:SHOWN]
        return f"{cut!r}…" if len(value) > SHOWN else repr(value)
    text = repr(value)
    return f"{text[:SHOWN]}…" if len(text) > SHOWN else text
