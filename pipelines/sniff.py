"""Guesses at a data file: its format, its columns and which of them are texts and label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipelines.lines import lines
from pipelines.reader import format_of, reader_for, reader_modules
from pipelines.record import Record
from pipelines.sniff_labels import FEW, MOST, is_names, is_number, names_in
from schemas.errors import DataError
from schemas.tags import OUTSIDE, are_entity_tags

SAMPLE = 1000

PAIRS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("#1 string", "#2 string"),
    ("question", "sentence"),
    ("question", "context"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("query", "document"),
)
TEXTS = ("text", "sentence", "review", "content", "comment", "tweet", "utterance", "document", "question", "body")
LABELS = (
    "label",
    "labels",
    "gold_label",
    "class",
    "category",
    "intent",
    "sentiment",
    "is_duplicate",
    "quality",
    "score",
    "similarity",
    "rating",
    "stars",
    "target",
)
TOKENS = ("tokens", "words")
TAGS = ("tags", "ner_tags", "labels", "label")
KNOWN = frozenset(name for pair in PAIRS for name in pair) | frozenset(TEXTS) | frozenset(LABELS)

Column = str | int


@dataclass(frozen=True)
class Format:
    """How a file is to be read; `certain` says whether its name tells the format."""

    name: str
    header: bool
    certain: bool

    def records(self, path: Path) -> Iterator[Record]:
        """Read a file's good rows."""
        found = reader_for(path, self.name)(path, header=self.header)
        return (record for record in found if isinstance(record, Record))


def sniff_format(path: Path) -> Format:
    """Return the format by name, or else by the first bytes, and whether the first row names the columns."""
    known = {module.__name__.rpartition(".")[2]: module for module in reader_modules()}
    named = format_of(path, known)
    name = named or format_by_content(path)
    header = True
    if name in ("tsv", "csv"):
        header = has_header(sample(path, Format(name, header=False, certain=True)))
    return Format(name, header, named is not None)


def format_by_content(path: Path) -> str:
    """Return the format that a file's content looks like."""
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return "parquet"
    head = [line.content for line in islice(lines(path), 100)]
    if are_sentences(head):
        return "conll"
    head = head[:20]
    if all(line.lstrip().startswith(b"{") for line in head):
        return "jsonl"
    return "tsv" if all(b"\t" in line for line in head) else "csv"


def are_sentences(head: Sequence[bytes]) -> bool:
    """Whether lines are words with a tag at the end, and some are blank."""
    words = [line.split() for line in head]
    tagged = [word for word in words if len(word) > 1]
    tags = [word[-1].decode(errors="replace") for word in tagged]
    return [] in words and len(tagged) + words.count([]) == len(words) and are_entity_tags([OUTSIDE, *tags])


def sample(path: Path, format: Format) -> list[Record]:
    """Return the first good rows of a file."""
    found = list(islice(format.records(path), SAMPLE))
    if not found:
        raise DataError("rows", f"{path}: none that can be read", "give a file of rows")
    return found


def has_header(rows: Sequence[Record]) -> bool:
    """Whether the first row holds names: known ones, or words above columns of numbers, and no number itself."""
    first = [str(cell) for cell in rows[0].fields.values()]
    if any(cell.strip().lower() in KNOWN for cell in first):
        return True
    if len(rows) < 2 or len(set(first)) < len(first) or any(not cell or is_number(cell) for cell in first):
        return False
    return any(all(is_number(row.fields[at]) for row in rows[1:]) for at in rows[0].fields)


def find_columns(rows: Sequence[Record]) -> tuple[tuple[Column, ...], Column | None]:
    """Return the text columns, one or two, and the label column if there seems to be one."""
    columns = by_column(rows)
    texts = texts_by_name(columns) or texts_by_length(columns)
    rest = {column: values for column, values in columns.items() if column not in texts}
    return texts, label_by_name(rest) or label_by_values(rest)


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


def label_by_name(columns: Mapping[Column, Sequence[object]]) -> Column | None:
    """Return the column with a name that data sets give to labels."""
    named = {str(column).lower(): column for column, values in columns.items() if is_label(values)}
    return next((named[name] for name in LABELS if name in named), None)


def label_by_values(columns: Mapping[Column, Sequence[object]]) -> Column | None:
    """Return the column without gaps that has the fewest values, if they are few for the rows there are."""
    counts = {
        column: len({name for value in values for name in names_in(value)})
        for column, values in columns.items()
        if is_label(values) and all(value not in (None, "") for value in values)
    }
    few = [column for column, count in counts.items() if 2 <= count <= max(FEW, len(columns[column]) // FEW)]
    return min(few, key=lambda column: counts[column], default=None)


def is_label(values: Sequence[object]) -> bool:
    """Whether a column holds single values, or lists of names."""
    return sum(isinstance(value, str | int | float | None) or is_names(value) for value in values) >= MOST * len(values)
