"""Verbs of the command line: run in this process, or as a user does, in one of their own."""

import json
import sys
from pathlib import Path

from typer.testing import CliRunner

from pipelines.command import app

DISTILL = Path(sys.executable).parent / "distill"
"""The command for a process of its own."""


def distill(*arguments: object):
    """Run a verb in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def good(*arguments: object) -> str:
    """Run a verb that must succeed; return what it printed."""
    done = distill(*arguments)
    assert done.exit_code == 0, done.output
    return done.output


def report_of(path: Path) -> dict:
    """The report beside a configuration that was run."""
    return json.loads((path.parent / "run/report.json").read_text())
