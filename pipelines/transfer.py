"""Transfer sets: rows without labels, which the teacher labels, beside the rows of the training files."""

from collections.abc import Iterator
from pathlib import Path

from pipelines import plain_text
from pipelines.examples import examined, example_of, files
from pipelines.reader import reader_for
from pipelines.record import Record, Reject
from schemas.configuration import Configuration, Data
from schemas.errors import ConfigurationError, DataError
from schemas.example import Example
from schemas.task import Task


def transfer_rows(configuration: Configuration, limit: int | None) -> Iterator[tuple[Record, Example] | Reject]:
    """Read the first `limit` rows of `data.transfer`, each with the record it was made of; labels are not looked at.

    A text that is a labelled row, too, is another row. Raises `DataError` for a missing column, for files without rows,
    and for the first bad row unless the configuration rejects them.
    """
    data = configuration.data
    read = 0
    for path in files(data.transfer):
        task = task_of(path, configuration)
        for record in records(path, task, data):
            if limit is not None and read == limit:
                return
            read += 1
            found = record if isinstance(record, Reject) else example_of(configuration.name, task, record)
            if isinstance(found, Reject) and data.on_bad_row == "fail":
                raise found.error()
            yield found
    if data.transfer and read == 0:
        raise DataError("rows", f"{', '.join(data.transfer)}: none beside a header", "name files that have rows")


def task_of(path: Path, configuration: Configuration) -> Task:
    """Return the task without its label; plain text has one text a row, whatever the task's column is called."""
    task = configuration.task
    if not plain_text.is_plain_text(path, configuration.data.format):
        return task.model_copy(update={"label": None})
    if len(task.texts) > 1:
        raise ConfigurationError(
            f"a file with columns {' and '.join(map(str, task.texts))}, as the task has pairs",
            f"data.transfer: {path}: plain text",
            "write the pairs as JSON lines, TSV, CSV or Parquet",
        )
    return task.model_copy(update={"label": None, "protected": None, "texts": (plain_text.COLUMN,)})


def records(path: Path, task: Task, data: Data) -> Iterator[Record | Reject]:
    """Read the records of one file."""
    if plain_text.is_plain_text(path, data.format):
        return plain_text.rows(path)
    return examined(path, reader_for(path, data.format, data.delimiter)(path, header=data.header), task.texts, data)
