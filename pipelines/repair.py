"""Repairing a cache: what is bad and can be made anew is, with the same bytes; all else is left as it is, and said."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from schemas.manifest import Manifest
from schemas.store import names_in, remove, stored_bytes, write_bytes


def repair(run: Run) -> Iterator[str]:
    """Remove what is bad, make it anew from what is good, and check again.

    A shard is a function of its rows and the settings that its manifest names, so only what is bad is made again, and
    only by a teacher of the configuration that wrote it; `IntegrityError` names what is left. Nothing is done
    where a later version wrote some group, which is `NewerFormatError`: who knows what that one needs of the others.
    """
    findings = Findings()
    for _ in check(run, findings):
        pass
    findings.refuse_newer()
    if not findings.problems:
        yield "nothing to repair"
        return
    for path in (path for path in findings.strangers if OURS.fullmatch(path.name)):
        remove(path)
        yield f"removed: {path}: in no manifest"
    cache = Cache(run.configuration.cache_path)
    if findings.layout:
        group = cache.group(rows.NAME)
        # Read as it stands: how many shards there are it says also where one of them is not there.
        shards = len(Manifest.read(group.manifest_path(), group.remedy).shards)
        remove(cache.path / "cache.json")
        cache.choose_layout(run.configuration.name, 0, shards)
        yield "written again: cache.json"
    for group in findings.unopened:
        group.write_dataset_files(group.manifest())
        yield f"written again: {group.name}: what `datasets` opens it by"
    yield from remake_rows(run, findings)
    with set_aside([group for group in findings.unreadable if not is_of_rows(group)]):
        yield from reteach(run, findings)
    yield from verify(run)


def remake_rows(run: Run, findings: Findings) -> Iterator[str]:
    """Make bad shards of rows and candidates anew."""
    bad = [(group, shard) for group, shard in findings.bad if is_of_rows(group)]
    unreadable = [group for group in findings.unreadable if is_of_rows(group)]
    # One shard file that is not there makes a group unreadable, and augment refuses it for as long as a note names it.
    bad += [(group, shard) for group in unreadable for shard in damaged(group)]
    for group, shard in bad:
        group.forget(shard)
        yield f"removed: {group.name}: shard {shard}"
    for group in unreadable:
        remove(group.manifest_path())
        yield f"removed: {group.name}: its manifest"
    if bad or unreadable:
        run.augment()


@contextmanager
def set_aside(groups: Sequence[Group]) -> Iterator[None]:
    """Take manifests that cannot be read out of the way; those that nothing was written for are put back."""
    saved = {group: stored_bytes(group.manifest_path()) for group in groups if group.is_published()}
    try:
        for group in saved:
            remove(group.manifest_path())
        yield
    finally:
        for group, content in saved.items():
            if not group.is_published():
                write_bytes(group.manifest_path(), content)


def reteach(run: Run, findings: Findings) -> Iterator[str]:
    """Teach bad shards of tokens and answers anew, as their manifests say that they were taught.

    Where a manifest cannot be read, the configuration may say it; groups that it does not write are left as they are.
    What a teacher is asked for at once decides which kernels run, so groups of one codec are asked for together, as
    they were when they were written.
    """
    bad: dict[str, list[int]] = {}
    for group, shard in findings.bad:
        if not is_of_rows(group):
            bad.setdefault(group.name, []).append(shard)
    weightless = {group.name for group in findings.weightless}
    unreadable = {group.name for group in findings.unreadable if not is_of_rows(group)}
    lost = {*bad, *weightless, *unreadable}
    if not lost:
        return
    cache, teach = Cache(run.configuration.cache_path), beam_module("teach")
    wanted = {}
    if unreadable:
        wanted = teach.groups_wanted(run.configuration, run.teachers, run.columns(run.recipe()))
    for name, identity in run.teachers.identities.items():
        written = [
            replace(answers, weights=()) if answers.name in weightless else answers
            for manifest, answers in teacher_groups(cache, name)
            if not differences(manifest, answers, answers.codec, identity)
        ]
        written += [answers for answers in wanted.get(name, ()) if answers.name in unreadable]
        ids = tokens.name(identity["tokenizer"], identity["max_length"])
        remade = {ids, *(answers.name for answers in written)} & lost
        codecs = {answers.codec for answers in written if answers.name in remade and not answers.family.exact}
        for group_name in sorted(remade):
            group = cache.group(group_name)
            if group_name in unreadable:
                yield f"lost: {group_name}: its manifest"
            for shard in damaged(group) if group_name in unreadable else bad.get(group_name, []):
                group.forget(shard)
                yield f"removed: {group_name}: shard {shard}"
        for codec in sorted(codecs or {run.configuration.teach.codec} if remade else ()):
            together = tuple(answers for answers in written if answers.family.exact or answers.codec is codec)
            teach.teach_again(run.configuration, run.teachers, name, together, run.engine())


def damaged(group: Group) -> list[int]:
    """Return the shards of a group without a good manifest whose files are not what their side files say."""
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
