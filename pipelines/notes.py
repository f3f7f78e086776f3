"""Notes: what changes from run to run, and so is part of no digest; run.json keeps it for people."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from schemas.configuration import Configuration
from schemas.store import write_text

NAME = "run.json"
VERSIONS = ("offline-distill", "apache-beam", "torch", "transformers", "pyarrow", "numpy", "gensim")


def add_note(folder: Path, configuration: Configuration, stage: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Write down the facts of a stage beside those of earlier ones; return all of it."""
    notes = read_notes(folder)
    notes["machine"] = {"python": platform.python_version(), "system": platform.platform()}
    notes["versions"] = {name: installed(name) for name in VERSIONS}
    notes["configuration"] = configuration.model_dump(mode="json")
    notes.setdefault("stages", {})[stage] = facts
    write_text(folder / NAME, json.dumps(notes, indent=1) + "\n")
    return notes


def read_notes(folder: Path) -> dict[str, Any]:
    """Return the notes of earlier stages; they are for people, so damaged ones are only begun anew."""
    try:
        return dict(json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def installed(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return version(package)
    except ModuleNotFoundError:
        return None
