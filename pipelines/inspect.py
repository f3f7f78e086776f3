"""Looking into a cache: its groups, its rows with changes marked, and whether every byte is what it was."""

from collections.abc import Iterator
from itertools import islice

from rich.table import Table
from rich.text import Text

from augment.candidates import PREFIX as CANDIDATES
from pipelines.families import families
from pipelines.printable import Terminal, printable
from pipelines.progress import size
from pipelines.run import Run, rows_group
from pipelines.verdict import label_text
from schemas import rows
from schemas.cache import Cache
from schemas.errors import IntegrityError
from schemas.example import MASKING, Example
from schemas.task import Task


def show_cache(run: Run, originals: int) -> None:
    """Print the groups of a cache, and the first originals with their copies."""
    rows_group(run.configuration)
    cache = Cache(run.configuration.cache_path)
    console = Terminal()
    table = Table("group", "rows", "shards", "size", "smallest to largest", title=str(cache.path))
    for group in cache.groups():
        manifest = group.manifest()
        ranges = "; ".join(f"{low:.4g} to {high:.4g}" for low, high in manifest.ranges.values())
        table.add_row(group.name, f"{manifest.rows:,}", str(len(manifest.shards)), size(manifest.bytes), ranges)
    console.print(table)
    for family in islice(families(cache), originals):
        for member in family:
            console.print(marked(member.example, run.configuration.task), soft_wrap=True)


def marked(example: Example, task: Task) -> Text:
    """Return a row in which every replaced word is marked and followed by what stood there."""
    line = Text(f"{example.id:016x} ", style="dim") if example.is_original else Text("  + ")
    for number, text in enumerate(example.texts):
        if number:
            line.append(" | ", style="dim")
        at = 0
        for change in sorted((c for c in example.changes if c.text == number), key=lambda c: c.start):
            line.append(printable(text[at : change.start]))
            line.append(f"[{printable(text[change.start : change.end])}]", style="bold")
            # Under a mask stands the original itself.
            note = change.source if change.source in MASKING else printable(change.original)
            line.append(f"({note})", style="dim")
            at = change.end
        line.append(printable(text[at:]))
    if example.is_original:
        label = printable(label_text(example, task))
        line.append(f"  label {label}" if label else "  no label", style="dim")
    return line


def verify_cache(run: Run) -> Iterator[str]:
    """Check every group; yield a line for each, raise `IntegrityError` at the end naming all that is wrong."""
    cache = Cache(run.configuration.cache_path)
    expected = [side.ids for side in rows_group(run.configuration).manifest().shards]
    problems: list[str] = []
    for group in cache.groups():
        try:
            manifest = group.manifest()
            for side in manifest.shards:
                group.read_shard(side)
                group.check_side(side)
            strangers = group.strangers(manifest)
        except IntegrityError as error:
            problems.append(f"{error.found} ({error.remedy})")
            continue
        problems += [f"{path}: in no manifest (delete it)" for path in strangers]
        whole = f"{group.name}: {manifest.rows:,} rows, {size(manifest.bytes)}"
        if not group.name.startswith(CANDIDATES) and [side.ids for side in manifest.shards] != expected:
            yield f"stale: {whole}: not the rows of `{rows.NAME}`; `distill teach` renews it if the recipe needs it"
        else:
            yield f"good: {whole}"
    try:
        cache.layout()
    except IntegrityError as error:
        problems.append(error.found)
    if problems:
        raise IntegrityError(
            "every byte as it was written",
            "; ".join(problems),
            "mend each as it says",
        )
