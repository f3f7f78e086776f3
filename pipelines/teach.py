"""The teach stage: every shard of rows is put to the teacher once; no row crosses a shuffle."""

import functools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apache_beam as beam

from distill.encoder import Encoder
from distill.keeping import keeping_of
from distill.needs import wanted_groups
from distill.prepare import prepared
from distill.teach import ShardTeacher, input_of, is_committed, settings_of, token_settings
from distill.teachers import Teachers, by_teacher
from distill.tokens import Tokenizer
from pipelines.budget import check_budget
from pipelines.engine import Engine, ShardFunction, new_run
from pipelines.progress import Progress
from pipelines.volume import Volume, volume_of
from schemas import tokens
from schemas.answers import Answers, failures
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration, Teaching
from schemas.errors import QualityError
from schemas.group import Group
from schemas.manifest import Manifest, SideFile
from schemas.rows import NAME as ROWS
from schemas.rows import is_masked
from schemas.signal import Column, Signal
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
    """One teacher, known by its name, and what it is asked for: what a process needs to load it."""

    name: str
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
        signals = [signal for answers in self.groups for signal in answers.asked]
        encoder = Encoder.load_accelerated(checkpoint, self.task, signals)
        tokenizer = Tokenizer.load(checkpoint, self.teaching.max_length)
        cache = Cache(self.cache)
        return TeachWorker(
            ShardTeacher(cache, encoder, tokenizer, self.groups, self.identity, self.teaching.batch_tokens, self.masked)
        )

    def prepared(self, rows: Manifest) -> "TeachStage":
        """Return the stage whose groups have all that is taken from the teacher once."""
        if not any(answers.wants_affine or answers.wants_weights for answers in self.groups):
            return self
        return replace(self, groups=prepared(self.load().teacher, rows.shards))

    @property
    def written(self) -> list[tuple[Group, dict[str, Any]]]:
        """The groups that the stage writes, with their settings: token ids, and answers."""
        cache = Cache(self.cache)
        ids = cache.group(tokens.name(self.identity["tokenizer"], self.teaching.max_length))
        answers = ((cache.group(each.name), settings_of(each, self.identity)) for each in self.groups)
        return [(ids, token_settings(self.identity, masked=self.masked)), *answers]

    def left(self, rows: Manifest) -> list[SideFile]:
        """Return the shards of which something is not there, or was made from other rows or settings."""
        written = self.written
        return [
            side
            for side in rows.shards
            if not all(is_committed(group, side.shard, input_of(settings, side)) for group, settings in written)
        ]

    def publish(self, shards: int) -> None:
        """Write the manifests; raises `QualityError` where more rows than allowed have no usable answer."""
        kept = [group.publish_manifest(settings, shards) for group, settings in self.written]
        teaching = self.teaching
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


def teach_shards(pipeline: beam.Pipeline, shards: Sequence[SideFile], stage: TeachStage) -> None:
    """Wire the graph: side files of the rows, `Reshuffle`, one `ParDo`."""
    _ = pipeline | beam.Create(shards, reshuffle=False) | beam.Reshuffle() | beam.ParDo(ShardFunction(stage))


def teach(
    configuration: Configuration,
    teachers: Teachers,
    columns: Collection[Column],
    engine: Engine,
    check: Callable[[str], None],
) -> dict[str, int]:
    """Write the groups that hold the columns, teacher by teacher; return how many rows were asked and copied.

    `check` is called with a teacher's name before it is asked anything. Raises `ResourceError` for answers over the
    budget, `QualityError` where more rows than allowed have no usable one.
    """
    cache = Cache(configuration.cache_path)
    rows = cache.group(ROWS).manifest()
    tokenizer = Tokenizer.load(teachers.own, configuration.teach.max_length)
    volume = functools.cache(lambda: volume_of(cache, rows, tokenizer, configuration.teach))
    masked = any(is_masked(cache.group(ROWS).read_shard(side)) for side in rows.shards)
    # The run's own teacher gives the rows their token ids even where nothing is asked of it.
    asked = {configuration.teacher_name: set[Signal](), **by_teacher(columns)}
    stages = [stage_of(configuration, teachers, name, signals, volume, masked) for name, signals in asked.items()]
    if configuration.teach.budget is not None and any(stage.left(rows) for stage in stages):
        check_budget(configuration.teach, [answers for stage in stages for answers in stage.groups], volume())
    work = Counter[str]()
    for stage in stages:
        if left := stage.left(rows):
            check(stage.name)
            stage = stage.prepared(rows)
            wire = functools.partial(teach_shards, shards=left, stage=stage)
            for entry in engine.run(wire, stage.log, Progress("teach", len(left), "shards")):
                work.update(asked=entry["asked"], copied=entry["copied"])
        stage.publish(len(rows.shards))
    return {key: work[key] for key in ("asked", "copied")}


def stage_of(
    configuration: Configuration,
    teachers: Teachers,
    name: str,
    signals: Collection[Signal],
    volume: Callable[[], Volume],
    masked: bool,
) -> TeachStage:
    """Return what a process needs of one teacher."""
    cache, checkpoint, teaching = Cache(configuration.cache_path), teachers.checkpoints[name], configuration.teach
    identity, shape = teachers.identities[name], teachers.shapes[name]
    keeping = keeping_of(teaching, checkpoint, shape, signals, lambda: volume().lengths.tokens)
    return TeachStage(
        name=name,
        cache=cache.path.resolve(),
        checkpoint=checkpoint.path.resolve(),
        task=configuration.task,
        teaching=teaching,
        threads=configuration.workers.threads,
        groups=tuple(wanted_groups(cache, name, signals, shape, keeping, identity)),
        identity=identity,
        masked=masked,
        log=WorkLog(cache.path.resolve() / "work" / "teach", new_run()),
    )
