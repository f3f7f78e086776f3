"""Guesses at how a data file is to be read: its format, what parts its fields, whether its first line names columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from pipelines.delimited import DELIMITERS
from pipelines.lines import lines
from pipelines.misfit import is_json_array, refuse_misfit
from pipelines.reader import format_of, reader_for
from pipelines.readers.csv import COMMA
from pipelines.record import Record, Reject
from pipelines.sniff_header import has_header
from pipelines.survey import Survey
from schemas.errors import DataError
from schemas.tags import OUTSIDE, are_entity_tags

SAMPLE = 1000


@dataclass(frozen=True)
class Format:
    """How a file is to be read; `certain` says whether its name tells the format."""

    name: str
    certain: bool
    header: bool = True
    delimiter: str = COMMA

    def records(self, path: Path) -> Iterator[Record | Reject]:
        """Read a file's rows, good and bad."""
        return reader_for(path, self.name, self.delimiter)(path, header=self.header)

    def sample(self, path: Path) -> list[Record]:
        """Return the first good rows of a file; refuse one that has none, or fewer than bad ones before them."""
        survey = Survey()
        found = list(islice(survey.rows(self.records(path)), SAMPLE))
        if survey.bad > survey.good:
            raise survey.error()
        if not found:
            beside = " beside the names of columns in the first line" if self.name in ("tsv", "csv") else ""
            raise DataError("rows", f"{path}: none{beside}", "give a file of rows")
        return found


def sniff_format(path: Path) -> Format:
    """Return the format by name, or else by content, and what it leaves open."""
    named = format_of(path)
    format = Format(named or format_by_content(path), certain=named is not None)
    refuse_misfit(path, format.name)
    if format.name not in ("tsv", "csv"):
        return format
    format = replace(format, header=False)
    if format.name == "csv":
        format = replace(format, delimiter=find_delimiter(path, format))
    refuse_first(format.records(path))
    return replace(format, header=has_header(format.sample(path)))


def format_by_content(path: Path) -> str:
    """Return the format that a file's content looks like."""
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet"
    head = [line.content for line in islice(lines(path), 100)]
    if are_sentences(head):
        return "conll"
    head = head[:20]
    if all(line.lstrip().startswith(b"{") for line in head) or is_json_array(path):
        return "jsonl"
    return "tsv" if all(b"\t" in line for line in head) else "csv"


def are_sentences(head: Sequence[bytes]) -> bool:
    """Whether lines are words with a tag at the end, and some are blank."""
    words = [line.split() for line in head]
    tagged = [word for word in words if len(word) > 1]
    tags = [word[-1].decode(errors="replace") for word in tagged]
    return [] in words and len(tagged) + words.count([]) == len(words) and are_entity_tags([OUTSIDE, *tags])


def find_delimiter(path: Path, format: Format) -> str:
    """Return what parts a CSV file's fields: what leaves few rows bad, and more than one column, a comma at best."""
    first = next(lines(path)).content
    possible = [each for each in DELIMITERS if each == COMMA or each.encode() in first]
    return min(possible, key=lambda each: misfits(list(islice(replace(format, delimiter=each).records(path), SAMPLE))))


def misfits(head: Sequence[Record | Reject]) -> tuple[int, bool]:
    """Return how ill rows were parted: tenths of them that are bad, and whether they have no more than one column."""
    columns = next((len(each.fields) for each in head if isinstance(each, Record)), 0)
    # A few bad rows are no reason to think of another delimiter.
    return sum(isinstance(each, Reject) for each in head) * 10 // len(head), columns < 2


def refuse_first(found: Iterator[Record | Reject]) -> None:
    """Refuse a file whose first line cannot be read: whether it names the columns cannot be told."""
    survey = Survey(1)
    for _ in survey.rows(found):
        pass
    if survey.bad:
        raise survey.error()
