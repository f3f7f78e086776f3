"""A run: the stages of one configuration, each of which goes on where it was."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.beam_module import beam_module
from pipelines.corpus.scan import CorpusScan, scan_corpus
from pipelines.made_rows import check_rows, rows_group
from pipelines.notes import add_note, read_notes
from pipelines.progress import training_progress
from pipelines.proposers import absent
from pipelines.read import Scan, held_out, scan
from schemas import rows
from schemas.cache import Cache
from schemas.configuration import Configuration
from schemas.errors import DataError, QualityError
from schemas.example import Example
from schemas.manifest import Manifest
from schemas.store import locked, resource_errors

if TYPE_CHECKING:
    from distill.arm_result import ArmResult
    from distill.recipe import Recipe
    from distill.teachers import Teachers
    from pipelines.engine import Engine
    from schemas.checkpoint import Checkpoint
    from schemas.signal import Column


@dataclass(frozen=True)
class Run:
    """One configuration, how many rows of it, and what the runner is told."""

    configuration: Configuration
    limit: int | None = None
    runner_options: tuple[str, ...] = ()
    debug: bool = False

    def __post_init__(self) -> None:
        if mirror := self.configuration.mirror:
            mirror.open()

    @property
    def output(self) -> Path:
        """Folder of results."""
        return self.configuration.output_path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run's folders against other runs."""
        with ExitStack() as stack:
            for folder in dict.fromkeys((self.output, self.configuration.cache_path)):
                with resource_errors(str(folder)):
                    stack.enter_context(locked(folder))
            with resource_errors(str(self.output)):
                yield

    # What the stages stand on

    @cached_property
    def scan(self) -> Scan | CorpusScan:
        """One reading pass over all files: counts, rejects, leaks."""
        if self.configuration.data.corpus:
            return scan_corpus(self.configuration, self.limit, self.output / "rejects.jsonl")
        return scan(self.configuration, self.limit, self.output / "rejects.jsonl")

    @cached_property
    def splits(self) -> dict[str, Sequence[Example]]:
        """Held-out rows; where no test rows are named, the dev rows serve for both."""
        dev = held_out(self.configuration, "dev", self.limit)
        return {
            "dev": dev,
            "test": held_out(self.configuration, "test", self.limit) if self.configuration.data.test else dev,
        }

    @cached_property
    def teacher(self) -> "Checkpoint":
        """The run's own teacher, made first where the configuration says `finetune`."""
        from distill.fine_tune import fine_tune
        from schemas.checkpoint import Checkpoint

        base = self.configuration.base_teacher
        if base is None:
            return Checkpoint.find(self.configuration.model_of(self.configuration.teacher_name))
        return fine_tune(
            self.configuration, Checkpoint.find(base), self.originals(), self.splits["dev"], training_progress
        )

    @cached_property
    def teachers(self) -> "Teachers":
        """The run's own teacher, and others by name."""
        from distill.teachers import Teachers

        return Teachers.of(self.configuration, self.teacher)

    def originals(self) -> list[Example]:
        """Return the rows that were read, out of the cache."""
        group = Cache(self.configuration.cache_path).group(rows.NAME)
        tables = (group.read_shard(side) for side in self.rows_manifest().shards)
        return [each for table in tables for each in rows.examples(rows.only_originals(table))]

    def rows_manifest(self) -> Manifest:
        """Return the manifest of the rows.

        Raises `ConfigurationError` where there are none, `IntegrityError` where they are not those of the data files
        and the configuration.
        """
        group = rows_group(self.configuration)
        manifest = group.manifest()
        check_rows(group, manifest, self.configuration, self.scan.ids)
        return manifest

    def recipe(self) -> "Recipe":
        """Return the configured recipe for this teacher and student."""
        from distill.configured import recipe_of
        from distill.shape import ModelShape

        shape = ModelShape.of_checkpoint(self.teacher, self.configuration.task.kind)
        recipe = recipe_of(self.configuration, self.teacher, shape)
        if self.configuration.data.corpus:
            recipe.refuse_predictions()
        return recipe

    def columns(self, recipe: "Recipe") -> "set[Column]":
        """Return what teachers are asked for and the cache holds; on raw text that is their insides alone.

        A plan has the recipe before there is a teacher, where that is still to be made.
        """
        from schemas.signal import Column, answer_of

        columns = set() if self.configuration.train.teacher == "live" else set(recipe.columns)
        if self.configuration.data.corpus:
            return columns
        return columns | {Column(self.configuration.teacher_name, answer_of(self.configuration.task.kind))}

    def check(self) -> None:
        """Refuse what only a later stage would find: no labelled rows to make a teacher from, or to evaluate on."""
        if self.configuration.data.corpus:
            self.recipe()
            return
        _ = self.splits
        unlabelled = self.scan.accounting()["unlabelled"]
        if self.configuration.base_teacher and unlabelled == self.scan.kept:
            raise DataError("labelled rows to fine-tune on", "none", "name a teacher that is fine-tuned already")

    # Stages

    def augment(self) -> dict[str, Any]:
        """Write originals and copies to the cache; return the accounting."""
        start = time.monotonic()
        if isinstance(self.scan, CorpusScan):
            make_rows = beam_module("corpus.stage", "augment").make_rows
            manifest, work = make_rows(self.configuration, self.scan, self.limit, self.engine()), {}
        else:
            augment = beam_module("augment").augment
            manifest, work = augment(self.configuration, self.scan, self.limit, self.engine())
        accounting = accounting_of(manifest)
        self.note("augment", seconds=time.monotonic() - start, **work, accounting=accounting)
        return accounting

    def teach(self) -> dict[str, Any]:
        """Ask the teachers for every signal the recipe needs; return how many rows were asked and copied."""
        self.rows_manifest()
        teach = beam_module("teach").teach
        start = time.monotonic()
        columns = self.columns(self.recipe())
        work = teach(self.configuration, self.teachers, columns, self.engine(), self.check_teacher)
        self.note("teach", seconds=time.monotonic() - start, **work)
        return work

    def check_teacher(self, name: str) -> None:
        """Refuse a teacher that does no better than chance on the dev rows; a trial on few rows only says so."""
        if self.configuration.data.corpus or self.configuration.teach.at_chance == "allow":
            return
        from distill.chance import ROWS, Chance
        from distill.encoder import Encoder
        from distill.evaluate import HeldOut, predictions
        from distill.tokens import Tokenizer

        checkpoint = self.teachers.checkpoints[name]
        encoder = Encoder.load_accelerated(checkpoint, self.configuration.task)
        tokenizer = Tokenizer.load(checkpoint, self.configuration.teach.max_length)
        held_out = HeldOut.of(self.splits["dev"][:ROWS], tokenizer, self.configuration.task, encoder.device)
        chance = Chance.of(predictions(encoder, held_out), held_out.judge, self.configuration.seed)
        if not chance.is_all:
            return
        refusal = QualityError(
            "a teacher that does better than chance on the dev rows",
            f"{self.configuration.model_of(name)}: {held_out.metric.value} {chance.value:.3f}, and {chance.middle:.3f} "
            f"with its answers for {len(held_out.rows.ids)} rows shuffled among them",
            "name a teacher of this task, check the order of `task.labels`, or set teach.at_chance=allow",
        )
        if self.limit is None:
            raise refusal
        print(f"note: {refusal.found}", file=sys.stderr)

    def train(self) -> "list[ArmResult]":
        """Train and evaluate all arms, and write the report."""
        from distill.arms import Arms, Splits
        from pipelines.page.page import write_page
        from pipelines.quality import quality_of
        from pipelines.report import earlier_quality, read_report, report_path, write_report

        manifest = self.rows_manifest()
        start = time.monotonic()
        if self.configuration.data.corpus:
            from distill.general import train_general

            result = train_general(self.configuration, self.teachers, self.recipe(), training_progress)
            self.note("train", seconds=time.monotonic() - start)
            return [result]
        arms = Arms(self.configuration, self.teachers, Splits(**self.splits), training_progress)
        results = arms.run()
        for key in absent(self.configuration.augment):
            print(f"note: `{key}` is not here; that it made the rows is taken on trust", file=sys.stderr)
        comparisons = arms.compare(results)
        seconds = arms.seconds_per_row(results)
        cache, earlier = Cache(self.configuration.cache_path), earlier_quality(self.configuration)
        quality = quality_of(cache, self.configuration.task, arms.identity, earlier)
        write_report(self.configuration, results, seconds, comparisons, accounting_of(manifest), quality, arms.identity)
        notes = self.note("train", seconds=time.monotonic() - start)
        write_page(self.configuration, read_report(report_path(self.configuration)), notes)
        return results

    def write_missing_page(self) -> None:
        """Write the page of a report where there is none, from what the run left behind."""
        from pipelines.report import page_path, read_report, report_path

        path = page_path(self.configuration)
        if path.exists():
            return
        report = read_report(report_path(self.configuration))
        from pipelines.page.page import write_page

        with resource_errors(str(path)):
            write_page(self.configuration, report, read_notes(self.output))

    def known_identity(self) -> dict[str, Any] | None:
        """Return what the teacher's answers depend on, `None` where the teacher is not here to tell."""
        from distill.needs import identity_of
        from schemas.checkpoint import Checkpoint

        named = Path(self.configuration.model_of(self.configuration.teacher_name))
        folder = self.output / "teacher" if self.configuration.base_teacher else named
        if not (folder / "config.json").exists():
            return None
        settings = self.configuration
        return identity_of(Checkpoint.find(str(folder)), settings.teach, settings.workers.threads)

    def known_fingerprints(self) -> dict[str, str]:
        """Return the fingerprints of the teachers that are here, by name."""
        from schemas.checkpoint import Checkpoint

        found, own = {}, self.known_identity()
        if own is not None:
            found[self.configuration.teacher_name] = own["fingerprint"]
        for name in self.configuration.other_teachers:
            if (folder := Path(self.configuration.model_of(name))).joinpath("config.json").exists():
                found[name] = Checkpoint.find(str(folder)).fingerprint
        return found

    def engine(self) -> "Engine":
        """Return the engine with the configured workers and the options after `--`."""
        from pipelines.engine import Engine

        return Engine.of(self.configuration.workers.count, self.runner_options, self.debug)

    def note(self, stage: str, **facts: Any) -> dict[str, Any]:
        """Write what changes from run to run, and so is part of no digest, to run.json; return all of it."""
        return add_note(self.output, self.configuration, stage, facts)


def accounting_of(manifest: Manifest) -> dict[str, int]:
    """Return what became of every row that was read, and what was made of them."""
    return {**manifest.settings["reading"], **manifest.accounting, "rows": manifest.rows}
