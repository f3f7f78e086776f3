"""Progress: how far long work is, how fast it goes and when it ends; on a terminal and without one."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

QUIET_SECONDS = 10.0
"""Seconds between two lines where nobody sits at a terminal."""


class Progress:
    """One piece of long work, counted in `unit`."""

    def __init__(self, name: str, total: int, unit: str, stream: TextIO | None = None) -> None:
        self.name = name
        self.total = total
        self.unit = unit
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.begin = self.last = time.monotonic()
        self.first: int | None = None
        self.finished = False

    def show(self, done: int, note: str = "") -> None:
        """Say how far the work is, if it is time to; the rate counts from the first call, not from resumed work."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.begin = done, now
        due = 0.2 if self.terminal else QUIET_SECONDS
        if self.finished or (done < self.total and now - self.last < due):
            return
        self.last = now
        self.finished = done >= self.total
        rate = (done - self.first) / (now - self.begin) if now > self.begin else 0.0
        left = f", {duration((self.total - done) / rate)} left" if rate and done < self.total else ""
        speed = f", {rate:,.1f} {self.unit}/s" if rate else ""
        line = f"{self.name}: {done:,} of {self.total:,} {self.unit}{speed}{left}{f' ({note})' if note else ''}"
        end = "\n" if done >= self.total or not self.terminal else ""
        self.stream.write(f"\r\x1b[K{line}{end}" if self.terminal else f"{line}{end}")
        self.stream.flush()


def training_progress(name: str) -> Callable[[int, int, str], None]:
    """Return a function that shows how far the training of an arm is."""
    progress: list[Progress] = []

    def show(done: int, total: int, note: str) -> None:
        if not progress:
            progress.append(Progress(f"train {name}", total, "steps"))
        progress[0].show(done, note)

    return show


def duration(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
