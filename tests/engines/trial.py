"""A trial: a small job on the demo's rows, done on this machine alone and then on clusters, to the same bytes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from conftest import cache_hashes, labelled
from engines.daemons import scratch
from transformers import AutoTokenizer, BertForSequenceClassification
from transformers.utils import logging

DEMO = Path(__file__).parents[2] / "examples" / "quickstart"
LABELS = ("access", "billing", "cancel", "delivery", "fault", "feedback", "question", "returns")
LOCALLY = ["--runner=FnApiRunner"]
COPIES = 10
PATIENCE = 600
"""Seconds that one stage may take on a busy machine."""
TAUGHT = ("teacher.*", "tokens.*", "work", ".lock")
"""What is in a cache from `teach` on."""


class Trial:
    """A folder with what a cache must hold, and other caches made by the same configuration; a context manager.

    Jobs that are still going on at its end are killed.
    """

    def __init__(self, folder: Path, *, shards: int = 16, layers: int = 4) -> None:
        self.folder = folder
        self.shards = shards
        self.layers = layers
        self.jobs: list[subprocess.Popen] = []

    def __enter__(self):
        return self

    def __exit__(self, *error: object) -> None:
        for job in self.jobs:
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
                job.wait()

    def prepare(self) -> None:
        """Make a teacher, and the cache that all others are compared with."""
        path = self.make_rows()
        done = self.distill("teach", path, LOCALLY)
        assert done.returncode == 0, done.stderr
        self.expected = hashes(path)

    def make_rows(self) -> Path:
        """Make a teacher and the rows that others start with; return the configuration."""
        logging.set_verbosity_error()  # Of weights that the demo's model has no use for here.
        torch.manual_seed(1)
        teacher = BertForSequenceClassification.from_pretrained(
            DEMO / "model",
            dtype=torch.float32,
            num_hidden_layers=self.layers,
            problem_type="single_label_classification",
            **labelled(LABELS),
        )
        teacher.save_pretrained(self.folder / "teacher")
        AutoTokenizer.from_pretrained(DEMO / "model").save_pretrained(self.folder / "teacher")
        path = self.configure("local")
        done = self.distill("augment", path, LOCALLY)
        assert done.returncode == 0, done.stderr
        return path

    def configure(self, name: str, *, with_rows: bool = False) -> Path:
        """Write the configuration of a run in a folder of its own; `with_rows` gives it the rows that were made."""
        folder = self.folder / name
        folder.mkdir()
        settings = {
            "name": "trial",
            "output": str(folder / "run"),
            "shards": self.shards,
            "task": {"texts": ["text"], "label": "label", "labels": LABELS},
            "data": {split: str(DEMO / f"{split}.csv") for split in ("train", "dev", "test")},
            "teacher": str(self.folder / "teacher"),
            "student": {"layers": 2},
            "augment": {
                "masked_language_model": str(DEMO / "model"),
                "vectors": str(DEMO / "vectors.txt.gz"),
                "copies": COPIES,
            },
            "teach": {"max_length": 64, "at_chance": "allow"},
            "workers": {"count": 1},
        }
        path = folder / "run.yaml"
        path.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        if with_rows:
            made = self.folder / "local" / "run" / "cache"
            shutil.copytree(made, cache_of(path), ignore=shutil.ignore_patterns(*TAUGHT))
        return path

    def start(self, stage: str, path: Path, options: Sequence[str]) -> subprocess.Popen:
        """Start a stage as a user does."""
        command = [sys.executable, "-m", "pipelines", stage, str(path), "--", *options]
        environment = {**os.environ, **scratch(self.folder), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        pipe = subprocess.PIPE
        job = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        self.jobs.append(job)
        return job

    def distill(self, stage: str, path: Path, options: Sequence[str]) -> subprocess.CompletedProcess:
        """Do a stage as a user does."""
        return finished(self.start(stage, path, options))

    def outcome(self, path: Path, done: subprocess.CompletedProcess) -> bool | str:
        """Return `True` where a run ended well with the bytes expected of it, else what differed."""
        if done.returncode:
            return f"exit code {done.returncode}: {done.stderr.strip()[-600:]}"
        found = hashes(path)
        differing = sorted(name for name in self.expected | found if self.expected.get(name) != found.get(name))
        return f"{len(differing)} files differ: {', '.join(differing[:5])}" if differing else True


def finished(process: subprocess.Popen) -> subprocess.CompletedProcess:
    """Wait for a stage to end; one that does not is killed."""
    try:
        said, complained = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        said, complained = process.communicate()
        complained += f"\nkilled after {PATIENCE} s"
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def cache_of(path: Path) -> Path:
    """Return the cache of a configuration."""
    return path.parent / "run" / "cache"


def hashes(path: Path) -> dict[str, str]:
    """Return the digest of all that a reader of a cache sees; temporary files begin with a dot."""
    return {name: found for name, found in cache_hashes(cache_of(path)).items() if not Path(name).name.startswith(".")}


def notes_of(path: Path) -> list[Path]:
    """Return the notes of the shards that are taught, the earliest first."""
    found = (cache_of(path) / "work" / "teach").glob("*.json")
    return sorted(found, key=lambda file: file.stat().st_mtime)


def rows_by_process(path: Path) -> dict[int, int]:
    """Return how many rows each process taught, in the order of their numbers."""
    taught: Counter[int] = Counter()
    for file in notes_of(path):
        note = json.loads(file.read_text(encoding="utf-8"))
        taught[note["process"]] += note["asked"]
    return dict(sorted(taught.items()))


def wait_for_shard(path: Path, process: subprocess.Popen) -> None:
    """Wait until the first shard is taught, and others are not."""
    end = time.monotonic() + PATIENCE
    while not notes_of(path):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the stage ended before its first shard: {finished(process).stderr[-1500:]}")
        time.sleep(0.02)
