"""Files of RFC 4180, parted by commas or another character: quoted fields may hold it, line ends, doubled quotes."""

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from pipelines.delimited import DELIMITERS, Fields, named
from pipelines.lines import LONGEST, Line, lines, not_utf8, too_long
from pipelines.record import Record, Reject, shown
from schemas.errors import DataError

SUFFIXES = (".csv",)
QUOTE = '"'
COMMA = ","


class MalformedError(Exception):
    """A row's quotes are wrong: `expected` and `found` in words."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found


def records(path: Path, *, header: bool, delimiter: str = COMMA) -> Iterator[Record | Reject]:
    """Read rows; `header` says whether the first row names the columns. No text is taken for a missing value."""
    found = rows(path, delimiter)
    return named(well_headed(found, delimiter) if header else found, header=header)


def well_headed(found: Iterator[Fields | Reject], delimiter: str) -> Iterator[Fields | Reject]:
    """Refuse a header of one bare name with another delimiter in it: its columns would be one, and its rows ragged."""
    for row in found:
        if isinstance(row, Fields) and len(row.fields) == 1 and not row.raw.startswith(QUOTE.encode()):
            other = next((each for each in DELIMITERS if each != delimiter and each in row.fields[0]), None)
            if other is not None:
                raise DataError(
                    f"fields parted by {delimiter!r}",
                    f"{row.where}: one column, {shown(row.fields[0])}",
                    f"set `data.delimiter: {json.dumps(other)}`, or put the name in quotes if it is one",
                )
        yield row
        break
    yield from found


def rows(path: Path, delimiter: str = COMMA) -> Iterator[Fields | Reject]:
    """Read rows, each of one physical line or more.

    A row with wrong quotes is bad as one physical line, and reading goes on with the next: what a quote that is never
    closed seems to hold are rows of their own.
    """
    source = Source(lines(path))
    while (first := source.next()) is not None:
        if not first.whole:
            yield too_long(first)
            continue
        row = Row(first, source, delimiter)
        try:
            fields = row.parse()
        except MalformedError as error:
            source.put_back(row.lines[1:])
            yield Reject(first.where, first.raw, error.expected, f"{error.found}: {shown(first.raw)}")
            continue
        raw = b"".join(line.raw for line in row.lines)
        # Bytes that are not UTF-8 were read as surrogates, so that they could not hide where the row ends.
        if any(not field.isascii() and not encodable(field) for field in fields):
            yield not_utf8(first.where, raw)
        else:
            yield Fields(first.where, fields, raw)


class Source:
    """Physical lines, some of which may be put back."""

    def __init__(self, found: Iterator[Line]) -> None:
        self.found = found
        self.pending: deque[Line] = deque()

    def next(self) -> Line | None:
        """Return the next line, `None` at the end."""
        return self.pending.popleft() if self.pending else next(self.found, None)

    def put_back(self, found: list[Line]) -> None:
        """Let lines be read again."""
        self.pending.extendleft(reversed(found))


class Row:
    """One row while it is being read, with the physical lines it took so far."""

    def __init__(self, first: Line, source: Source, delimiter: str) -> None:
        self.source = source
        self.delimiter = delimiter
        self.lines = [first]
        self.size = len(first.raw)
        self.text = content(first)
        self.at = 0

    def parse(self) -> list[str]:
        """Return the fields; raises `MalformedError`."""
        fields: list[str] = []
        while True:
            fields.append(self.quoted() if self.text.startswith(QUOTE, self.at) else self.plain())
            if self.at == len(self.text):
                return fields
            self.at += 1

    def plain(self) -> str:
        """Return the field that begins here without a quote."""
        end = self.text.find(self.delimiter, self.at)
        begin, self.at = self.at, len(self.text) if end < 0 else end
        field = self.text[begin : self.at]
        if QUOTE in field:
            raise MalformedError("quotes only around whole fields", f"one at column {begin + field.find(QUOTE) + 1}")
        return field

    def quoted(self) -> str:
        """Return the field that begins with the quote here; it may go on in the next lines."""
        column = self.at + 1
        parts: list[str] = []
        self.at += 1
        while True:
            end = self.text.find(QUOTE, self.at)
            if end < 0:
                parts += [self.text[self.at :], self.lines[-1].ending.decode()]
                self.go_on(column)
                continue
            parts.append(self.text[self.at : end])
            self.at = end + 1
            if not self.text.startswith(QUOTE, self.at):
                break
            parts.append(QUOTE)
            self.at += 1
        if self.at < len(self.text) and self.text[self.at] != self.delimiter:
            place = f"line {self.lines[-1].where.line}, column {self.at + 1}"
            wanted = "a comma" if self.delimiter == COMMA else repr(self.delimiter)
            raise MalformedError(f"{wanted} after a closing quote", f"{self.text[self.at]!r} at {place}")
        return "".join(parts)

    def go_on(self, column: int) -> None:
        """Take the next physical line into the row."""
        line = self.source.next()
        if line is not None:
            self.lines.append(line)
            self.size += len(line.raw)
        if line is None or not line.whole or self.size > LONGEST:
            end = "the file's end" if line is None else f"{LONGEST:,} bytes"
            raise MalformedError("a closing quote", f"none before {end} for the one at column {column}")
        self.text = content(line)
        self.at = 0


def content(line: Line) -> str:
    """Return a line's text without its ending, bytes that are not UTF-8 as surrogates."""
    return line.content.decode(errors="surrogateescape")


def encodable(text: str) -> bool:
    """Whether all of a text was UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
