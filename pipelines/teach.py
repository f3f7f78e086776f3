"""The teach stage: every shard of rows is put to the teacher once; no row crosses a shuffle."""

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from distill.encoder import Encoder
from distill.keeping import keeping_of
from distill.needs import identity_of, wanted_groups
from distill.prepare import prepared
from distill.shape import ModelShape
from distill.teach import ShardTeacher, input_of, is_committed, settings_of, token_settings
from distill.tokens import Tokenizer
from pipelines.budget import check_budget
from pipelines.engine import Engine, ShardFunction, new_run
from pipelines.progress import Progress
from pipelines.volume import volume_of
from schemas import tokens
from schemas.answers import Answers, failures
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration, Teaching
from schemas.errors import QualityError
from schemas.group import Group
from schemas.manifest import SideFile
from schemas.rows import NAME as ROWS
from schemas.rows import is_masked
from schemas.signal import Signal
from schemas.task import Task
from schemas.work import Work, WorkLog


@dataclass(frozen=True)
class TeachWorker:
    """A process's teacher."""

    teacher: ShardTeacher

    def run(self, element: SideFile) -> tuple[int, Work]:
        """Teach one shard, known by its side file in the group `rows`."""
        return element.shard, self.teacher.teach(element)


@dataclass(frozen=True)
class TeachStage:
    """What a process needs to load the teacher."""

    cache: Path
    checkpoint: Path
    task: Task
    teaching: Teaching
    threads: int
    groups: tuple[Answers, ...]
    identity: dict[str, Any]
    masked: bool
    log: WorkLog

    def load(self) -> TeachWorker:
        """Load teacher and tokenizer, on an accelerator where there is one."""
        import torch

        torch.set_num_threads(self.threads)
        checkpoint = Checkpoint(self.checkpoint)
        encoder = Encoder.load_accelerated(checkpoint, self.task)
        tokenizer = Tokenizer.load(checkpoint, self.teaching.max_length)
        cache = Cache(self.cache)
        return TeachWorker(
            ShardTeacher(cache, encoder, tokenizer, self.groups, self.identity, self.teaching.batch_tokens, self.masked)
        )


def teach_shards(pipeline: beam.Pipeline, shards: Sequence[SideFile], stage: TeachStage) -> None:
    """Wire the graph: side files of the rows, `Reshuffle`, one `ParDo`."""
    _ = pipeline | beam.Create(shards, reshuffle=False) | beam.Reshuffle() | beam.ParDo(ShardFunction(stage))


def teach(
    configuration: Configuration,
    checkpoint: Checkpoint,
    shape: ModelShape,
    signals: Collection[Signal],
    engine: Engine,
    check: Callable[[], None],
) -> dict[str, int]:
    """Write the groups that hold the signals; return how many rows were asked and copied.

    `check` is called before a teacher is asked anything. Raises `ResourceError` for answers over the budget,
    `QualityError` where more rows than allowed have no usable one.
    """
    cache = Cache(configuration.cache_path)
    rows = cache.group(ROWS).manifest()
    identity = identity_of(checkpoint, configuration.teach, configuration.workers.threads)
    group = cache.group(ROWS)
    tokenizer = Tokenizer.load(checkpoint, configuration.teach.max_length)
    volume = functools.cache(partial(volume_of, cache, rows, tokenizer, configuration.teach))
    keeping = keeping_of(configuration.teach, checkpoint, shape, signals, lambda: volume().lengths)
    groups = tuple(wanted_groups(cache, signals, shape, keeping, identity))
    masked = any(is_masked(group.read_shard(side)) for side in rows.shards)
    log = WorkLog(cache.path.resolve() / "work" / "teach", new_run())
    stage = TeachStage(
        cache=cache.path.resolve(),
        checkpoint=checkpoint.path.resolve(),
        task=configuration.task,
        teaching=configuration.teach,
        threads=configuration.workers.threads,
        groups=groups,
        identity=identity,
        masked=masked,
        log=log,
    )
    token_group = cache.group(tokens.name(checkpoint.tokenizer_fingerprint, configuration.teach.max_length))
    ids = (token_group, token_settings(identity, masked=masked))
    left = [side for side in rows.shards if not is_taught(side, cache, ids, groups, identity)]
    entries: list[dict] = []
    if left:
        check_budget(configuration.teach, groups, volume())
        check()
        if any(answers.wants_affine or answers.wants_weights for answers in groups):
            groups = prepared(stage.load().teacher, rows.shards)
            stage = replace(stage, groups=groups)
        progress = Progress("teach", len(left), "shards")
        entries = engine.run(lambda pipeline: teach_shards(pipeline, left, stage), log, progress)
    publish(cache, ids, configuration.teach, groups, identity, len(rows.shards))
    return {key: sum(entry[key] for entry in entries) for key in ("asked", "copied")}


def is_taught(
    side: SideFile,
    cache: Cache,
    ids: tuple[Group, dict[str, Any]],
    groups: tuple[Answers, ...],
    identity: dict[str, Any],
) -> bool:
    """Whether a shard's tokens and answers are all there, made from just its rows.

    `ids` is the token group with its settings.
    """
    wanted = [
        ids,
        *((cache.group(each.name), settings_of(each, identity)) for each in groups),
    ]
    return all(is_committed(group, side.shard, input_of(settings, side)) for group, settings in wanted)


def publish(
    cache: Cache,
    ids: tuple[Group, dict[str, Any]],
    teaching: Teaching,
    groups: tuple[Answers, ...],
    identity: dict[str, Any],
    shards: int,
) -> None:
    """Write the manifests of the token group and of the groups of answers."""
    token_group, settings = ids
    token_group.publish_manifest(settings, shards)
    kept = [cache.group(each.name).publish_manifest(settings_of(each, identity), shards) for each in groups]
    for manifest in kept:
        failed = failures(manifest.accounting)
        if failed > teaching.max_failed * manifest.rows:
            counts = {key.replace("_", " "): count for key, count in manifest.accounting.items() if key != "rows"}
            said = ", ".join(f"{count:,} {key}" for key, count in counts.items() if count)
            raise QualityError(
                f"at most {teaching.max_failed:.2%} of the rows without a usable answer",
                f"{manifest.group}: {failed:,} of {manifest.rows:,}: {said}",
                "set teach.codec=bf16 or f32 for what overflows, teach.longer=cut for what is too long, or raise "
                "teach.max_failed to train without those rows",
            )
