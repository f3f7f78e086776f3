"""Verifying a cache: every byte as it was written, every row with the id of its texts."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augment.candidates import PREFIX as CANDIDATES
from pipelines.made_rows import rows_group
from pipelines.progress import size
from pipelines.run import Run
from schemas import rows, tokens
from schemas.answers import Answers
from schemas.cache import Cache
from schemas.errors import IntegrityError, NewerFormatError
from schemas.example import MASKING, Example, copy_id
from schemas.group import Group
from schemas.lengths import Lengths
from schemas.manifest import Manifest, SideFile

if TYPE_CHECKING:
    from distill.packed import PackedReader

OURS = re.compile(r"\d{5}(-[0-9a-f]{32})?\.(json|arrow)")
"""Names that files of a group can have: others are somebody else's, and are left to them."""


@dataclass
class Findings:
    """What is wrong with a cache: sentences, files that no manifest names, and shards that are to be made anew."""

    problems: list[str] = field(default_factory=list)
    strangers: list[Path] = field(default_factory=list)
    bad: list[tuple[Group, int]] = field(default_factory=list)
    unreadable: list[Group] = field(default_factory=list)


def verify(run: Run) -> Iterator[str]:
    """Check every group; yield a line for each, raise `IntegrityError` at the end naming all that is wrong."""
    findings = Findings()
    yield from check(run, findings)
    if findings.problems:
        raise IntegrityError(
            "every byte as it was written", "; ".join(findings.problems), "mend each as it says, or add --repair"
        )


def repair(run: Run) -> Iterator[str]:
    """Remove what is bad, make it anew from what is good, and check again.

    A shard is a function of its rows and the settings, so only what is bad is made again, with the same bytes.
    """
    findings = Findings()
    for _ in check(run, findings):
        pass
    if not findings.problems:
        yield "nothing to repair"
        return
    for path in (path for path in findings.strangers if OURS.fullmatch(path.name)):
        path.unlink()
        yield f"removed: {path}: in no manifest"
    for group, shard in findings.bad:
        group.forget(shard)
        yield f"removed: {group.name}: shard {shard}"
    for group in findings.unreadable:
        group.manifest_path().unlink(missing_ok=True)
        yield f"removed: {group.name}: its manifest"
    run.augment()
    run.teach()
    yield from verify(run)


def check(run: Run, findings: Findings) -> Iterator[str]:
    """Check every group; yield a line for each that is whole."""
    cache = Cache(run.configuration.cache_path)
    try:
        layout = cache.layout()
    except IntegrityError as error:
        findings.problems.append(error.found)
        return
    expected = expected_ids(run)
    for group in cache.groups():
        try:
            manifest = group.manifest()
            group.check_weights(manifest)
            strangers = group.strangers(manifest)
        except NewerFormatError:
            raise
        except IntegrityError as error:
            findings.problems.append(f"{error.found} ({error.remedy})")
            findings.unreadable.append(group)
            findings.bad += damaged(group)
            continue
        findings.strangers += strangers
        findings.problems += [f"{path}: in no manifest (delete it)" for path in strangers]
        wrong = list(faults(cache, group, manifest, layout.data_set if layout else ""))
        findings.bad += [(group, shard) for shard, _ in wrong]
        findings.problems += [problem for _, problem in wrong]
        if wrong or strangers:
            continue
        whole = f"{group.name}: {manifest.rows:,} rows, {size(manifest.bytes)}"
        if not group.name.startswith(CANDIDATES) and manifest.ids != expected:
            yield f"stale: {whole}: not the rows of `{rows.NAME}`; `distill teach` renews it if the recipe needs it"
        else:
            yield f"good: {whole}"


def expected_ids(run: Run) -> list[str] | None:
    """Return the rows that all groups should have, `None` where nobody can tell."""
    try:
        return rows_group(run.configuration).manifest().ids
    except IntegrityError:
        return None


def damaged(group: Group) -> Iterator[tuple[Group, int]]:
    """Yield the shards of a group without a manifest whose files are not what their side files say."""
    for path in sorted(group.path.glob("[0-9]*.json")):
        try:
            side = SideFile.read(path, group.remedy)
            group.check_content(side)
        except IntegrityError:
            yield group, int(path.stem)


def faults(cache: Cache, group: Group, manifest: Manifest, data_set: str) -> Iterator[tuple[int, str]]:
    """Yield every shard that is not as it was written, or does not say what it should, and what is wrong."""
    reader = reader_of(cache, group, manifest)
    for side in manifest.shards:
        try:
            table = group.read_shard(side)
            group.check_side(side)
            if group.name == rows.NAME:
                check_ids(group, side, rows.examples(table), data_set)
            elif reader is not None:
                reader.open(side.shard)
        except IntegrityError as error:
            yield side.shard, f"{error.found} ({error.remedy})"


def check_ids(group: Group, side: SideFile, examples: Iterable[Example], data_set: str) -> None:
    """Refuse rows whose ids are not those of their texts."""
    for place, example in enumerate(examples):
        if example.is_original:
            masks = tuple(change for change in example.changes if change.source in MASKING)
            expected = Example.original(data_set, example.texts, example.label, example.spans, masks).id
        else:
            expected = copy_id(example.origin, example.strategy, example.texts, example.masks)
        if expected != example.id:
            where = f"{group.path / side.file}: row {place}: id {example.id:016x}"
            raise IntegrityError(f"the id of its texts, {expected:016x}", where, group.remedy_for(side))


def reader_of(cache: Cache, group: Group, manifest: Manifest) -> "PackedReader | None":
    """Return a reader of a group of answers, which refuses rows of more or fewer numbers than their tokens ask for.

    There is none where the tokens of just these rows are not there, or damaged, which is said of them.
    """
    from distill.packed import PackedReader

    if "family" not in manifest.settings:
        return None
    beside = cache.group(tokens.name(manifest.settings["tokenizer"], manifest.settings["max_length"]))
    if not beside.manifest_path().exists():
        return None
    try:
        encoded = beside.manifest()
        lengths = [Lengths.of_table(beside.read_shard(side)) for side in encoded.shards]
    except IntegrityError:
        return None
    if encoded.ids != manifest.ids:
        return None
    at = Answers.of(manifest.settings).family.at
    return PackedReader(group, np.concatenate([each.at(at) for each in lengths]))
