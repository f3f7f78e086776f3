"""Data sets of the `datasets` library: a folder that `save_to_disk` wrote, or an id on the hub."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.examples import missing_column
from pipelines.record import Record, Where
from schemas.configuration import Data
from schemas.errors import ConfigurationError, DataError, ResourceError

SPLIT = "train"
ROWS_PER_BATCH = 1000
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?(@[\w.-]+)?")


def is_saved(path: Path) -> bool:
    """Whether a folder holds a data set as `datasets` saves it."""
    return path.is_dir() and any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))


def is_hub_id(pattern: str) -> bool:
    """Whether a text reads as `owner/name`, `owner/name:configuration`, or either with `@revision`."""
    return HUB_ID.fullmatch(pattern) is not None


def records(name: str, column: str, data: Data) -> Iterator[Record]:
    """Read the column of a data set's training split; a row's number stands for its line.

    Raises `DataError` where there is no such column or split, `ResourceError` where the hub cannot be reached.
    """
    found = load(name)
    if column not in found.column_names:
        raise missing_column(Path(name), column, found.column_names, data)
    number = 0
    for table in found.select_columns([column]).with_format("arrow").iter(ROWS_PER_BATCH):
        for text in table.column(column).to_pylist():
            number += 1
            raw = json.dumps({column: text}, default=repr).encode()
            yield Record(Where(Path(name), number, None), {column: text}, raw)


def load(name: str) -> Any:
    """Open a data set, in memory maps."""
    # Slow to import, and few runs need it.
    import datasets

    try:
        found = datasets.load_from_disk(name) if is_saved(Path(name)) else fetch(name)
    except (FileNotFoundError, json.JSONDecodeError, KeyError) as error:
        raise DataError("a whole data set", f"{name}: {str(error)[:200]}", "save or fetch it again") from None
    if isinstance(found, datasets.DatasetDict):
        if SPLIT not in found:
            raise DataError(
                f"a split `{SPLIT}`", f"{name}: {', '.join(map(str, found))}", "name the folder of one split"
            )
        return found[SPLIT]
    return found


def fetch(name: str) -> Any:
    """Fetch a data set from the hub, or find it where it was fetched before."""
    import datasets

    where, _, revision = name.partition("@")
    repository, _, configuration = where.partition(":")
    try:
        return datasets.load_dataset(repository, configuration or None, split=SPLIT, revision=revision or None)
    except ValueError as error:
        remedy = "name one as `owner/name:configuration`"
        raise ConfigurationError("a data set's configuration", f"{name}: {error}", remedy) from None
    except Exception as error:
        raise ResourceError(
            "a file of text, or the id of a data set that can be fetched",
            f"{name}: no such file, and the hub said: {str(error).splitlines()[0][:200]}",
            "correct the path, go online, or sign in for gated data sets",
        ) from None
