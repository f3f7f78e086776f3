"""Templates: the files beside this one, filled in; each page comes out as one file that needs nothing else."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines.printable import printable
from pipelines.progress import size
from pipelines.report import milliseconds, number
from schemas.store import write_text


def write_filled(path: Path, template: str, **values: Any) -> None:
    """Fill in a template and write it; whatever it shows of the values is escaped."""
    environment = Environment(
        loader=PackageLoader("pipelines.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "size": size, "milliseconds": milliseconds, "printable": printable}
    write_text(path, environment.get_template(template).render(values))
