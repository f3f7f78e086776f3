"""Guesses at the columns of a data file: which of them are texts, and which the label."""

from collections.abc import Mapping, Sequence

from pipelines.column_names import LABELS, PAIRS, TAGS, TEXTS, TOKENS
from pipelines.record import Record
from pipelines.sniff_labels import FEW, MOST, is_names, is_number, names_in
from schemas.errors import DataError

Column = str | int


def find_columns(rows: Sequence[Record]) -> tuple[tuple[Column, ...], Column | None]:
    """Return the text columns, one or two, and the label column if there seems to be one."""
    columns = by_column(rows)
    texts = texts_by_name(columns) or texts_by_length(columns)
    rest = {column: values for column, values in columns.items() if column not in texts}
    return texts, next(iter((*labels_by_name(rest), *labels_by_values(rest))), None)


def other_labels(rows: Sequence[Record], used: Sequence[Column | None]) -> list[Column]:
    """Return the columns not used that could be the label too: fewer values than rows, and few."""
    rest = {column: values for column, values in by_column(rows).items() if column not in used}
    possible = {*labels_by_name(rest), *labels_by_values(rest)}
    return [each for each in rest if each in possible and len({str(value) for value in rest[each]}) < len(rest[each])]


def by_column(rows: Sequence[Record]) -> dict[Column, list[object]]:
    """Return the values of every column."""
    columns: dict[Column, list[object]] = {}
    for row in rows:
        for column, value in row.fields.items():
            columns.setdefault(column, []).append(value)
    return columns


def find_tagged(rows: Sequence[Record]) -> tuple[tuple[Column], Column | None] | None:
    """Return the column of words and the one of their tags, `None` for rows that are texts or no lists of words."""
    columns = by_column(rows)
    named = {str(column).lower(): column for column in columns}
    tokens = next((named[name] for name in TOKENS if name in named and is_words(columns[named[name]])), None)
    if tokens is None:
        return None
    for name in TAGS:
        pairs = [(row.fields.get(tokens), row.fields.get(named.get(name, ""))) for row in rows]
        lengths = [(len(a), len(b)) for a, b in pairs if isinstance(a, list) and isinstance(b, list)]
        if lengths and sum(a == b for a, b in lengths) >= MOST * len(lengths):
            return (tokens,), named[name]
    return None if any(map(is_text, columns.values())) else ((tokens,), None)


def is_words(values: Sequence[object]) -> bool:
    """Whether a column holds lists of words."""
    lists = [value for value in values if isinstance(value, list) and all(isinstance(each, str) for each in value)]
    return len(lists) >= MOST * len(values)


def texts_by_name(columns: Mapping[Column, Sequence[object]]) -> tuple[Column, ...]:
    """Return the columns with names that data sets give to texts; the pairs come first."""
    named = {str(column).lower(): column for column, values in columns.items() if is_text(values)}
    for names in (*PAIRS, *((name,) for name in TEXTS)):
        if all(name in named for name in names):
            return tuple(named[name] for name in names)
    return ()


def texts_by_length(columns: Mapping[Column, Sequence[object]]) -> tuple[Column, ...]:
    """Return the column with the longest texts, and the next if it is of the same kind."""
    lengths = {column: mean_length(values) for column, values in columns.items() if is_text(values)}
    if not lengths:
        raise DataError("a column of texts", f"columns {', '.join(map(str, columns))}: none", "give a file of texts")
    longest, *others = sorted(lengths, key=lambda column: -lengths[column])
    second = [each for each in others if lengths[each] > lengths[longest] / 4 and words(columns[each]) > 2]
    return tuple(each for each in columns if each in (longest, *second[:1]))


def is_text(values: Sequence[object]) -> bool:
    """Whether a column holds texts and not only numbers written out."""
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) >= MOST * len(values) and not all(is_number(text) for text in texts)


def mean_length(values: Sequence[object]) -> float:
    """Return the mean number of characters."""
    return sum(len(str(value)) for value in values) / len(values)


def words(values: Sequence[object]) -> float:
    """Return the mean number of words."""
    return sum(len(str(value).split()) for value in values) / len(values)


def labels_by_name(columns: Mapping[Column, Sequence[object]]) -> list[Column]:
    """Return the columns with names that data sets give to labels, the likelier first."""
    named = {str(column).lower(): column for column, values in columns.items() if is_label(values)}
    return [named[name] for name in LABELS if name in named]


def labels_by_values(columns: Mapping[Column, Sequence[object]]) -> list[Column]:
    """Return the columns without gaps that have few values for the rows there are, the one with the fewest first."""
    counts = {
        column: len({name for value in values for name in names_in(value)})
        for column, values in columns.items()
        if is_label(values) and all(value not in (None, "") for value in values)
    }
    few = [column for column, count in counts.items() if 2 <= count <= max(FEW, len(columns[column]) // FEW)]
    return sorted(few, key=lambda column: counts[column])


def is_label(values: Sequence[object]) -> bool:
    """Whether a column holds single values, or lists of names."""
    return sum(isinstance(value, str | int | float | None) or is_names(value) for value in values) >= MOST * len(values)
