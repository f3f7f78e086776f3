"""Which reader reads a file: the one its name asks for, or the one the configuration names."""

import pkgutil
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

from pipelines import readers
from pipelines.readers import csv
from pipelines.record import Record, Reject
from schemas.errors import ConfigurationError


class Reader(Protocol):
    """Reads the rows of a file, good and bad, in order."""

    def __call__(self, path: Path, *, header: bool) -> Iterator[Record | Reject]:
        """Read a file; `header` says whether a delimited file begins with column names."""
        ...


def reader_for(path: Path, format: str = "auto", delimiter: str = csv.COMMA) -> Reader:
    """Return the reader of a file; `format` is a file of pipelines/readers, or `auto` for what the name ends in.

    The delimiter is for CSV alone: every other format has its own.
    """
    known = reader_modules()
    name = format_of(path) if format == "auto" else format
    if name not in known:
        suffixes = ", ".join(suffix for module in known.values() for suffix in module.SUFFIXES)
        raise ConfigurationError(
            f"a file ending in {suffixes}, or `data.format`: {', '.join(known)}",
            f"{path}" if format == "auto" else f"data.format: `{format}`",
            "set `data.format`",
        )
    if known[name] is csv and delimiter != csv.COMMA:
        return partial(csv.records, delimiter=delimiter)
    return known[name].records


def format_of(path: Path) -> str | None:
    """Return the format that a file's name ends in, `.gz` aside."""
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    return next((name for name, module in reader_modules().items() if suffix in module.SUFFIXES), None)


@cache
def reader_modules() -> dict[str, ModuleType]:
    """Return the files of pipelines/readers, by name and in its order."""
    names = [found.name for found in pkgutil.iter_modules(readers.__path__)]
    return {name: import_module(f"{readers.__name__}.{name}") for name in names}
