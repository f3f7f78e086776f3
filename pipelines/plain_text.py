"""Plain text: blank lines part documents; or, as rows, every line that is not blank is one."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.lines import LONGEST, Line, decoded, lines
from pipelines.record import Record, Reject, shown

SUFFIX = ".txt"
COLUMN = "text"


def is_plain_text(path: Path, format: str) -> bool:
    """Whether a file is plain text, by the configured format or by the name's ending, `.gz` aside."""
    bare = path.with_suffix("") if path.suffix == ".gz" else path
    return format == "text" or (format == "auto" and bare.suffix.lower() == SUFFIX)


def rows(path: Path) -> Iterator[Record | Reject]:
    """Read every line as a row with the one field `text`; blank lines are none."""
    for line in lines(path):
        text = decoded(line)
        if isinstance(text, Reject):
            yield text
        elif text.strip():
            yield Record(line.where, {COLUMN: text}, line.raw)


def documents(path: Path) -> Iterator[Record | Reject]:
    """Read runs of lines that are not blank, each a document with the one field `text`.

    A document with a bad line is bad as a whole; one of more than 16 MiB is refused, so that no file need fit into
    memory.
    """
    document = Document()
    for line in lines(path):
        text = decoded(line)
        if isinstance(text, Reject) or text.strip():
            document.take(line, text)
        else:
            yield from document.end()
    yield from document.end()


class Document:
    """The lines of one document while it is being read."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.texts: list[str] = []
        self.size = 0
        self.bad: Reject | None = None

    def take(self, line: Line, text: str | Reject) -> None:
        """Add a line; of a document that is bad already nothing more is kept."""
        self.size += len(line.raw)
        if isinstance(text, Reject):
            self.bad = self.bad or text
        elif self.bad is None:
            self.lines.append(line)
            self.texts.append(text)
        if self.bad is None and self.size > LONGEST:
            first = self.lines[0]
            found = f"more without a blank line: {shown(first.raw)}"
            self.bad = Reject(first.where, first.raw, f"a document of at most {LONGEST:,} bytes", found)

    def end(self) -> Iterator[Record | Reject]:
        """Yield the document, if there is one, and begin the next."""
        if self.bad is not None:
            yield self.bad
        elif self.lines:
            raw = b"".join(line.raw for line in self.lines)
            yield Record(self.lines[0].where, {COLUMN: "\n".join(self.texts)}, raw)
        self.__init__()
