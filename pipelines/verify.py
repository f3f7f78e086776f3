"""Verifying a cache: every byte as it was written, every row with the id of its texts."""

import re
from collections.abc import Iterable, Iterator, Sequence
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
    """What is wrong with a cache: sentences, and by what would have to be made anew.

    `strangers` are files that no manifest names; `bad` shards; groups are `unreadable` without a good manifest, be it
    that all of them is gone, `weightless` without the teacher's weights that they need, `unopened` without what
    `datasets` opens them by. `newer` says of groups of a later version what is not known here.
    """

    problems: list[str] = field(default_factory=list)
    strangers: list[Path] = field(default_factory=list)
    bad: list[tuple[Group, int]] = field(default_factory=list)
    unreadable: list[Group] = field(default_factory=list)
    weightless: list[Group] = field(default_factory=list)
    unopened: list[Group] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)
    layout: bool = False

    def refuse_newer(self) -> None:
        """Refuse groups that a later version wrote."""
        if self.newer:
            found = "; ".join(self.newer)
            raise NewerFormatError("groups that this version can check", found, "upgrade offline-distill")


def verify(run: Run) -> Iterator[str]:
    """Check every group; yield a line for each.

    At the end raises `IntegrityError` naming all that is wrong, or else `NewerFormatError` what is of a later version.
    """
    findings = Findings()
    yield from check(run, findings)
    if findings.problems:
        raise IntegrityError(
            "every byte as it was written", "; ".join(findings.problems), "mend each as it says, or add --repair"
        )
    findings.refuse_newer()


def check(run: Run, findings: Findings) -> Iterator[str]:
    """Check every group; yield a line for each that is whole, or of a later version."""
    cache = Cache(run.configuration.cache_path)
    check_layout(cache, findings)
    expected, known = expected_ids(run), run.known_fingerprints()
    groups = cache.folders()
    for group in groups:
        try:
            manifest = group.manifest()
            group.let_go(manifest)
            wrong = list(faults(cache, group, manifest, run.configuration.name))
        except IntegrityError as error:
            findings.problems.append(f"{error.found} ({error.remedy})")
            findings.unreadable.append(group)
            continue
        except NewerFormatError as error:
            # It may be good, as may files beside it that are strangers to us.
            findings.newer.append(f"{group.name}: {error.found}")
            yield f"newer: {findings.newer[-1]}"
            continue
        check_tokens(token_group(cache, manifest), group, groups, findings)
        before = len(findings.problems)
        check_beside(group, manifest, findings)
        findings.bad += [(group, shard) for shard, _ in wrong]
        findings.problems += [problem for _, problem in wrong]
        if len(findings.problems) > before:
            continue
        whole = f"{group.name}: {manifest.rows:,} rows, {size(manifest.bytes)}"
        teacher, fingerprint = (manifest.settings.get(key) for key in ("teacher", "fingerprint"))
        if expected is not None and not group.name.startswith(CANDIDATES) and manifest.ids != expected:
            yield f"stale: {whole}: not the rows of `{rows.NAME}`; `distill teach` renews it if the recipe needs it"
        elif teacher in known and known[teacher] != fingerprint:
            yield f"stale: {whole}: not the `{teacher}` that is configured; `distill teach` renews it if it is needed"
        else:
            yield f"good: {whole}"


def check_layout(cache: Cache, findings: Findings) -> None:
    """Find a layout that is not there or not what was written."""
    try:
        if cache.layout() is None:
            raise IntegrityError("the layout", f"{cache.path / 'cache.json'}: missing", "run `distill augment` again")
    except IntegrityError as error:
        findings.problems.append(f"{error.found} ({error.remedy})")
        findings.layout = True


def check_tokens(ids: Group | None, group: Group, groups: Sequence[Group], findings: Findings) -> None:
    """Find token ids of which nothing is left, although there is a group of answers that was asked with them."""
    if ids is None or ids in groups or ids in findings.unreadable:
        return
    remedy = f"run `distill teach` as {group.name} was taught: no row that has an answer is asked again"
    findings.problems.append(f"{ids.path}: missing, the token ids of {group.name} ({remedy})")
    findings.unreadable.append(ids)


def check_beside(group: Group, manifest: Manifest, findings: Findings) -> None:
    """Find what is wrong beside a group's shards: files that it does not know, or those that it needs."""
    strangers = group.strangers(manifest)
    findings.strangers += strangers
    findings.problems += [f"{path}: in no manifest (delete it)" for path in strangers]
    if not group.has_dataset_files(manifest):
        findings.unopened.append(group)
        findings.problems.append(f"{group.path}: state.json or dataset_info.json is another (`datasets` wants them)")
    try:
        group.check_weights(manifest)
    except IntegrityError as error:
        findings.weightless.append(group)
        findings.problems.append(f"{error.found} ({error.remedy})")


def expected_ids(run: Run) -> list[str] | None:
    """Return the rows that all groups should have, `None` where nobody can tell.

    Raises `ConfigurationError` where nothing was written of them.
    """
    cache = Cache(run.configuration.cache_path)
    group = cache.group(rows.NAME)
    try:
        return (group if group in cache.folders() else rows_group(run.configuration)).manifest().ids
    except (IntegrityError, NewerFormatError):
        return None


def faults(cache: Cache, group: Group, manifest: Manifest, data_set: str) -> Iterator[tuple[int, str]]:
    """Yield every shard that is not as it was written, or does not say what it should, and what is wrong.

    Raises `NewerFormatError` where a later version wrote the group, or one of its shards.
    """
    reader = reader_of(cache, group, manifest)
    for side in manifest.shards:
        try:
            if reader is not None:
                reader.open(side.shard)
            else:
                table = group.read_shard(side)
                if group.name == rows.NAME:
                    check_ids(group, side, rows.examples(table), data_set)
            group.check_side(side)
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


def token_group(cache: Cache, manifest: Manifest) -> Group | None:
    """Return the group of the token ids that answers were asked with, `None` for a group of something else."""
    if "family" not in manifest.settings:
        return None
    return cache.group(tokens.name(manifest.settings["tokenizer"], manifest.settings["max_length"]))


def reader_of(cache: Cache, group: Group, manifest: Manifest) -> "PackedReader | None":
    """Return a reader of a group of answers, which refuses rows of more or fewer numbers than their tokens ask for.

    There is none where the tokens of just these rows are not there, damaged or of a later version, which is said of
    them. Raises `NewerFormatError` for a group that a later version added.
    """
    from distill.packed import PackedReader

    beside = token_group(cache, manifest)
    if beside is None:
        return None
    at = Answers.of(manifest.settings).family.at
    if not beside.is_published():
        return None
    try:
        encoded = beside.manifest()
        lengths = [Lengths.of_table(beside.read_shard(side)) for side in encoded.shards]
    except (IntegrityError, NewerFormatError):
        return None
    if encoded.ids != manifest.ids:
        return None
    return PackedReader(group, np.concatenate([each.at(at) for each in lengths]))
