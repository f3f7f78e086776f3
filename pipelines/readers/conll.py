"""Sentences in columns, as the CoNLL shared tasks have them: a word a line, its tag last, a blank line after each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from pipelines.lines import LONGEST, Line, decoded, lines
from pipelines.record import Record, Reject, shown

SUFFIXES = (".conll", ".bio", ".iob")
TOKENS, TAGS = "tokens", "tags"
DOCUMENT = "-DOCSTART-"
BLANK = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Columns:
    """How a file's first word is written: what parts its columns, and how many there are."""

    tabs: bool
    count: int

    @classmethod
    def of(cls, text: str) -> "Columns":
        """Look at the line of a word."""
        tabs = "\t" in text
        return cls(tabs, len(parted(text, tabs)))


@dataclass
class Sentence:
    """Lines that belong together; `problem` is what is wrong with the first bad one, in words."""

    first: Line
    words: list[list[str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    size: int = 0
    problem: tuple[str, str] | None = None

    def take(self, line: Line, columns: Columns) -> None:
        """Add the line of a word; of a sentence that is longer than any, only the head is kept."""
        self.size += len(line.raw)
        if self.size > LONGEST:
            self.problem = self.problem or (f"a sentence of at most {LONGEST:,} bytes", "no blank line before that")
            return
        self.raw.append(line.raw)
        text = decoded(line)
        if isinstance(text, Reject):
            self.problem = self.problem or (text.expected, f"{text.found} (line {line.where.line})")
            return
        word = parted(text, columns.tabs)
        if len(word) != columns.count or not word[0]:
            expected = f"a word and {columns.count} columns a line, as in the first one"
            self.problem = self.problem or (expected, f"{len(word)} at line {line.where.line}: {shown(text)}")
        self.words.append(word)

    def finished(self, columns: Columns) -> Record | Reject:
        """Return the sentence as a row: `tokens` and `tags`, and every column by its position."""
        raw = b"".join(self.raw)
        if self.problem is not None:
            return Reject(self.first.where, raw, *self.problem)
        by_column = [list(column) for column in zip(*self.words, strict=True)]
        tags = by_column[-1] if columns.count > 1 else None
        fields = {TOKENS: by_column[0], TAGS: tags, **dict(enumerate(by_column))}
        return Record(self.first.where, fields, raw)


def records(path: Path, *, header: bool) -> Iterator[Record | Reject]:
    """Read sentences; `header` has no meaning here.

    Columns are parted by tabs where the first word's are, else by spaces. A line that begins with `#` is a comment
    unless it has just as many columns as the first word: `#photography O` is a word.
    """
    del header
    found = lines(path)
    head: list[Line] = []
    columns = Columns(tabs=True, count=2)
    for line in found:
        head.append(line)
        if is_word(line):
            columns = Columns.of(line.content.decode(errors="replace"))
            break
    sentence: Sentence | None = None
    for line in chain(head, found):
        text = line.content.decode(errors="replace")
        if is_blank(line) or parted(text, columns.tabs)[0] == DOCUMENT:
            if sentence is not None:
                yield sentence.finished(columns)
            sentence = None
        elif not (text.startswith("#") and len(parted(text, columns.tabs)) != columns.count):
            sentence = sentence or Sentence(line)
            sentence.take(line, columns)
    if sentence is not None:
        yield sentence.finished(columns)


def is_blank(line: Line) -> bool:
    """Whether a line ends a sentence."""
    return line.whole and not line.raw.strip(BLANK)


def is_word(line: Line) -> bool:
    """Whether a line is surely that of a word."""
    return not is_blank(line) and not line.raw.startswith((b"#", DOCUMENT.encode()))


def parted(text: str, tabs: bool) -> list[str]:
    """Return the columns of a line."""
    return text.split("\t") if tabs else re.split(" +", text.strip(" "))
