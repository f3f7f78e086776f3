"""A guess at the first row of a delimited file: names of columns, or a row like the others."""

import re
from collections.abc import Sequence

from pipelines.column_names import KNOWN
from pipelines.record import Record
from pipelines.sniff_labels import MOST, is_number

LONGEST_NAME = 30


def has_header(rows: Sequence[Record]) -> bool:
    """Whether the first row holds names: known ones, or words above columns of numbers or of texts."""
    first = {at: str(cell) for at, cell in rows[0].fields.items()}
    # Classes may be called `question` or `comment`; unlike names of columns, they come again below.
    again = {at for at in first if any(row.fields[at] == first[at] for row in rows[1:] if row.fields != rows[0].fields)}
    if any(cell.strip().lower() in KNOWN for at, cell in first.items() if at not in again):
        return True
    if len(rows) < 2 or len(set(first.values())) < len(first) or not all(map(may_be_name, first.values())):
        return False
    columns = {at: [row.fields[at] for row in rows[1:]] for at in first}
    if any(all(map(is_number, values)) for values in columns.values()):
        return True
    return not again and any(is_word(first[at]) and are_texts(values) for at, values in columns.items())


def may_be_name(cell: str) -> bool:
    """Whether a cell is neither empty nor a number."""
    return bool(cell) and not is_number(cell)


def is_word(cell: str) -> bool:
    """Whether a cell is one short word, as names are and texts seldom."""
    return len(cell) <= LONGEST_NAME and re.fullmatch(r"[^\W\d][\w.-]*\w", cell.strip()) is not None


def are_texts(values: Sequence[object]) -> bool:
    """Whether values are of many words, and nearly none of one alone: where some are, the first may be one too."""
    counts = [len(str(value).split()) for value in values]
    return sum(counts) > 2 * len(counts) and sum(count > 1 for count in counts) > (1 + MOST) / 2 * len(counts)
