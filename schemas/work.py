"""Work: what attempts at shards did; kept beside a cache and never part of what is hashed."""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from schemas.errors import IntegrityError
from schemas.store import names_in, remove, size_of, stored_text, write_text


@dataclass(frozen=True)
class Work:
    """What one attempt at a shard did: rows asked of a model, rows copied from an earlier shard."""

    asked: int = 0
    copied: int = 0


@dataclass(frozen=True)
class WorkLog:
    """One small file a shard, written by whoever worked on it last."""

    folder: Path
    run: str

    def open(self) -> None:
        """Say in the folder which run is on: whoever finds another there, or none, looks into another folder."""
        write_text(self.folder / "run", self.run)

    def close(self) -> None:
        """Say that the run is called off; whoever works for it begins nothing more."""
        remove(self.folder / "run")

    def is_open(self) -> bool:
        """Whether this is the folder that the run was opened in."""
        try:
            return stored_text(self.folder / "run", "") == self.run
        except IntegrityError:
            return False

    def write(self, shard: int, work: Work, seconds: float) -> None:
        """Say what was done, by which process, for which run."""
        path = self.folder / f"{shard:05d}.json"
        earlier = json.loads(stored_text(path, "")) if size_of(path) else {}
        if earlier.get("run") == self.run:
            # A runner may repeat what it has done; the repetition finds nothing left to ask.
            work = Work(work.asked + earlier["asked"], work.copied + earlier["copied"])
        where = {"process": os.getpid(), "host": socket.gethostname()}
        write_text(path, json.dumps({"run": self.run, **asdict(work), "seconds": seconds, **where}) + "\n")

    def entries(self) -> Iterator[dict]:
        """Return what this run did so far, shard by shard."""
        for name in names_in(self.folder):
            if not name.endswith(".json"):
                continue
            entry = json.loads(stored_text(self.folder / name, ""))
            if entry["run"] == self.run:
                yield entry
