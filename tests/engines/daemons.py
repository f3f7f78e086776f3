"""Daemons: programs of other processes that end with the block that started them, however it ends."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE = 180.0
"""Seconds that a daemon may take to come up on a busy machine."""


def scratch(folder: Path) -> dict[str, str]:
    """Return what has programs put into a folder whatever they would leave behind when they are killed."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {"TMPDIR": str(temporary), "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={temporary}"}


class Daemons:
    """Processes with their logs, each the leader of a group that is ended as one; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen] = {}

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.up()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def up(self) -> None:
        """Start what belongs to it."""

    def start(self, name: str, command: list[str], **environment: str) -> subprocess.Popen:
        """Start one daemon."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                env={**os.environ, **scratch(self.folder), **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.running[name]

    def kill(self, name: str) -> None:
        """End one daemon and all that it started, at once."""
        daemon = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()

    def end(self) -> None:
        """End all daemons."""
        for name in list(self.running):
            self.kill(name)

    def wait_until(self, there: Callable[[], bool], what: str) -> None:
        """Wait for something; raises `TimeoutError`, or `RuntimeError` with the end of its log where a daemon died."""
        end = time.monotonic() + PATIENCE
        while not there():
            for name, daemon in self.running.items():
                if daemon.poll() is not None:
                    said = (self.folder / f"{name}.log").read_text(errors="replace")
                    raise RuntimeError(f"{name} ended with {daemon.returncode}: {said[-2000:]}")
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {PATIENCE:.0f} s; logs are in {self.folder}")
            time.sleep(0.2)
