"""The file of rejects: every row that was left out, why, from where, and its bytes."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipelines.record import Reject
from schemas.store import publish
from schemas.temporary import temporary_beside


class Rejects:
    """An open file of rejects; without a file, a place where they are counted by nobody."""

    def __init__(self, file: TextIO | None) -> None:
        self.file = file

    def write(self, reject: Reject) -> None:
        """Write a rejected row as a line of JSON; `raw` is base64."""
        if self.file is None:
            return
        entry = {
            "reason": reject.reason,
            "path": str(reject.where.file),
            "line": reject.where.line,
            "offset": reject.where.offset,
            "field": reject.field,
            "raw": base64.b64encode(reject.raw).decode(),
        }
        self.file.write(json.dumps(entry) + "\n")


@contextmanager
def written_rejects(path: Path | None) -> Iterator[Rejects]:
    """Open a file under a temporary name; it gets its own when all went well, if it holds anything."""
    if path is None:
        yield Rejects(None)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        with temporary.open("w", encoding="utf-8") as file:
            yield Rejects(file)
        if temporary.stat().st_size:
            publish(temporary, path)
        else:
            path.unlink(missing_ok=True)
    finally:
        temporary.unlink(missing_ok=True)
