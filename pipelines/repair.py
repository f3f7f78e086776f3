"""Repairing a cache: what is bad and can be made anew is, with the same bytes; all else is left as it is, and said."""

from collections.abc import Iterator
from dataclasses import replace

from augment.candidates import PREFIX as CANDIDATES
from distill.needs import differences, teacher_groups
from pipelines.beam_module import beam_module
from pipelines.run import Run
from pipelines.verify import OURS, Findings, check, verify
from schemas import rows, tokens
from schemas.cache import Cache
from schemas.errors import IntegrityError
from schemas.group import Group
from schemas.store import names_in, remove, stored_bytes, write_bytes


def repair(run: Run) -> Iterator[str]:
    """Remove what is bad, make it anew from what is good, and check again.

    A shard is a function of its rows and the settings that its manifest names, so only what is bad is made again, and
    only by a teacher of the configuration that wrote it; `IntegrityError` names what is left.
    """
    findings = Findings()
    for _ in check(run, findings):
        pass
    if not findings.problems:
        yield "nothing to repair"
        return
    for path in (path for path in findings.strangers if OURS.fullmatch(path.name)):
        remove(path)
        yield f"removed: {path}: in no manifest"
    cache = Cache(run.configuration.cache_path)
    if findings.layout:
        remove(cache.path / "cache.json")
        shards = len(cache.group(rows.NAME).manifest().shards)
        cache.choose_layout(run.configuration.name, 0, shards)
        yield "written again: cache.json"
    for group in findings.unopened:
        group.write_dataset_files(group.manifest())
        yield f"written again: {group.name}: what `datasets` opens it by"
    yield from remake_rows(run, findings)
    yield from reteach(run, findings)
    yield from without_manifests(run, findings)
    yield from verify(run)


def remake_rows(run: Run, findings: Findings) -> Iterator[str]:
    """Make bad shards of rows and candidates anew."""
    bad = [(group, shard) for group, shard in findings.bad if is_of_rows(group)]
    for group, shard in bad:
        group.forget(shard)
        yield f"removed: {group.name}: shard {shard}"
    unreadable = [group for group in findings.unreadable if is_of_rows(group)]
    for group in unreadable:
        remove(group.manifest_path())
        yield f"removed: {group.name}: its manifest"
    if bad or unreadable:
        run.augment()


def reteach(run: Run, findings: Findings) -> Iterator[str]:
    """Teach bad shards of tokens and answers anew, as their manifests say that they were taught.

    What a teacher is asked for at once decides which kernels run, so groups of one codec are asked for together, as
    they were when they were written.
    """
    bad: dict[str, list[int]] = {}
    for group, shard in findings.bad:
        if not is_of_rows(group):
            bad.setdefault(group.name, []).append(shard)
    lost = {group.name for group in findings.weightless}
    if not bad and not lost:
        return
    cache, teach = Cache(run.configuration.cache_path), beam_module("teach")
    for name, identity in run.teachers.identities.items():
        written = [
            replace(answers, weights=()) if answers.name in lost else answers
            for manifest, answers in teacher_groups(cache, name)
            if not differences(manifest, answers, answers.codec, identity)
        ]
        ids = tokens.name(identity["tokenizer"], identity["max_length"])
        remade = {ids, *(answers.name for answers in written)} & {*bad, *lost}
        codecs = {answers.codec for answers in written if answers.name in remade and not answers.family.exact}
        for group_name in sorted(remade):
            for shard in bad.get(group_name, []):
                cache.group(group_name).forget(shard)
                yield f"removed: {group_name}: shard {shard}"
        for codec in sorted(codecs or {run.configuration.teach.codec} if remade else ()):
            together = tuple(answers for answers in written if answers.family.exact or answers.codec is codec)
            teach.teach_again(run.configuration, run.teachers, name, together, run.engine())


def without_manifests(run: Run, findings: Findings) -> Iterator[str]:
    """Write manifests anew of groups that this configuration writes; those of others are left as they are."""
    groups = [group for group in findings.unreadable if not is_of_rows(group)]
    if not groups:
        return
    saved = {group: stored_bytes(group.manifest_path()) for group in groups if group.is_published()}
    for group in groups:
        remove(group.manifest_path())
    teach = beam_module("teach")
    written = teach.names_written(run.configuration, run.teachers, run.columns(run.recipe()))
    for group in groups:
        if group.name in written:
            yield f"{'removed' if group in saved else 'missing'}: {group.name}: its manifest"
            for shard in damaged(group):
                group.forget(shard)
                yield f"removed: {group.name}: shard {shard}"
        elif group in saved:
            write_bytes(group.manifest_path(), saved[group])
    if any(group.name in written for group in groups):
        run.teach()


def damaged(group: Group) -> list[int]:
    """Return the shards of a group without a manifest whose files are not what their side files say."""
    found: list[int] = []
    for stem in (name.removesuffix(".json") for name in names_in(group.path)):
        try:
            if stem.isdigit():
                group.committed(int(stem))
        except IntegrityError:
            found.append(int(stem))
    return found


def is_of_rows(group: Group) -> bool:
    """Whether augment writes a group."""
    return group.name == rows.NAME or group.name.startswith(CANDIDATES)
