"""The engine: runs a Beam pipeline of shard functions, shows how far it is, and brings errors home whole."""

import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions, TestOptions

from pipelines.ending import NotRun, called_off
from pipelines.engine_log import quiet
from pipelines.progress import Progress
from pipelines.runner import check_job_server, is_dataflow, submitted
from pipelines.worker_error import brought_home
from schemas.errors import ConfigurationError, DistillError
from schemas.mirror import mirror_of
from schemas.work import WorkLog


@dataclass(frozen=True)
class Engine:
    """The runner and its options: `FnApiRunner` with a process a core, unless options say otherwise."""

    workers: int
    options: tuple[str, ...] = ()
    debug: bool = False

    @classmethod
    def of(cls, workers: int | None, options: Sequence[str] = (), debug: bool = False) -> "Engine":
        """Make an engine; without a number, as many workers as this process may use cores."""
        return cls(workers or len(os.sched_getaffinity(0)), tuple(options), debug)

    def pipeline_options(self) -> PipelineOptions:
        """Return Beam's options, ours first, so that the user's win."""
        mode = "multi_processing" if self.workers > 1 else "in_memory"
        local = [
            "--runner=FnApiRunner",
            f"--direct_num_workers={self.workers}",
            f"--direct_running_mode={mode}",
        ]
        named = any(option.startswith("--runner") for option in self.options)
        # Every function of ours lies in a package, so nothing of the main module need travel.
        elsewhere = ["--no_save_main_session"]
        return PipelineOptions([*(elsewhere if named else local), *self.options])

    @property
    def only_makes(self) -> bool:
        """Whether the options ask for a job, or a template of one, that is not run."""
        options = self.pipeline_options()
        asked = options.view_as(TestOptions).dry_run or options.view_as(GoogleCloudOptions).template_location
        if asked and not is_dataflow(options):
            raise ConfigurationError(
                "--dry_run and --template_location with --runner=DataflowRunner, as no other runner heeds them",
                f"--runner={options.view_as(StandardOptions).runner}",
                "leave them out; `distill plan` says what a run would do",
            )
        return bool(asked)

    def unknown_options(self) -> list[str]:
        """Return the options after `--` that Beam does not know; a runner outside this process may."""
        known = self.pipeline_options().get_all_options()
        return sorted(self.pipeline_options().get_all_options(retain_unknown_options=True).keys() - known.keys())

    def run(self, build: Callable[[beam.Pipeline], Any], log: WorkLog, progress: Progress) -> list[dict]:
        """Build and run a pipeline; return what its attempts noted.

        Raises the `DistillError` that stopped a worker, as it was raised there.
        """
        if unknown := self.unknown_options():
            print(f"note: Beam does not know {', '.join(f'--{name}' for name in unknown)}", file=sys.stderr)
        options = self.pipeline_options()
        check_job_server(options)
        with quiet(log.folder.parent / "engine.log", self.debug) as terminal, watched(log, progress, terminal):
            try:
                pipeline = beam.Pipeline(options=options)
            except ValueError as error:
                raise ConfigurationError(
                    "runner options that Beam takes", str(error), "correct what stands after `--`"
                ) from error
            only_makes = self.only_makes
            build(pipeline)
            log.open()
            try:
                with submitted(options):
                    result = pipeline.run()
                if only_makes:
                    raise NotRun(f"{progress.name}: the job was made and not run, as the options after `--` say")
                # A runner elsewhere goes on when we are gone, unless it is told to stop; its workers may hear of that
                # only when they have done all that they were given.
                with called_off(log.close), called_off(result.cancel):
                    result.wait_until_finish()
            except NotRun:
                raise
            except Exception as error:
                raise brought_home(error) from error
            progress.show(progress.total)
        return list(log.entries())


def new_run() -> str:
    """Return a name for one run of the engine, by which its work is told from earlier work."""
    return uuid.uuid4().hex


@contextmanager
def watched(log: WorkLog, progress: Progress, terminal: TextIO) -> Iterator[None]:
    """Show progress from a thread of its own, by the shards that workers noted."""
    done = threading.Event()
    progress.stream = terminal

    # A store elsewhere is asked for every note, takes its time, and may charge for it.
    pause = 10.0 if mirror_of(log.folder / "any") else 0.5

    def watch() -> None:
        while not done.wait(pause):
            # A store that does not answer for once is asked again; what ends the run is for the workers to say.
            with suppress(DistillError):
                progress.show(sum(1 for _ in log.entries()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
