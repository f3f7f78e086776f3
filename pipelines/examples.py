"""Files to examples: every row becomes an example or a reject, none becomes nothing."""

import difflib
import glob
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import assert_never

from pipelines.protected import protected_of
from pipelines.reader import reader_for
from pipelines.record import Record, Reject, shown
from pipelines.sentence import sentence_of
from schemas.configuration import Data
from schemas.errors import DataError
from schemas.example import Example, Label
from schemas.task import NO_ANSWERS, Kind, Task, Unit, unit_of

FIRST = 100
"""Rows by which a file's columns are known; in JSON lines not every row need have them all."""


def files(patterns: Sequence[str]) -> list[Path]:
    """Return the files that paths, folders and patterns stand for; each stands for its own in order of name.

    Raises `DataError` where a pattern stands for nothing and where a file is empty.
    """
    found = list(dict.fromkeys(path for pattern in patterns for path in expanded(pattern)))
    for path in found:
        if path.stat().st_size == 0:
            raise DataError("rows", f"{path}: an empty file", "remove it or name another")
    return found


def expanded(pattern: str) -> list[Path]:
    """Return the files of one path, folder or pattern."""
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        # Names with a leading mark are what other programs leave beside their parts.
        found = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
        problem = "a folder without files"
    else:
        found = sorted(p for p in map(Path, glob.glob(pattern, recursive=True)) if p.is_file())
        problem = "no such file, and no file fits it as a pattern"
    if not found:
        raise DataError("files of rows", f"{pattern}: {problem}", "correct the path")
    return found


def examples(
    name: str, task: Task, data: Data, paths: Sequence[Path], limit: int | None = None
) -> Iterator[Example | Reject]:
    """Read the rows of files as examples of the data set `name`; see `located_examples`."""
    for found in located_examples(name, task, data, paths, limit):
        yield found if isinstance(found, Reject) else found[1]


def located_examples(
    name: str, task: Task, data: Data, paths: Sequence[Path], limit: int | None = None
) -> Iterator[tuple[Record, Example] | Reject]:
    """Read the first `limit` rows of files, each with the record it was made of.

    Raises `DataError` for a missing column, for files without rows, and for the first bad row unless the configuration
    rejects them.
    """
    wanted = [*task.texts, *(column for column in (task.label, task.protected) if column is not None)]
    found = ((task, records_of(path, wanted, data)) for path in paths)
    return examples_of(name, found, data, list(map(str, paths[:3])), limit)


def examples_of(
    name: str,
    found: Iterable[tuple[Task, Iterator[Record | Reject]]],
    data: Data,
    named: Sequence[str],
    limit: int | None,
) -> Iterator[tuple[Record, Example] | Reject]:
    """Make examples of the first `limit` records of files, each file's by a task of its own; `named` is how the user
    knows the files."""
    read = 0
    for task, records in found:
        for record in records:
            if limit is not None and read == limit:
                return
            read += 1
            made = record if isinstance(record, Reject) else example_of(name, task, record)
            if isinstance(made, Reject) and data.on_bad_row == "fail":
                raise made.error()
            yield made
    if read == 0:
        raise DataError("rows", f"{', '.join(named)}: none beside a header", "name files that have rows")


def records_of(path: Path, wanted: Sequence[str | int], data: Data) -> Iterator[Record | Reject]:
    """Read the records of a file that has the wanted columns."""
    return examined(path, reader_for(path, data.format, data.delimiter)(path, header=data.header), wanted, data)


def examined(
    path: Path, records: Iterator[Record | Reject], wanted: Sequence[str | int], data: Data
) -> Iterator[Record | Reject]:
    """Refuse a file whose first rows lack a wanted column; return all rows."""
    first: list[Record | Reject] = []
    columns: dict[str | int, None] = {}
    for record in islice(records, FIRST):
        first.append(record)
        if isinstance(record, Record):
            columns |= dict.fromkeys(record.fields)
        if columns.keys() >= set(wanted):
            break
    for column in wanted if columns else []:
        if column not in columns:
            raise missing_column(path, column, list(columns), data)
    return chain(first, records)


def missing_column(path: Path, column: str | int, columns: Sequence[str | int], data: Data) -> DataError:
    """Return the error for a column that a file does not have, with the nearest one it has."""
    names = [str(each) for each in columns]
    if any(isinstance(each, int) for each in columns):
        return DataError(
            f"a column `{column}`",
            f"{path}: {len(columns)} columns, known as 0 to {len(columns) - 1} for want of a header",
            "correct `task`, or set `data.header: true` if the first line names the columns",
        )
    lower = {each.lower(): each for each in names}
    near = difflib.get_close_matches(str(column).lower(), lower, 1)
    hint = f"did you mean `{lower[near[0]]}`?" if near else "correct `task`"
    if isinstance(column, int):
        hint = "use names, or set `data.header: false` if the first line is a row"
    return DataError(f"a column `{column}`", f"{path}: {', '.join(names[:50])}", hint)


def example_of(name: str, task: Task, record: Record) -> tuple[Record, Example] | Reject:
    """Make an example of a record, and return both."""
    unit = unit_of(task.kind)
    match unit:
        case Unit.ROW:
            example = row_of(name, task, record)
        case Unit.WORD:
            example = sentence_of(name, task, record)
        case Unit.NOTHING:
            raise NO_ANSWERS
        case _:
            assert_never(unit)
    return example if isinstance(example, Reject) else (record, example)


def row_of(name: str, task: Task, record: Record) -> Example | Reject:
    """Make an example of a record's texts and its label."""
    texts: list[str] = []
    for column in task.texts:
        text = text_of(record, column)
        if isinstance(text, Reject):
            return text
        texts.append(text)
    label, spans = label_of(record, task), protected_of(record, task, texts)
    if isinstance(label, Reject):
        return label
    return spans if isinstance(spans, Reject) else Example.original(name, tuple(texts), label, spans)


def text_of(record: Record, column: str | int) -> str | Reject:
    """Return a text as it stands in its file; what is no text, or an empty one, is refused."""

    def refuse(expected: str, found: str) -> Reject:
        return Reject(record.where, record.raw, expected, found, column)

    if column not in record.fields:
        return refuse("a text", f"no such field among {shown(list(record.fields))}")
    text = record.fields[column]
    if not isinstance(text, str):
        return refuse("a text", f"{shown(text)}, {kind_of(text)}")
    if not text.strip():
        return refuse("a text that is not empty", shown(text))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return refuse("Unicode text", f"half a surrogate pair at character {error.start + 1}: {shown(text)}")
    return text


def label_of(record: Record, task: Task) -> Label | Reject:
    """Return a row's label, `None` where it has none."""
    if task.label is None:
        return None
    value = record.fields.get(task.label)
    try:
        if task.kind is not Kind.MULTI_LABEL and not isinstance(value, str | int | float | None):
            raise ValueError("a label")
        return task.read_label(value)
    except ValueError as error:
        return Reject(record.where, record.raw, str(error), f"{shown(value)}, {kind_of(value)}", task.label)


def kind_of(value: object) -> str:
    """Return what a value is, in the words of data files."""
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "a text", int: "a number", float: "a number", dict: "an object", list: "a list", bytes: "bytes"}
    return "nothing" if value is None else kinds.get(type(value), "no single value")
