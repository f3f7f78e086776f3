"""Verifying against the teacher: whether it still says what a cache holds."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from distill.ask_again import Compared, ask_again
from distill.encoder import Encoder
from distill.needs import differences, teacher_groups
from distill.teach import ShardTeacher
from distill.tokens import Tokenizer
from pipelines.made_rows import rows_group
from pipelines.run import Run
from schemas import rows
from schemas.cache import Cache
from schemas.errors import ConfigurationError, IntegrityError


def verify_live(run: Run, count: int, seed: int) -> Iterator[str]:
    """Ask the teacher again for rows drawn with a seed; raise `IntegrityError` where it says what the cache has not."""
    if run.known_identity() is None:
        found = f"none in {run.configuration.teacher}"
        raise ConfigurationError("the teacher, to ask it again", found, "leave --live out")
    for name in run.teachers.checkpoints:
        yield from verify_teacher(run, name, count, seed)


def verify_teacher(run: Run, teacher_name: str, count: int, seed: int) -> Iterator[str]:
    """Ask one teacher, known by its name."""
    configuration, cache = run.configuration, Cache(run.configuration.cache_path)
    group, identity, checkpoint = (
        rows_group(configuration),
        run.teachers.identities[teacher_name],
        run.teachers.checkpoints[teacher_name],
    )
    manifest = group.manifest()
    groups = tuple(
        answers
        for found, answers in teacher_groups(cache, teacher_name)
        if found.ids == manifest.ids and not differences(found, answers, answers.codec, identity)
    )
    if not groups:
        raise IntegrityError(
            "answers of this teacher for the rows that are there",
            f"none in {cache.path}",
            "run `distill teach` with this configuration",
        )
    signals = [signal for answers in groups for signal in answers.asked]
    teacher = ShardTeacher(
        cache,
        Encoder.load_accelerated(checkpoint, configuration.task, signals),
        Tokenizer.load(checkpoint, configuration.teach.max_length),
        groups,
        identity,
        configuration.teach.batch_tokens,
        rows.has_masks(group),
    )
    worst: dict[str, Compared] = {}
    asked = Counter[str]()
    for found in ask_again(teacher, manifest.shards, count, np.random.default_rng(seed)):
        name = found.answers.name
        asked[name] += 1
        worst[name] = max(worst.get(name, found), found, key=lambda each: each.excess)
    if not worst:
        yield f"live: {teacher_name}: none of the rows that were drawn (seed {seed}) has an answer to compare"
    for name, found in worst.items():
        yield f"live: {name}: {asked[name]} rows (seed {seed}), at most {found.excess:.0%} of what may differ"
    others = [f"{name}: shard {found.shard}: row {found.row}" for name, found in worst.items() if not found.excess <= 1]
    if others:
        raise IntegrityError(
            "what the teacher says now, but for what the codec rounds",
            "; ".join(others),
            "if these files were written on another kind of device or by other versions, teach with those; else "
            "delete the group and run `distill teach` again",
        )
