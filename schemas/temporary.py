"""Temporary names: what a file is called until it is finished."""

import uuid
from pathlib import Path


def temporary_beside(path: Path) -> Path:
    """Return a name in the same folder that no other attempt uses; readers ignore it and `sweep` removes it."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
