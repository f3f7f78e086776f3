"""The engine: runs a Beam pipeline of shard functions, shows how far it is, and brings errors home whole."""

import json
import os
import re
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    TestOptions,
)

from pipelines.ending import NotRun, called_off
from pipelines.ground import version_of
from pipelines.progress import Progress
from schemas.errors import KINDS, ConfigurationError, DistillError, ResourceError
from schemas.mirror import mirror_of
from schemas.work import WorkLog

ANSWER = 10.0
"""Seconds that a job server may take to answer."""
MARK = "offline-distill-error"
UNKNOWN = re.compile(
    r"No module named '(?:schemas|augment|distill|pipelines"
    r"|apache_beam|torch|transformers|tokenizers|numpy|pyarrow)\b[^']*'"
    r"|Can't get attribute '[^']*' on [^\n]*"
)
"""What Python says of a job that was made with other packages."""


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


def check_job_server(options: PipelineOptions) -> None:
    """Refuse a job server that nobody answers for; Beam would ask for minutes."""
    endpoint = options.view_as(PortableOptions).job_endpoint or ""
    if not re.fullmatch(r"[^/]+:\d+", endpoint):
        return
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ResourceError(
            f"a job server at {endpoint}", str(error), "start one there, or correct `--job_endpoint` after `--`"
        ) from None


@contextmanager
def submitted(options: PipelineOptions) -> Iterator[None]:
    """Say of a job that a runner elsewhere does not even take why; a runner of this process does all of it here."""
    runner = options.view_as(StandardOptions).runner or ""
    try:
        yield
    except Exception as error:
        if re.search("fnapi|direct", runner.lower()) or isinstance(brought_home(error), DistillError):
            raise
        raise ConfigurationError(
            f"a job that {runner} takes",
            f"{type(error).__name__}: {str(error)[:500]}",
            "correct what stands after `--`, or start what it names; `work/engine.log` of the cache may say more",
        ) from error


def is_dataflow(options: PipelineOptions) -> bool:
    """Whether the runner is Dataflow's, by any of the names that Beam knows it by."""
    return "dataflow" in (options.view_as(StandardOptions).runner or "").lower()


def new_run() -> str:
    """Return a name for one run of the engine, by which its work is told from earlier work."""
    return uuid.uuid4().hex


@contextmanager
def errors_sent_home() -> Iterator[None]:
    """Wrap our errors so that any runner carries them to the submitter, whatever it does to exceptions."""
    try:
        yield
    except DistillError as error:
        parts = {"code": error.code, "expected": error.expected, "found": error.found, "remedy": error.remedy}
        raise RuntimeError(f"{MARK}{json.dumps(parts)}") from error


def brought_home(error: Exception) -> Exception:
    """Return our error out of whatever a runner made of it, or the runner's own."""
    for found in re.finditer(re.escape(MARK), text := str(error)):
        try:
            parts, _ = json.JSONDecoder().raw_decode(text, found.end())
        except ValueError:
            continue
        code = parts.pop("code")
        return next(kind for kind in KINDS if kind.code == code)(**parts)
    if missing := UNKNOWN.search(text):
        return ConfigurationError(
            f"offline-distill {version_of('offline-distill')} on every worker, as where the job was submitted",
            missing.group(0),
            "install the same package there, in the environment that the workers run in",
        )
    if "MemoryError" in text or "Cannot allocate memory" in text:
        return ResourceError("enough memory", text.splitlines()[-1], "lower `batch_tokens` or `workers.count`")
    return error


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


@contextmanager
def quiet(path: Path, debug: bool) -> Iterator[TextIO]:
    """Send what runners and their processes print to a log, and yield a stream to the real terminal."""
    if debug:
        yield sys.stderr
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    heard, said = os.pipe()
    thread = threading.Thread(target=keep, args=(heard, path), daemon=True)
    thread.start()
    with os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") as terminal:
        os.dup2(said, 2)
        os.close(said)
        try:
            yield terminal
        finally:
            os.dup2(terminal.fileno(), 2)
            # A worker that lives on holds the pipe open, and is not waited for.
            thread.join(timeout=1)


def keep(heard: int, path: Path) -> None:
    """Append what comes out of a pipe to a file.

    On a full disk it is dropped: a worker whose complaint cannot be printed would never answer, and its run never end.
    """
    with os.fdopen(heard, "rb", buffering=0) as said, path.open("ab", buffering=0) as log:
        while text := said.read(1 << 16):
            with suppress(OSError):
                log.write(text)
