"""The teach stage: every shard of rows is put to the teacher once; no row crosses a shuffle."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam

from distill.encoder import Encoder
from distill.needs import identity_of, wanted_groups
from distill.shape import ModelShape
from distill.teach import ShardTeacher
from distill.tokens import Tokenizer
from pipelines.engine import Engine, ShardFunction, new_run
from pipelines.progress import Progress
from schemas import tokens
from schemas.answers import Answers
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration, Teaching
from schemas.errors import QualityError
from schemas.rows import NAME as ROWS
from schemas.signal import Signal
from schemas.task import Task
from schemas.work import Work, WorkLog


@dataclass(frozen=True)
class TeachWorker:
    """A process's teacher."""

    teacher: ShardTeacher

    def run(self, element: int) -> tuple[int, Work]:
        """Teach one shard."""
        return element, self.teacher.teach(element)


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
    log: WorkLog

    def load(self) -> TeachWorker:
        """Load teacher and tokenizer, on an accelerator where there is one."""
        import torch

        torch.set_num_threads(self.threads)
        checkpoint = Checkpoint(self.checkpoint)
        encoder = Encoder.load(checkpoint, self.task)
        encoder.model.to("cuda" if torch.cuda.is_available() else "cpu")
        tokenizer = Tokenizer.load(checkpoint, self.teaching.max_length)
        cache = Cache(self.cache)
        return TeachWorker(
            ShardTeacher(cache, encoder, tokenizer, self.groups, self.identity, self.teaching.batch_tokens)
        )


def teach_shards(pipeline: beam.Pipeline, shards: Sequence[int], stage: TeachStage) -> None:
    """Wire the graph: numbers of shards, `Reshuffle`, one `ParDo`."""
    _ = pipeline | beam.Create(shards, reshuffle=False) | beam.Reshuffle() | beam.ParDo(ShardFunction(stage))


def teach(
    configuration: Configuration,
    checkpoint: Checkpoint,
    shape: ModelShape,
    signals: Collection[Signal],
    engine: Engine,
) -> dict[str, int]:
    """Write the groups that hold the signals; return how many rows were asked and copied.

    Raises `QualityError` where more rows than allowed have no usable answer.
    """
    cache = Cache(configuration.cache_path)
    rows = cache.group(ROWS).manifest()
    identity = identity_of(checkpoint, configuration.teach, configuration.workers.threads)
    groups = tuple(wanted_groups(cache, signals, shape, configuration.teach.codec, identity))
    log = WorkLog(cache.path / "work" / "teach", new_run())
    stage = TeachStage(
        cache=cache.path,
        checkpoint=checkpoint.path,
        task=configuration.task,
        teaching=configuration.teach,
        threads=configuration.workers.threads,
        groups=groups,
        identity=identity,
        log=log,
    )
    shards = range(len(rows.shards))
    entries = engine.run(
        lambda pipeline: teach_shards(pipeline, shards, stage),
        log,
        Progress("teach", len(shards), "shards"),
    )
    publish(cache, checkpoint, configuration.teach, groups, identity, len(shards))
    return {key: sum(entry[key] for entry in entries) for key in ("asked", "copied")}


def publish(
    cache: Cache, checkpoint: Checkpoint, teaching: Teaching, groups: tuple[Answers, ...], identity: dict, shards: int
) -> None:
    """Write the manifests of the token group and of the groups of answers."""
    tokenizer = {"tokenizer": checkpoint.tokenizer_fingerprint, "max_length": teaching.max_length}
    group = cache.group(tokens.name(checkpoint.tokenizer_fingerprint, teaching.max_length))
    group.publish_manifest(tokenizer, shards)
    failed = rows = 0
    for answers in groups:
        manifest = cache.group(answers.name).publish_manifest({**identity, **answers.settings()}, shards)
        failed, rows = max(failed, manifest.accounting.get("not_finite", 0)), manifest.rows
    if failed > teaching.max_failed * rows:
        raise QualityError(
            f"at most {teaching.max_failed:.2%} of the rows without a finite answer that fits `{teaching.codec}`",
            f"{failed:,} of {rows:,}",
            "set teach.codec=f32, or raise teach.max_failed to train without those rows",
        )
