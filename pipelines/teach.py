"""The teach stage: every shard of rows is put to the teacher once; no row crosses a shuffle."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import apache_beam as beam

from distill.encoder import Encoder
from distill.keeping import keeping_of
from distill.needs import wanted_groups
from distill.prepare import prepared
from distill.teach import ShardTeacher, input_of, is_committed, settings_of, token_settings
from distill.teachers import Teachers, by_teacher
from distill.tokens import Encoded, Tokenizer
from pipelines.budget import check_budget
from pipelines.engine import Engine, ShardFunction, new_run
from pipelines.progress import Progress
from schemas import tokens
from schemas.answers import Answers, failures
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration, Teaching
from schemas.errors import QualityError
from schemas.group import Group
from schemas.manifest import Manifest, SideFile
from schemas.rows import NAME as ROWS
from schemas.rows import examples, is_masked
from schemas.signal import Column, Signal
from schemas.task import Task
from schemas.work import Work, WorkLog

LOOKED_AT = 1024


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
        signals = [signal for answers in self.groups for signal in answers.asked]
        encoder = Encoder.load_accelerated(checkpoint, self.task, signals)
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
    group = cache.group(ROWS)
    rows = group.manifest()
    masked = any(is_masked(group.read_shard(side)) for side in rows.shards)
    # The run's own teacher gives the rows their token ids even where nothing is asked of it.
    asked = {configuration.teacher_name: set[Signal](), **by_teacher(columns)}
    lessons = [
        Lesson(name, lesson_stage(configuration, teachers, name, signals, rows, masked), cache)
        for name, signals in asked.items()
    ]
    if any(lesson.left(rows) for lesson in lessons):
        groups = [answers for lesson in lessons for answers in lesson.stage.groups]
        check_budget(configuration.teach, groups, some_rows(group, rows, teachers.own, configuration), rows.rows)
    work = Counter[str]()
    for lesson in lessons:
        work += lesson.give(rows, engine, check)
    return {key: work[key] for key in ("asked", "copied")}


def lesson_stage(
    configuration: Configuration,
    teachers: Teachers,
    name: str,
    signals: Collection[Signal],
    rows: Manifest,
    masked: bool,
) -> TeachStage:
    """Return what a process needs of one teacher."""
    cache, checkpoint, teaching = Cache(configuration.cache_path), teachers.checkpoints[name], configuration.teach
    identity, shape = teachers.identities[name], teachers.shapes[name]
    keeping = keeping_of(
        teaching,
        checkpoint,
        shape,
        signals,
        lambda: some_rows(cache.group(ROWS), rows, checkpoint, configuration).lengths,
    )
    return TeachStage(
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


@dataclass(frozen=True)
class Lesson:
    """What one teacher, known by its name, is asked for in a run."""

    name: str
    stage: TeachStage
    cache: Cache

    @property
    def ids(self) -> tuple[Group, dict[str, Any]]:
        """The token group with its settings."""
        stage = self.stage
        group = self.cache.group(tokens.name(stage.identity["tokenizer"], stage.teaching.max_length))
        return group, token_settings(stage.identity, masked=stage.masked)

    def left(self, rows: Manifest) -> list[SideFile]:
        """Return the shards that are still to be taught."""
        stage = self.stage
        return [side for side in rows.shards if not is_taught(side, self.cache, self.ids, stage.groups, stage.identity)]

    def give(self, rows: Manifest, engine: Engine, check: Callable[[str], None]) -> Counter[str]:
        """Teach the shards that are left and publish all; return how many rows were asked and copied."""
        stage, left, entries = self.stage, self.left(rows), list[dict[str, Any]]()
        if left:
            check(self.name)
            if any(answers.wants_affine or answers.wants_weights for answers in stage.groups):
                stage = replace(stage, groups=prepared(stage.load().teacher, rows.shards))
            progress = Progress("teach", len(left), "shards")
            entries = engine.run(lambda pipeline: teach_shards(pipeline, left, stage), stage.log, progress)
        publish(self.cache, self.ids, stage.teaching, stage.groups, stage.identity, len(rows.shards))
        return Counter({key: sum(entry[key] for entry in entries) for key in ("asked", "copied")})


def some_rows(group: Group, rows: Manifest, checkpoint: Checkpoint, configuration: Configuration) -> Encoded:
    """Return some rows as a teacher reads them: those of the first shard that has any."""
    tokenizer = Tokenizer.load(checkpoint, configuration.teach.max_length)
    side = next((side for side in rows.shards if side.rows), None)
    return tokenizer.encode_rows(list(islice(examples(group.read_shard(side)), LOOKED_AT)) if side else [])


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
