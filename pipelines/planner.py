"""The planner: finds out what is done, what would be done and what that costs."""

import math
import shutil
import sys
from collections.abc import Collection, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import torch

from distill.configured import recipe_of
from distill.keeping import keeping_of
from distill.needs import identity_of, wanted_groups
from distill.recipe import Recipe
from distill.student import student_shape
from distill.teach import settings_of
from distill.threads import cores, use_all_cores
from pipelines.beam_module import beam_module
from pipelines.break_even import BreakEven
from pipelines.budget import bytes_of, check_budget
from pipelines.calibration import Calibration, peak_bytes, timed
from pipelines.corpus.scan import CorpusScan
from pipelines.plan import Line, Plan
from pipelines.progress import size
from pipelines.run import Run
from pipelines.volume import Volume, sampled, volume_of
from schemas import rows, tokens
from schemas.answers import Answers
from schemas.cache import Cache, default_shards
from schemas.checkpoint import Checkpoint
from schemas.errors import ConfigurationError, IntegrityError, ResourceError
from schemas.example import Example
from schemas.mirror import mirror_of
from schemas.signal import Signal, answer_of, hidden
from schemas.store import existing_parent, names_in
from schemas.task import Task

if TYPE_CHECKING:
    from augment.candidates import Positions
    from augment.strategy import Grown, Strategy

DONE, TO_DO = "done", "to do"
BYTES_AROUND_TEXT = 100
BYTES_PER_CANDIDATE = 14
BYTES_PER_STORED_CHARACTER = 3.5
"""Of a corpus's store: the text, where its words stand and how many pieces they have."""


