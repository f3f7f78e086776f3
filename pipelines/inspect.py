"""Looking into a cache: its groups, what is in one of them, and its rows with changes marked."""

from itertools import islice
from pathlib import Path

from rich.table import Column, Table
from rich.text import Text

from pipelines.families import families
from pipelines.made_rows import rows_group
from pipelines.mark import marks
from pipelines.printable import Terminal, printable
from pipelines.progress import size
from pipelines.run import Run
from pipelines.verdict import label_text
from schemas.cache import Cache
from schemas.errors import ConfigurationError
from schemas.example import Example
from schemas.store import resource_errors
from schemas.task import Task

LONGEST = 80


def show_cache(run: Run, originals: int, page: Path | None) -> None:
    """Print the groups of a cache, and the first originals with their copies, or write these as a page."""
    rows_group(run.configuration)
    own = {"teacher": run.configuration.teacher_name}
    if page is not None:
        from pipelines.page.page import write_rows

        check_page(page)
        with resource_errors(str(page)):
            write_rows(page, run.configuration, run.known_identity() or own, originals)
        print(page)
        return
    cache = Cache(run.configuration.cache_path)
    console = Terminal()
    name = Column("group", overflow="fold")
    table = Table(name, "rows", "shards", "size", "smallest to largest", "codec's error", title=str(cache.path))
    for group in cache.groups():
        manifest = group.manifest()
        ranges = "; ".join(f"{low:.4g} to {high:.4g}" for low, high in manifest.ranges.values())
        errors = "; ".join(f"{error.relative:.2%}" for error in manifest.errors.values())
        sizes = (f"{manifest.rows:,}", str(len(manifest.shards)), size(manifest.bytes))
        table.add_row(group.name, *sizes, ranges, errors)
    console.print(table)
    for family in islice(families(cache, own), originals):
        for member in family:
            console.print(marked(member.example, run.configuration.task), soft_wrap=True)


def show_group(run: Run, name: str) -> None:
    """Print one group of a cache: its columns, what it was made with, and what is known of its numbers."""
    cache = Cache(run.configuration.cache_path)
    names = [group.name for group in cache.groups()]
    if name not in names:
        raise ConfigurationError(f"a group: {', '.join(names)}", f"--group {name}", "name one of these")
    group = cache.group(name)
    manifest = group.manifest()
    console = Terminal()
    columns = Table("column", "type", "says of itself", title=str(group.path))
    for field in group.schema(manifest):
        said = ", ".join(f"{key.decode()}: {value.decode()}" for key, value in (field.metadata or {}).items())
        columns.add_row(field.name, str(field.type), said)
    console.print(columns)
    facts = Table("fact", "value", title="made with")
    for key, value in manifest.settings.items():
        facts.add_row(key, shortened(value))
    console.print(facts)
    console.print(f"{manifest.rows:,} rows in {len(manifest.shards)} shards, {size(manifest.bytes)}", highlight=False)
    for key, count in manifest.accounting.items():
        console.print(f"{key}: {count:,}", highlight=False)
    for column, (low, high) in manifest.ranges.items():
        console.print(f"{column}: {low:.6g} to {high:.6g}", highlight=False)
    for column, error in manifest.errors.items():
        said = f"{error.relative:.4%} of the numbers' root mean square, at most {error.largest:.3g}"
        console.print(f"{column}: the codec's error is {said}", highlight=False)


def shortened(value: object) -> str:
    """Return a fact as a line that can be read."""
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def check_page(page: Path) -> None:
    """Refuse to write a page where one cannot lie, or over a file that is something else."""
    if page.suffix not in (".html", ".htm"):
        raise ConfigurationError("a name that ends in .html", f"--html {page}", "name another")
    if not page.parent.is_dir():
        raise ConfigurationError("a folder that is there", f"--html {page}: none", "make it, or name another")


def marked(example: Example, task: Task) -> Text:
    """Return a row in which every change is marked and followed by what it was."""
    line = Text(f"{example.id:016x} ", style="dim") if example.is_original else Text("  + ")
    for number in range(len(example.texts)):
        if number:
            line.append(" | ", style="dim")
        for mark in marks(example, number):
            if mark.note:
                line.append(f"[{mark.text}]", style="bold").append(f"({mark.note})", style="dim")
            else:
                line.append(mark.text)
    if example.is_original:
        label = printable(label_text(example, task))
        line.append(f"  label {label}" if label else "  no label", style="dim")
    return line
