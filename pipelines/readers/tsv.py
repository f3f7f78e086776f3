"""Tab-separated files as GLUE has them: every line a row, quotes and backslashes plain characters."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.delimited import Fields, named
from pipelines.lines import decoded, lines
from pipelines.record import Record, Reject

SUFFIXES = (".tsv",)


def records(path: Path, *, header: bool) -> Iterator[Record | Reject]:
    """Read rows; `header` says whether the first line names the columns."""
    return named(rows(path), header=header)


def rows(path: Path) -> Iterator[Fields | Reject]:
    """Read lines and cut them at tabs."""
    for line in lines(path):
        text = decoded(line)
        yield text if isinstance(text, Reject) else Fields(line.where, text.split("\t"), line.raw)