class Planner:
    """Asks the models for a small sample of rows and extrapolates; writes nothing but rejects."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.configuration = run.configuration
        names = [run.configuration.teacher_name, *run.configuration.other_teachers]
        self.calibrations = {name: Calibration(run, name) for name in names}
        self.calibration = self.calibrations[run.configuration.teacher_name]
        self.cache = Cache(run.configuration.cache_path)
        self.workers = run.configuration.workers.count or cores()
        self.kind = run.configuration.task.kind
        self.copies = 0
        self.copied: list[Example] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def plan(self) -> Plan:
        """Return the plan of all stages."""
        accounting = self.run.scan.accounting()
        torch.set_num_threads(self.configuration.workers.threads)
        augmentation = self.augmentation()
        teaching = [self.teaching(name) for name in self.calibrations]
        use_all_cores()
        making = [self.fine_tuning()] if self.configuration.base_teacher else []
        lines = [augmentation, *making, *teaching, self.training()]
        needed, free = sum(line.bytes for line in lines), free_bytes(self.cache)
        if needed > free:
            self.warnings.append(
                f"the cache needs about {size(needed)} and {self.cache.path} has {size(free)} free: "
                "lower augment.copies, or set teach.codec=f16 or train.teacher=live"
            )
        try:
            self.check_budget()
        except ResourceError as error:
            self.warnings.append(f"{error.found}, and `teach.budget` allows less: {error.remedy}")
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        self.notes.append(f"memory: about {size(peak_bytes())} a worker, {workers}")
        return Plan(accounting, lines, self.notes, self.warnings)

    def check_budget(self) -> None:
        """Refuse answers that would take more than `teach.budget`; the plan has said how many rows there will be."""
        groups = [each for name in self.calibrations for each in self.groups(name, self.asked(name))]
        check_budget(self.configuration.teach, groups, self.volume)

    def asked(self, name: str) -> set[Signal]:
        """Return what a teacher is asked for."""
        return {column.signal for column in self.run.columns(self.recipe) if column.teacher == name}

    def identity(self, name: str) -> dict[str, Any]:
        """Return what a teacher's answers depend on."""
        own = name == self.configuration.teacher_name
        checkpoint = self.made_teacher() if own else self.calibrations[name].checkpoint
        return identity_of(checkpoint, self.configuration.teach, self.configuration.workers.threads)

    # What is extrapolated from

    @cached_property
    def recipe(self) -> Recipe:
        """The configured recipe."""
        return recipe_of(self.configuration, self.calibration.checkpoint, self.calibration.shape)

    @property
    def kept(self) -> int:
        """Distinct rows read, or made of a corpus."""
        if self.calibration.corpus:
            done = self.rows_state() == DONE
            return self.cache.group(rows.NAME).manifest().accounting["kept"] if done else self.calibration.corpus.rows
        return self.run.scan.kept

    @property
    def cheap(self) -> set[Signal]:
        """What takes a model's forward pass and no more."""
        return {hidden(self.calibration.shape.layers)} if self.calibration.corpus else {answer_of(self.kind)}

    @property
    def grown(self) -> int:
        """Rows after augmentation."""
        return self.kept + self.copies

    @cached_property
    def volume(self) -> Volume:
        """The rows that the teacher is asked for, those made if they are there; else as the plan of them found."""
        calibration = self.calibration
        if calibration.made:
            return volume_of(
                self.cache, calibration.made, calibration.checkpoint, calibration.tokenizer, self.configuration
            )
        examples = [*calibration.sample, *self.copied] if self.copied else calibration.looked_at
        layout = self.cache.layout()
        shards = layout.shards if layout else self.configuration.shards or default_shards(self.kept)
        return sampled(self.grown, shards, examples, calibration.checkpoint, calibration.tokenizer, self.configuration)

    # Stages

    def rows_state(self) -> str:
        """Whether the rows are there, are others, or are still to be made."""
        try:
            self.run.rows_manifest()
        except ConfigurationError:
            return TO_DO
        except IntegrityError:
            return "of other rows or settings: renewed"
        return DONE

    def answers_state(self, answers: Answers, identity: dict[str, Any]) -> bool:
        """Whether a group holds this teacher's answers for just the rows that are there."""
        group, found = self.cache.group(answers.name), self.cache.group(rows.NAME)
        if not group.is_published() or self.rows_state() != DONE:
            return False
        manifest = group.manifest()
        return manifest.ids == found.manifest().ids and manifest.settings == settings_of(answers, identity)

    def made_teacher(self) -> Checkpoint:
        """The teacher whose answers are wanted: for one that is to be made, the one of an earlier run if there is."""
        folder = self.run.output / "teacher"
        made = self.configuration.base_teacher and (folder / "result.json").exists()
        return Checkpoint.find(str(folder)) if made else self.calibration.checkpoint

    def augmentation(self) -> Line:
        """Propose words for the sample and draw its copies."""
        text, state = self.calibration.text_bytes, self.rows_state()
        if state == DONE:
            manifest = self.cache.group(rows.NAME).manifest()
            self.copies = manifest.rows - manifest.accounting["kept"]
            work = f"{manifest.accounting['kept']:,} rows, {self.copies:,} copies"
            return Line("augment", work, 0.0, 0.0, state)
        if self.calibration.corpus:
            assert isinstance(self.run.scan, CorpusScan)
            space = self.kept * (text + BYTES_AROUND_TEXT) + self.run.scan.characters * BYTES_PER_STORED_CHARACTER
            work = f"about {self.kept:,} rows of {self.run.scan.characters:,} characters"
            return Line("augment", work, space, self.calibration.corpus.seconds, state)
        if not self.configuration.augment.copies:
            return Line("augment", f"{self.kept:,} rows, no copies", self.kept * (text + BYTES_AROUND_TEXT), 0.0, state)
        stage = beam_module("augment").make_stage(self.configuration, self.cache)
        sample = self.calibration.sample
        share = self.kept / len(sample)
        seconds = words = 0.0
        for strategy in map(stage.strategy, stage.candidates):
            list(strategy.grow(sample[:4], strategy.propose(sample[:4])))
            spent, (positions, grown) = timed(partial(propose_and_grow, strategy, sample))
            seconds += spent
            copied = copies_of(grown, sample, self.configuration.task)
            self.copied += copied
            self.copies += round(len(copied) * share)
            words += sum(map(len, positions)) * share
        space = self.grown * (text + BYTES_AROUND_TEXT)
        space += words * self.configuration.augment.candidates * BYTES_PER_CANDIDATE
        work = f"{self.kept:,} rows, {words:,.0f} words to propose for, about {self.copies:,} copies"
        return Line("augment", work, space, seconds * share / self.workers, state)

    def fine_tuning(self) -> Line:
        """Make the teacher, on the rows that were read."""
        settings = self.configuration.fine_tuning
        labelled = self.kept - self.run.scan.accounting().get("unlabelled", 0)
        steps = math.ceil(settings.epochs * labelled / settings.batch)
        seconds = 3 * self.calibration.forward_seconds({answer_of(self.kind)}) * settings.batch * steps
        state = DONE if (self.run.output / "teacher" / "result.json").exists() else TO_DO
        seconds = 0.0 if state == DONE else seconds
        return Line("teacher", f"{steps:,} steps of {settings.batch} rows to make it", 0.0, seconds, state)

    def teaching(self, name: str) -> Line:
        """Ask a teacher for the sample, with all signals that the recipe needs of it."""
        calibration, signals, identity = self.calibrations[name], self.asked(name), self.identity(name)
        stage = "teach" if calibration is self.calibration else f"teach {name}"
        groups = self.groups(name, signals)
        if cut := calibration.encoded.cut:
            looked_at = len(calibration.sample)
            done = "left without an answer, over" if self.configuration.teach.leaves_out else "cut at"
            self.warnings.append(f"{cut} of {looked_at} rows looked at are {done} `teach.max_length`")
            allowed = self.configuration.teach.max_failed
            if self.configuration.teach.leaves_out and cut > allowed * looked_at:
                self.warnings.append(
                    f"those are more than teach.max_failed={allowed:g} allows: teaching will be refused"
                )
        own = self.calibration.checkpoint.tokenizer_fingerprint
        # Teachers of one tokenizer share the tokens, and a live one keeps none of its own; what one of another says of
        # rows takes as much whatever their length.
        same = not groups or calibration.checkpoint.tokenizer_fingerprint == own
        shared = calibration is not self.calibration and same
        # A live teacher's rows are cut by the run's own tokenizer, for the student.
        tokenised = self.has_tokens(calibration if groups else self.calibration)
        space = 0.0 if shared or tokenised else self.volume.token_bytes
        left = [answers for answers in groups if not self.answers_state(answers, identity)]
        space += bytes_of(left, self.volume)
        if not groups:
            self.say_why_live(name)
            work = f"{self.grown:,} rows, {self.volume.tokens:,.0f} tokens; the teacher is asked while training"
            return Line(stage, work, space, 0.0, DONE if tokenised else TO_DO)
        names = ", ".join(f"{answers.name} ({size(self.volume.bytes(answers))})" for answers in groups)
        pieces, too_long = self.volume.asked_tokens, self.volume.share * self.volume.left_out
        left_out = f" but for about {too_long:,.0f} that are too long" if too_long else ""
        work = f"{self.grown:,} rows{left_out}, {pieces:,.0f} tokens into {names}"
        if not left:
            return Line(stage, work, 0.0, 0.0, DONE)
        costs = calibration.costs(groups, left, signals, identity)
        seconds = costs.teaching * pieces
        reading = costs.reading * calibration.lengths.tokens.mean()
        self.say_when_it_pays(name, calibration.forward_seconds(signals), reading, seconds)
        begun = any(names_in(self.cache.group(answers.name).path) for answers in left)
        state = f"{TO_DO}, or the rows of it that are new" if begun else TO_DO
        return Line(stage, work, space, seconds / self.workers + calibration.loading_seconds, state)

    def groups(self, name: str, signals: Collection[Signal]) -> list[Answers]:
        """Return the groups that would hold what a teacher says."""
        calibration = self.calibrations[name]
        checkpoint, shape, lengths = calibration.checkpoint, calibration.shape, self.volume.lengths.tokens
        keeping = keeping_of(self.configuration.teach, checkpoint, shape, signals, lambda: lengths)
        return wanted_groups(self.cache, name, signals, shape, keeping, self.identity(name))

    def has_tokens(self, calibration: Calibration) -> bool:
        """Whether a teacher's token ids of just the rows that are there are there, too."""
        name = tokens.name(calibration.checkpoint.tokenizer_fingerprint, self.configuration.teach.max_length)
        group, found = self.cache.group(name), self.cache.group(rows.NAME)
        if not group.is_published() or self.rows_state() != DONE:
            return False
        return group.manifest().ids == found.manifest().ids

    def say_why_live(self, name: str) -> None:
        """Say what a cache of the answers would take."""
        groups = self.groups(name, self.recipe.signals_of(name))
        space = size(bytes_of(groups, self.volume))
        self.warnings.append(
            f"the teacher is live: its answers would take {space} of disk; train.teacher=cached keeps them"
        )

    def say_when_it_pays(self, name: str, asking: float, reading: float, teaching: float) -> None:
        """Say after how many students a cache has cost less than a teacher in the loop."""
        settings = self.configuration.train
        steps = self.recipe.steps(self.grown, settings.batch, settings.steps)
        asks = [any(column.teacher == name for column in stage.columns) for stage in self.recipe.stages]
        seen = settings.batch * sum(n for asked, n in zip(asks, steps, strict=True) if asked)
        pays = BreakEven(teaching, asking, reading, seen, self.grown)
        whose = "the teacher's" if len(self.calibrations) == 1 else f"{name}'s"
        if pays.students is None:
            self.warnings.append(
                f"reading {whose} answers takes longer than asking, so a cache never pays: set "
                "train.teacher=live, or keep less (teach.codec=int8, a recipe of fewer signals)"
            )
            return
        passes = f"{pays.passes:.1f} passes over the rows a student"
        first = "the first student on" if pays.students == 1 else f"student {pays.students} on"
        self.notes.append(f"a cache of {whose} answers pays from {first}: it is asked once a row, not for {passes}")

    def training(self) -> Line:
        """Take a step for three forward passes of a student, and a student for its share of the teacher's depth.

        A live teacher is one pass more.
        """
        settings = self.configuration.train
        steps = settings.steps or sum(self.recipe.steps(self.grown, settings.batch))
        student = student_shape(self.configuration.student, self.calibration.checkpoint, self.configuration.task)
        depth = student.layers / self.calibration.shape.layers
        passes = 3 * depth + (1 if settings.teacher == "live" else 0)
        step = passes * self.calibration.forward_seconds(self.cheap) * settings.batch
        arms = ["general"] if self.calibration.corpus else settings.arms
        results = [self.run.output / "students" / arm / "result.json" for arm in arms]
        left = sum(not path.exists() for path in results)
        students = "1 student" if len(arms) == 1 else f"{len(arms)} students"
        work = f"{students}, {steps:,} steps of {settings.batch} rows each"
        done = f"{len(results) - left} of {len(results)} trained before"
        return Line("train", work, 0.0, step * steps * left, done)


def propose_and_grow(strategy: "Strategy", sample: Sequence[Example]) -> "tuple[list[Positions], list[Grown]]":
    """Return what a strategy proposes for rows, and their copies."""
    positions = strategy.propose(sample)
    return positions, list(strategy.grow(sample, positions))


def copies_of(grown: "Sequence[Grown]", sample: Sequence[Example], task: Task) -> list[Example]:
    """Return the copies that were grown from some rows."""
    read = pa.Table.from_batches([rows.to_batch(sample, task.label_type)])
    copies = pa.Table.from_batches([copies for copies, _ in grown], rows.COPIES)
    return list(rows.examples(rows.complete(copies, read)))


def free_bytes(cache: Cache) -> int:
    """Return the bytes free where a cache lies or will lie: an object store has no end."""
    if mirror_of(cache.path / "any"):
        return sys.maxsize
    return shutil.disk_usage(existing_parent(cache.path)).free
