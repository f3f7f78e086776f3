"""The command line: one verb a stage; heavy libraries are imported by the verb that needs them."""

import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipelines.run import Run

app = typer.Typer(
    name="distill",
    help="Grow the rows, ask the teacher once, train as many students as you like.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Configuration = Annotated[Path, typer.Argument(help="Run configuration (YAML).", metavar="RUN.YAML")]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        help="Keys to override, such as augment.copies=10; after --, options for Beam.", metavar="[KEY=VALUE]…"
    ),
]
Limit = Annotated[int | None, typer.Option(help="Only the first N rows of each split, in folders of their own.", min=1)]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what Beam prints.")]


class Terminated(BaseException):
    """Somebody asked the process to end."""


def load(file: Path, keys: list[str] | None, limit: int | None, debug: bool) -> "Run":
    """Read the configuration and make the run."""
    from pipelines.run import Run
    from schemas.errors import ConfigurationError
    from schemas.load_configuration import load_configuration

    overrides = [argument for argument in keys or [] if not argument.startswith("-")]
    options = [argument for argument in keys or [] if argument.startswith("-")]
    for override in overrides:
        if "=" not in override:
            raise ConfigurationError("`key=value`", f"`{override}`", "write for example augment.copies=10")
    loaded = load_configuration(file, overrides)
    return Run(loaded.limited(limit), limit, tuple(options), debug)


@contextmanager
def reported(debug: bool) -> Iterator[None]:
    """Turn whatever ends a verb into a message and an exit code."""
    from schemas.errors import DistillError
    from schemas.store import resource_errors

    try:
        with resource_errors(os.getcwd()):
            yield
    except DistillError as error:
        if debug:
            traceback.print_exc()
        print(f"distill: refused\n{error}", file=sys.stderr)
        raise typer.Exit(error.code) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(141) from None
    except (KeyboardInterrupt, Terminated) as stop:
        end_children()
        again = shlex.join(["distill", *sys.argv[1:]])
        print(f"\ndistill: stopped. What is finished is kept; to go on:\n  {again}", file=sys.stderr)
        raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from None
    except Exception as error:
        if debug:
            traceback.print_exc()
        path = Path("distill-error.txt").resolve()
        path.write_text(traceback.format_exc(), encoding="utf-8")
        print(
            f"distill: an error of ours: {type(error).__name__}: {str(error)[:500]}\nplease send {path}",
            file=sys.stderr,
        )
        raise typer.Exit(1) from None


def end_children() -> None:
    """End the worker processes of a local runner."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        child.kill()


def stage(
    verb: Callable[["Run"], Any], configuration: Path, arguments: list[str] | None, limit: int | None, debug: bool
) -> None:
    """Run a verb on a configuration, holding the run's folders."""
    with reported(debug):
        run = load(file, keys, limit, debug)
        with run.held():
            verb(run)


@app.command()
def init(
    data: Annotated[Path, typer.Argument(help="Your training rows: TSV, CSV, JSONL or Parquet.")],
    output: Annotated[Path, typer.Option(help="Where to write the configuration.")] = Path("run.yaml"),
    limit: Limit = None,
    debug: Debug = False,
) -> None:
    """Write a commented run configuration for your data, and say what was assumed."""
    with reported(debug):
        from pipelines.initialise import initialise
        from schemas.errors import ConfigurationError

        if output.exists():
            raise ConfigurationError("a new file", f"{output} is there", "name another with --output, or remove it")
        text, assumptions = initialise(data)
        output.write_text(text, encoding="utf-8")
        for assumption in assumptions:
            typer.echo(f"assumed: {assumption}")
        typer.echo(f"written: {output}; correct it where it is wrong, then: distill plan {output}")


@app.command()
def plan(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Say what is done and what would be done: rows, bytes, time. Nothing is computed but a short calibration."""

    def verb(run: "Run") -> None:
        from pipelines.plan import make_plan, show_plan

        show_plan(make_plan(run))

    with reported(debug):
        verb(load(file, keys, limit, debug))


@app.command()
def augment(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Read the rows and grow them."""

    def verb(run: "Run") -> None:
        show_counts(run.augment())

    stage(verb, file, keys, limit, debug)


@app.command()
def teach(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Ask the teacher once for every row, and keep what it said."""

    def verb(run: "Run") -> None:
        work = run.teach()
        typer.echo(f"taught: {work['asked']:,} rows asked, {work['copied']:,} copied from earlier answers")

    stage(verb, file, keys, limit, debug)


@app.command()
def train(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Train and evaluate the students from the cache."""

    def verb(run: "Run") -> None:
        run.train()
        show(run)

    stage(verb, file, keys, limit, debug)


@app.command()
def run(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Do it all: plan, augment, teach, train, report."""

    def verb(run: "Run") -> None:
        from pipelines.plan import make_plan, show_plan

        show_plan(make_plan(run))
        show_counts(run.augment())
        work = run.teach()
        typer.echo(f"taught: {work['asked']:,} rows asked, {work['copied']:,} copied from earlier answers")
        run.train()
        show(run)

    stage(verb, file, keys, limit, debug)


@app.command()
def report(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Print the report of a finished run."""
    with reported(debug):
        show(load(file, keys, limit, debug))


@app.command()
def inspect(
    file: File,
    keys: Keys = None,
    limit: Annotated[int, typer.Option(help="How many originals to show.", min=1)] = 5,
    debug: Debug = False,
) -> None:
    """Show the groups of a cache, and some rows with their copies, changes marked."""
    with reported(debug):
        from pipelines.inspect import show_cache

        show_cache(load(file, keys, None, debug), limit)


@app.command()
def verify(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Check every byte of a cache against its manifests, and every group's rows against each other."""
    with reported(debug):
        from pipelines.inspect import verify_cache

        for line in verify_cache(load(file, keys, limit, debug)):
            typer.echo(line)


def show(run: "Run") -> None:
    """Print a run's report."""
    from rich.console import Console

    from pipelines.report import read_report, report_path, show_report

    path = report_path(run.configuration)
    show_report(read_report(path), path, Console())


def show_counts(accounting: dict[str, int]) -> None:
    """Print what became of the rows that were read."""
    typer.echo(
        f"rows: {accounting['read']:,} read = {accounting['kept']:,} kept + {accounting['merged']:,} merged + "
        f"{accounting['rejected']:,} rejected; {accounting.get('copies', 0):,} copies"
    )


def main() -> None:
    """Start the command line."""

    def end(number: int, frame: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    app()
