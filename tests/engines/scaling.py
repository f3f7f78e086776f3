"""How much two workers of a cluster gain over one, beside what two bare model processes gain over one.

A machine's two cores share memory and clock, so two processes are never twice as fast as one: what a cluster could
reach is what the model alone reaches, measured in the same run. Both are measured while they work; how the rows were
shared is printed beside it.
"""

import functools
import json
import multiprocessing
import statistics
import time
from collections import Counter
from pathlib import Path

import torch
from engines.cluster import WORKERS, Cluster, workers_from
from engines.trial import Trial, notes_of, rows_by_process
from transformers import BertForSequenceClassification

SHARDS = 32
"""So many that both workers get about half of the rows."""
LAYERS = 24
"""Of the teacher: so many that a worker is busy for half a minute, and asking is most of what it does."""
LEAST = 0.9
"""Of what bare processes gain, what workers must gain."""
TURNS = 5
SECONDS = 3.0
"""How long each bare process asks the model at a turn."""


def two_workers_vs_one(trial: Trial, cluster: Cluster) -> float:
    """Return the gain of teaching with two workers by the gain of two bare processes; leaves one worker."""
    before = bare_gain(trial)
    both = teaching_speed(trial, cluster, WORKERS)
    cluster.leave_one()
    taught = both / teaching_speed(trial, cluster, 1)
    bare = before, bare_gain(trial)
    print(f"{cluster.name}: two workers gain {taught:.3f}, two bare processes {bare[0]:.3f}, {bare[1]:.3f}", flush=True)
    return taught / statistics.mean(bare)


def teaching_speed(trial: Trial, cluster: Cluster, workers: int) -> float:
    """Return the rows a second that so many workers teach together while they work: they load models once a job."""
    path = trial.configure(f"{cluster.name}-{workers}-workers", with_rows=True)
    done = trial.distill("teach", path, [*cluster.options, *workers_from(cluster.pool_port, workers)])
    assert done.returncode == 0, done.stderr
    taught = rows_by_process(path)
    print(f"{cluster.name}: rows taught by process: {taught}", flush=True)
    if len(taught) < workers:
        raise RuntimeError(f"fewer than {workers} workers taught any row")
    asked, ends = Counter[int](), dict[int, list[float]]()
    for file in notes_of(path):
        note = json.loads(file.read_text())
        # The first shard of a process warms it up, as the first batches of bare processes do.
        asked[note["process"]] += note["asked"] if note["process"] in ends else 0
        ends.setdefault(note["process"], []).append(file.stat().st_mtime)
    busy = [each[-1] - each[0] for each in ends.values()]
    # Two workers are done when the slower is; one worker of Spark has a process after another.
    return asked.total() / (max(busy) if workers > 1 else sum(busy))


def bare_gain(trial: Trial) -> float:
    """Return what two bare processes gain over one, asking the model by turns."""
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:

        def speed(processes: int) -> float:
            return sum(pool.map(ask, [trial.folder / "teacher"] * processes, chunksize=1))

        speed(WORKERS)  # Which has both load the model.
        return statistics.median(speed(WORKERS) / speed(1) for _ in range(TURNS))


def ask(folder: Path) -> float:
    """Ask a model for a while, on one thread; return the batches a second."""
    model = bare(folder)
    ids = torch.randint(5, 1000, (64, 24), generator=torch.Generator().manual_seed(0))
    count, begin = 0, time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() < begin + SECONDS:
            model(input_ids=ids, output_hidden_states=True)
            count += 1
    return count / (time.perf_counter() - begin)


@functools.cache
def bare(folder: Path) -> BertForSequenceClassification:
    """Load a model, once a process."""
    torch.set_num_threads(1)
    return BertForSequenceClassification.from_pretrained(folder).eval()
