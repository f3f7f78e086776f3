"""How much two workers of a cluster gain over one, beside what two bare model processes gain over one.

A machine's two cores share memory and clock, so two processes are never twice as fast as one: what a cluster could
reach is what the model alone reaches, measured in the same run. Both are measured while they work; how the rows were
shared is printed beside it.
"""

import json
import multiprocessing
import statistics
import time
from collections import Counter
from pathlib import Path

from engines.cluster import WORKERS, Cluster
from engines.trial import Trial, notes_of, rows_by_process

SHARDS = 32
"""So many that both workers get about half of the rows."""
LAYERS = 24
"""Of the teacher: so many that a worker is busy for half a minute, and asking is most of what it does."""
LEAST = 0.9
"""Of what bare processes gain, what workers must gain."""
SECONDS = 10.0
"""How long each bare process asks the model."""


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
    options = [each for each in cluster.options if not each.startswith("--parallelism")]
    done = trial.distill("teach", path, [*options, f"--parallelism={workers}"])
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
    """Return what two bare processes gain over one."""
    return bare_speed(trial, WORKERS) / bare_speed(trial, 1)


def bare_speed(trial: Trial, processes: int) -> float:
    """Return the batches a second that processes ask the bare model together."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        pool.map(ask, [(trial.folder / "teacher", 0.1)] * processes, chunksize=1)
        return sum(pool.map(ask, [(trial.folder / "teacher", SECONDS)] * processes, chunksize=1))


def ask(given: tuple[Path, float]) -> float:
    """Ask a model for a while, on one thread; return the batches a second."""
    import torch
    from transformers import BertForSequenceClassification

    folder, seconds = given
    torch.set_num_threads(1)
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.randint(5, 1000, (64, 24), generator=torch.Generator().manual_seed(0))
    taken = []
    with torch.inference_mode():
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            begin = time.perf_counter()
            model(input_ids=ids, output_hidden_states=True)
            taken.append(time.perf_counter() - begin)
    return 1 / statistics.mean(taken)
