"""Faults: what is done to a job in the middle of teaching, after which its cache must be what it would have been."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from engines.cluster import Cluster, free_port, workers_from
from engines.trial import PATIENCE, Trial, cache_of, finished, notes_of, rows_by_process, wait_for_shard

Outcome = bool | str
SETTLING = 5.0
"""Seconds in which a worker teaches more than one shard."""
Fault = Callable[[Trial, Cluster], Outcome]


def none(trial: Trial, cluster: Cluster) -> Outcome:
    """Nothing: both stages, from files to answers."""
    path = trial.configure(f"{cluster.name}-none")
    done = trial.distill("augment", path, cluster.options)
    if done.returncode == 0:
        done = trial.distill("teach", path, cluster.options)
    taught = rows_by_process(path)
    print(f"{cluster.name}: rows taught by process: {taught}", flush=True)
    if len(taught) < 2:
        return f"all rows were taught by {len(taught)} process"
    return trial.outcome(path, done)


def python_killed(trial: Trial, cluster: Cluster) -> Outcome:
    """A Python worker is killed while it writes a shard."""
    path, job = started(trial, cluster, "python-killed")
    busy_worker(cluster, path).kill()
    return trial.outcome(path, finished(job))


def engine_killed(trial: Trial, cluster: Cluster) -> Outcome:
    """The engine's own worker is killed while Python works for it."""
    path, job = started(trial, cluster, "engine-killed")
    busy_worker(cluster, path)
    cluster.kill_engine_worker()
    return trial.outcome(path, finished(job))


def cancelled(trial: Trial, cluster: Cluster) -> Outcome:
    """Ctrl-C at the command line ends the job on the cluster too; the same command goes on."""
    path, job = started(trial, cluster, "cancelled")
    busy_worker(cluster, path)
    job.send_signal(signal.SIGINT)
    done = finished(job)
    if done.returncode != 130:
        return f"exit code {done.returncode} after Ctrl-C: {done.stderr.strip()[-600:]}"
    if not comes_true(lambda: has_settled(cluster, path)):
        return "a cancelled job went on teaching"
    taught = len(notes_of(path))
    print(f"{cluster.name}: {taught} of {trial.shards} shards taught when cancelled", flush=True)
    if taught == trial.shards:
        return "the workers of a cancelled job did all that was left"
    return trial.outcome(path, trial.distill("teach", path, cluster.options))


def by_name(trial: Trial, cluster: Cluster) -> Outcome:
    """No fault: the runner goes by the engine's name, and starts a job server of its own from one jar."""
    path = trial.configure(f"{cluster.name}-by-name", with_rows=True)
    return trial.outcome(path, trial.distill("teach", path, cluster.named_options))


def other_package(trial: Trial, cluster: Cluster) -> Outcome:
    """The Python workers have another version of the package: the job is refused, and says so."""
    packages = cluster.folder / "packages"
    other = packages / "offline_distill-0.0.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: offline-distill\nVersion: 0.0.0\n")
    port = free_port()
    found = os.pathsep.join(filter(None, (str(packages), os.environ.get("PYTHONPATH"))))
    cluster.start_pool("other-pool", port, PYTHONPATH=found)
    path = trial.configure(f"{cluster.name}-other-package", with_rows=True)
    done = trial.distill("teach", path, [*cluster.options, *workers_from(port)])
    said = ("offline-distill 0.0.0", "install the same packages")
    refused = done.returncode == 2 and all(each in done.stderr for each in said)
    return refused or f"exit code {done.returncode}: {done.stderr.strip()[-600:]}"


def slow_worker(trial: Trial, cluster: Cluster) -> Outcome:
    """A Python worker stands still for a while, then goes on; with speculation another has done its work by then."""
    path, job = started(trial, cluster, "slow-worker")
    slow = busy_worker(cluster, path)
    slow.suspend()
    try:
        raced = comes_true(lambda: cluster.speculated() or job.poll() is not None)
        # Long enough for the other to be in the middle of the same shards.
        time.sleep(2)
    finally:
        slow.resume()
    done = finished(job)
    return trial.outcome(path, done) if raced and cluster.speculated() else "no task was run a second time"


FAULTS: tuple[Fault, ...] = (none, by_name, python_killed, engine_killed, cancelled, other_package)


def started(trial: Trial, cluster: Cluster, name: str) -> tuple[Path, subprocess.Popen]:
    """Start teaching rows that are there; return when the first shard is taught."""
    path = trial.configure(f"{cluster.name}-{name}", with_rows=True)
    job = trial.start("teach", path, cluster.options)
    wait_for_shard(path, job)
    return path, job


def busy_worker(cluster: Cluster, path: Path) -> psutil.Process:
    """Return a Python worker that is in the middle of writing a shard."""
    found: list[psutil.Process] = []

    def there() -> bool:
        found[:] = [each for each in cluster.python_workers() if writes(each, cache_of(path))]
        return bool(found)

    if not comes_true(there):
        raise RuntimeError("no Python worker is in the middle of a shard")
    return found[0]


def has_settled(cluster: Cluster, path: Path) -> bool:
    """Whether no shard is taught any more: none is begun, and none is done while a worker would do several."""
    before = notes_of(path)
    time.sleep(SETTLING)
    return notes_of(path) == before and not is_working(cluster, path)


def is_working(cluster: Cluster, path: Path) -> bool:
    """Whether some Python worker writes to a cache."""
    return any(writes(each, cache_of(path)) for each in cluster.python_workers())


def writes(process: psutil.Process, cache: Path) -> bool:
    """Whether a process has an unfinished shard of answers open."""
    try:
        opened = [Path(os.readlink(each)) for each in Path(f"/proc/{process.pid}/fd").iterdir()]
    except OSError:
        return False
    return any(each.suffix == ".tmp" and each.is_relative_to(cache) for each in opened)


def comes_true(condition: Callable[[], bool], patience: float = PATIENCE / 10) -> bool:
    """Wait for something; return whether it came."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
