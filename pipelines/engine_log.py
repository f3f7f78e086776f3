"""The log of an engine: what runners and their processes print, kept from the terminal."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


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
