"""Transfer sets: rows without labels, which the teacher labels, beside the rows of the training files."""

from collections.abc import Iterator
from pathlib import Path

from pipelines import plain_text
from pipelines.examples import examples_of, files, records_of
from pipelines.record import Record, Reject
from schemas.configuration import Configuration
from schemas.errors import ConfigurationError
from schemas.example import Example
from schemas.task import Task


def transfer_rows(configuration: Configuration, limit: int | None) -> Iterator[tuple[Record, Example] | Reject]:
    """Read the first `limit` rows of `data.transfer`, each with the record it was made of; labels are not looked at.

    A text that is a labelled row, too, is another row. Raises `DataError` for a missing column, for files without rows,
    and for the first bad row unless the configuration rejects them.
    """
    data = configuration.data
    if data.transfer:
        found = (unlabelled(path, configuration) for path in files(data.transfer))
        yield from examples_of(configuration.name, found, data, data.transfer, limit)


def unlabelled(path: Path, configuration: Configuration) -> tuple[Task, Iterator[Record | Reject]]:
    """Return the task without its label, and the records of a file; plain text has one text a row, whatever the task's
    column is called."""
    task, data = configuration.task, configuration.data
    if not plain_text.is_plain_text(path, data.format):
        return task.model_copy(update={"label": None}), records_of(path, task.texts, data)
    if len(task.texts) > 1:
        raise ConfigurationError(
            f"a file with columns {' and '.join(map(str, task.texts))}, as the task has pairs",
            f"data.transfer: {path}: plain text",
            "write the pairs as JSON lines, TSV, CSV or Parquet",
        )
    task = task.model_copy(update={"label": None, "protected": None, "texts": (plain_text.COLUMN,)})
    return task, plain_text.rows(path)
