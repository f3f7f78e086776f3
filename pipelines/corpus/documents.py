"""Files to documents: every document is read or rejected, and known by its sentences, not by its place."""

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines import plain_text
from pipelines.corpus import dataset
from pipelines.corpus.sentences import sentences
from pipelines.examples import examined, files, text_of
from pipelines.reader import reader_for
from pipelines.record import Record, Reject
from schemas.configuration import Configuration
from schemas.digest import identity
from schemas.errors import ConfigurationError, DataError


@dataclass(frozen=True, slots=True)
class Document:
    """The sentences of a text and its id, a digest of the corpus's name and the sentences."""

    id: int
    sentences: tuple[str, ...]


def documents(configuration: Configuration, limit: int | None = None) -> Iterator[Document | Reject]:
    """Read the first `limit` documents of a corpus.

    Raises `DataError` for a missing column, for a corpus without documents, and for the first bad document unless the
    configuration rejects them.
    """
    data, corpus = configuration.data, configuration.corpus
    read = 0
    for record, column in records(configuration):
        if limit is not None and read == limit:
            return
        read += 1
        text = record if isinstance(record, Reject) else text_of(record, column)
        if isinstance(text, Reject):
            if data.on_bad_row == "fail":
                raise text.error()
            yield text
            continue
        found = tuple(sentences(text, corpus.sentences))
        yield Document(identity(configuration.name, found), found)
    if read == 0:
        raise DataError("documents", f"{', '.join(data.corpus)}: none", "name files that have some")


def records(configuration: Configuration) -> Iterator[tuple[Record | Reject, str]]:
    """Read everything that `data.corpus` names; yield records with the name of the column that holds the text."""
    data, column = configuration.data, configuration.corpus.column
    seen: set[Path] = set()
    for pattern in data.corpus:
        if dataset.is_saved(Path(pattern)) or (not exists(pattern) and dataset.is_hub_id(pattern)):
            yield from ((record, column) for record in dataset.records(pattern, column, data))
            continue
        for path in files([pattern]):
            if path not in seen:
                yield from records_of(path, configuration)
            seen.add(path)


def records_of(path: Path, configuration: Configuration) -> Iterator[tuple[Record | Reject, str]]:
    """Read one file."""
    data, column = configuration.data, configuration.corpus.column
    if plain_text.is_plain_text(path, data.format):
        yield from ((record, plain_text.COLUMN) for record in plain_text.documents(path))
        return
    try:
        reader = reader_for(path, data.format, data.delimiter)
    except ConfigurationError as error:
        expected = f"{error.expected}, or plain text: {plain_text.SUFFIX}, `text`"
        raise ConfigurationError(expected, error.found, error.remedy) from None
    yield from ((record, column) for record in examined(path, reader(path, header=data.header), [column], data))


def exists(pattern: str) -> bool:
    """Whether a pattern stands for some file."""
    return Path(pattern).exists() or bool(glob.glob(pattern, recursive=True))
