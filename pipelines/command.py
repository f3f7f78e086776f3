"""The command line: one verb a stage; heavy libraries are imported by the verb that needs them."""

import os
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.ending import reported, stop_on

if TYPE_CHECKING:
    from pipelines.planner import Planner
    from pipelines.run import Run

app = typer.Typer(
    name="distill",
    help="Grow the rows, ask the teacher once, train as many students as you like.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

KEYS = "Keys to override, such as augment.copies=10; after --, options for Beam."
File = Annotated[Path, typer.Argument(help="Run configuration.", metavar="RUN.YAML")]
Keys = Annotated[list[str] | None, typer.Argument(help=KEYS, metavar="[KEY=VALUE]... [-- BEAM OPTIONS]")]
Limit = Annotated[int | None, typer.Option(help="Only the first N rows of each split, in folders of their own.", min=1)]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and what Beam prints.")]

ENVIRONMENT = {
    # Workers are processes already; threads of the tokenizers beside them only warn and wait.
    "TOKENIZERS_PARALLELISM": "false",
    # What is missing in a checkpoint is checked and said by us; bars of every loaded file are noise in a log.
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
runner_options: list[str] = []
"""What stood after `--` on the command line; Beam's to read, whatever it looks like."""

# Verbs


@app.command()
def init(
    data: Annotated[Path, typer.Argument(help="Your training rows: TSV, CSV, JSONL or Parquet.")],
    output: Annotated[Path, typer.Option(help="Where to write the configuration.")] = Path("run.yaml"),
    limit: Annotated[int | None, typer.Option(help="Look at the first N rows only.", min=1)] = None,
    debug: Debug = False,
) -> None:
    """Write a commented run configuration for your data, and say what was assumed."""
    with reported(debug):
        from pipelines.initialise import initialise
        from pipelines.printable import printable
        from schemas.errors import ConfigurationError
        from schemas.store import resource_errors, write_text

        text, assumptions = initialise(data, limit)
        if output.exists():
            raise ConfigurationError("a new file", f"{output} is there", "name another with --output, or remove it")
        if not output.parent.is_dir():
            raise ConfigurationError("a folder that is there", f"--output {output}: none", "make it, or name another")
        with resource_errors(str(output)):
            write_text(output, text)
        for assumption in assumptions:
            typer.echo(f"assumed: {printable(assumption)}")
        typer.echo(f"written: {output}; correct it where it is wrong, then: distill plan {output}")


@app.command()
def plan(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Say what is done, what would be done, and what it costs; nothing is computed but a short calibration."""
    with reported(debug):
        found = load(file, keys, limit, debug)
        found.check()
        show_plan(found)


@app.command()
def augment(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Read the rows and grow them."""
    on_run(do_augment, file, keys, limit, debug)


@app.command()
def teach(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Ask the teacher once for every row, and keep what it said."""
    on_run(do_teach, file, keys, limit, debug)


@app.command()
def train(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Train and evaluate the students from the cache."""
    on_run(do_train, file, keys, limit, debug)


@app.command()
def run(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Do it all: plan, augment, teach, train, report."""
    on_run(do_all, file, keys, limit, debug)


@app.command()
def report(file: File, keys: Keys = None, limit: Limit = None, debug: Debug = False) -> None:
    """Print the report of a finished run."""
    with reported(debug):
        from schemas.errors import ConfigurationError

        run = load(file, keys, limit, debug)
        if run.configuration.data.corpus:
            where = run.output / "students/general/losses.jsonl"
            raise ConfigurationError("a run with labels", "one over `data.corpus`", f"see {where}: it has only losses")
        run.write_missing_page()
        show_report(run)


@app.command()
def inspect(
    file: File,
    keys: Keys = None,
    limit: Limit = None,
    originals: Annotated[int, typer.Option(help="How many originals to show.", min=0)] = 5,
    html: Annotated[Path | None, typer.Option(help="Write the same as a page, with a filter over copies.")] = None,
    group: Annotated[str | None, typer.Option(help="Show one group: columns, what made it, its numbers.")] = None,
    debug: Debug = False,
) -> None:
    """Show the groups of a cache, and some rows with their copies, changes marked; or one group."""
    with reported(debug):
        from pipelines.inspect import show_cache, show_group

        run = load(file, keys, limit, debug)
        if group is not None:
            show_group(run, group)
        else:
            show_cache(run, originals, html)


@app.command()
def verify(
    file: File,
    keys: Keys = None,
    limit: Limit = None,
    live: Annotated[int, typer.Option(help="Ask the teacher again for this many rows, drawn at random.", min=0)] = 0,
    seed: Annotated[
        int | None, typer.Option(help="Draw the rows that --live drew when it printed this seed.", min=0)
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Make anew what is bad, and nothing else.")] = False,
    debug: Debug = False,
) -> None:
    """Check every byte of a cache against its manifests, and the rows of all groups against each other."""
    with reported(debug):
        from pipelines import repair as repairing
        from pipelines import verify as verifying

        run = load(file, keys, limit, debug)
        with run.held() if repair else nullcontext():
            for line in repairing.repair(run) if repair else verifying.verify(run):
                typer.echo(line)
        if live:
            from pipelines.verify_live import verify_live

            for line in verify_live(run, live, secrets.randbits(32) if seed is None else seed):
                typer.echo(line)


@app.command()
def pool(
    port: Annotated[
        int, typer.Option(help="Where Beam's engines on this machine ask for workers.", min=1, max=65535)
    ] = 50000,
    host: Annotated[str, typer.Option(help="Who may ask: whoever reaches it may run code here.")] = "localhost",
    debug: Debug = False,
) -> None:
    """Start Python workers for a Spark or Flink cluster, on each of its machines, until stopped."""
    with reported(debug):
        from pipelines.beam_module import beam_module

        beam_module("worker_pool", "pool").serve(host, port)


# What they do


def do_augment(run: "Run") -> None:
    """Augment, and say what became of the rows."""
    from pipelines.report import accounted

    typer.echo(accounted(run.augment()))


def do_teach(run: "Run") -> None:
    """Teach, and say what it took."""
    work = run.teach()
    typer.echo(f"taught: {work['asked']:,} rows asked, {work['copied']:,} copied from earlier answers")


def do_train(run: "Run") -> None:
    """Train, and show the report."""
    results = run.train()
    if run.configuration.data.corpus:
        typer.echo(
            f"trained: {run.output / 'students' / results[0].name}, {results[0].steps:,} steps; nothing to measure"
        )
        return
    show_report(run)


def do_all(run: "Run") -> None:
    """Do every stage in turn."""
    run.check()
    show_plan(run).check_budget()
    do_augment(run)
    do_teach(run)
    do_train(run)


def show_plan(run: "Run") -> "Planner":
    """Print a run's plan; return who made it."""
    from pipelines.plan import show_plan
    from pipelines.planner import Planner

    planner = Planner(run)
    show_plan(planner.plan())
    return planner


def show_report(run: "Run") -> None:
    """Print a run's report."""
    from pipelines.printable import Terminal
    from pipelines.report import read_report, report_path, show_report

    show_report(read_report(report_path(run.configuration)), run.configuration, Terminal())


# Around them


def load(file: Path, keys: list[str] | None, limit: int | None, debug: bool) -> "Run":
    """Read the configuration and make the run."""
    from pipelines.run import Run
    from schemas.load_configuration import load_configuration

    return Run(load_configuration(file, keys or ()).limited(limit), limit, tuple(runner_options), debug)


def on_run(do: Callable[["Run"], None], file: Path, keys: list[str] | None, limit: int | None, debug: bool) -> None:
    """Do something on a run while holding its folders."""
    with reported(debug):
        run = load(file, keys, limit, debug)
        with run.held():
            do(run)


def main() -> None:
    """Start the command line."""
    stop_on(signal.SIGINT, signal.SIGTERM)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # A recipe of the user's own may lie in the folder they stand in.
    sys.path.append(os.getcwd())
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    runner_options.extend(arguments[end + 1 :])
    app(arguments[:end])
