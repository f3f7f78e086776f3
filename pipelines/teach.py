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
from distill.needs import check_failed, wanted_groups
from distill.prepare import prepared
from distill.teach import ShardTeacher, input_of, is_committed, settings_of, token_settings
from distill.teachers import Teachers, by_teacher
from distill.tokens import Tokenizer
from pipelines.budget import check_budget
from pipelines.engine import Engine, new_run
from pipelines.ground import Ground
from pipelines.progress import Progress
from pipelines.shard_function import by_shard
from pipelines.volume import Volume, volume_of
from schemas import tokens
from schemas.answers import Answers
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration, Teaching
from schemas.group import Group
from schemas.manifest import Manifest, SideFile
from schemas.rows import NAME as ROWS
from schemas.rows import has_masks
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
    ground: Ground
    accelerator: str | None

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
        manifests = [group.publish_manifest(settings, shards) for group, settings in self.written]
        # The first is that of the token ids.
        for manifest in manifests[1:]:
            check_failed(manifest, self.teaching)


def teach_shards(pipeline: beam.Pipeline, shards: Sequence[SideFile], stage: TeachStage) -> None:
    """Wire the graph: side files of the rows, `Reshuffle`, one `ParDo`."""
    _ = pipeline | beam.Create(shards, reshuffle=False) | beam.Reshuffle() | by_shard(pipeline, stage)


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
    rows, masked = cache.group(ROWS).manifest(), has_masks(cache.group(ROWS))
    wanted = groups_wanted(configuration, teachers, columns)
    stages = [stage_of(configuration, teachers, name, groups, masked) for name, groups in wanted.items()]
    if configuration.teach.budget is not None and any(stage.left(rows) for stage in stages):
        volume = own_volume(configuration, teachers, rows)
        check_budget(configuration.teach, [answers for stage in stages for answers in stage.groups], volume)
    work = Counter[str]()
    for stage in stages:
        work += give(stage, rows, engine, check)
    return {key: work[key] for key in ("asked", "copied")}


def groups_wanted(
    configuration: Configuration, teachers: Teachers, columns: Collection[Column]
) -> dict[str, tuple[Answers, ...]]:
    """Return the groups that hold the columns, by the names of the teachers."""
    rows = Cache(configuration.cache_path).group(ROWS).manifest()
    volume = functools.cache(lambda: own_volume(configuration, teachers, rows))
    # The run's own teacher gives the rows their token ids even where nothing is asked of it.
    names = {configuration.teacher_name: set[Signal](), **by_teacher(columns)}
    return {name: groups_of(configuration, teachers, name, signals, volume) for name, signals in names.items()}


def teach_again(
    configuration: Configuration, teachers: Teachers, name: str, groups: tuple[Answers, ...], engine: Engine
) -> None:
    """Write what is missing of some groups of a teacher, and their manifests."""
    group = Cache(configuration.cache_path).group(ROWS)
    give(stage_of(configuration, teachers, name, groups, has_masks(group)), group.manifest(), engine)


def give(
    stage: TeachStage, rows: Manifest, engine: Engine, check: Callable[[str], None] = lambda name: None
) -> Counter[str]:
    """Teach the shards that are left and publish all; return how many rows were asked and copied.

    `check` is called with the teacher's name before it is asked anything.
    """
    work = Counter[str]()
    left = stage.left(rows)
    if left:
        check(stage.name)
    if (ready := stage.prepared(rows)) is not stage:
        # An attempt that was ended may have taken the same from the teacher, and some shards are done with it.
        stage, left = ready, ready.left(rows)
    if left:
        wire = functools.partial(teach_shards, shards=left, stage=stage)
        for entry in engine.run(wire, stage.ground.log, Progress("teach", len(left), "shards")):
            work.update(asked=entry["asked"], copied=entry["copied"])
    stage.publish(len(rows.shards))
    return work


def own_volume(configuration: Configuration, teachers: Teachers, rows: Manifest) -> Volume:
    """Return the volume of the rows as the run's own teacher reads them."""
    tokenizer = Tokenizer.load(teachers.own, configuration.teach.max_length)
    return volume_of(Cache(configuration.cache_path), rows, teachers.own, tokenizer, configuration)


def groups_of(
    configuration: Configuration,
    teachers: Teachers,
    name: str,
    signals: Collection[Signal],
    volume: Callable[[], Volume],
) -> tuple[Answers, ...]:
    """Return the groups that hold the signals of a teacher."""
    shape, identity = teachers.shapes[name], teachers.identities[name]
    keeping = keeping_of(
        configuration.teach, teachers.checkpoints[name], shape, signals, lambda: volume().lengths.tokens
    )
    return tuple(wanted_groups(Cache(configuration.cache_path), name, signals, shape, keeping, identity))


def stage_of(
    configuration: Configuration, teachers: Teachers, name: str, groups: tuple[Answers, ...], masked: bool
) -> TeachStage:
    """Return what a process needs of one teacher."""
    cache = Cache(configuration.cache_path).path.resolve()
    return TeachStage(
        name=name,
        cache=cache,
        checkpoint=teachers.checkpoints[name].path.resolve(),
        task=configuration.task,
        teaching=configuration.teach,
        threads=configuration.workers.threads,
        groups=groups,
        identity=teachers.identities[name],
        masked=masked,
        ground=Ground.of(WorkLog(cache / "work" / "teach", new_run()), [teachers.checkpoints[name]]),
        accelerator=configuration.workers.accelerator,
    )
