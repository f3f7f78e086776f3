"""The same rows give the same bytes, whoever works on them, how often, in which order, and however it ends."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import cache_hashes, run_yaml
from stages import run_stage
from verbs import DISTILL

STRATEGIES = ["tinybert", "evolving", "tang"]
GROUPS = ("rows", "cache.json", *(f"candidates.{name}" for name in STRATEGIES))
PRELOADED = [
    "pipelines.augment",
    "pipelines.teach",
    "pipelines.read",
    "augment.strategies.evolving",
    "augment.strategies.tang",
    "distill.fine_tune",
]


@pytest.fixture(scope="module")
def models(teacher_folder, masked_language_model_folder, vectors_file):
    return teacher_folder, masked_language_model_folder, vectors_file


@pytest.fixture(scope="module")
def processes():
    """Processes that have everything imported before they begin."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@pytest.fixture(scope="module")
def taught(models, tmp_path_factory, processes):
    """A whole cache, made by one undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    path = run_yaml(folder, *models, augment={"strategy": STRATEGIES, "copies": 3})
    for stage in ("augment", "teach"):
        finish(processes, path, stage)
    return folder


def finish(processes, path: Path, stage: str, *options: str) -> None:
    process = processes.Process(target=run_stage, args=(str(path), stage, options))
    process.start()
    process.join(300)
    assert process.exitcode == 0


def again(taught: Path, folder: Path) -> Path:
    """The same configuration over another cache."""
    shutil.copytree(taught, folder, ignore=shutil.ignore_patterns("run"))
    text = (folder / "run.yaml").read_text().replace(json.dumps(str(taught / "run")), json.dumps(str(folder / "run")))
    (folder / "run.yaml").write_text(text)
    return folder / "run.yaml"


def test_a_cache_has_every_group_and_counts_every_row(taught):
    hashes = cache_hashes(taught / "run/cache")
    groups = {name.split("/")[0] for name in hashes} - {"cache.json"}
    assert {*GROUPS, "teacher.logits.f32", "teacher.hidden.0-2-4.f16"} - {"cache.json"} < groups
    manifest = json.loads((taught / "run/cache/rows/manifest.json").read_text())
    counts = {key: sum(s["accounting"].get(key, 0) for s in manifest["shards"]) for key in ("kept", "merged", "copies")}
    assert counts["kept"] == 60
    assert counts["copies"] > 60
    assert sum(shard["rows"] for shard in manifest["shards"]) == counts["kept"] + counts["copies"]


def test_run_twice(taught, processes):
    before = cache_hashes(taught / "run/cache")
    for stage in ("augment", "teach"):
        finish(processes, taught / "run.yaml", stage)
    assert cache_hashes(taught / "run/cache") == before


def test_bundles_that_are_repeated(taught, processes, tmp_path):
    path = again(taught, tmp_path / "repeat")
    for stage in ("augment", "teach"):
        finish(processes, path, stage, "--direct_runner_bundle_repeat=2")
    assert cache_hashes(tmp_path / "repeat/run/cache") == cache_hashes(taught / "run/cache")


def test_a_shuffled_file(taught, processes, tmp_path):
    path = again(taught, tmp_path / "shuffled")
    header, *lines = (tmp_path / "shuffled/train.tsv").read_text().splitlines()
    random.Random(5).shuffle(lines)
    (tmp_path / "shuffled/train.tsv").write_text("\n".join([header, *lines]) + "\n")
    for stage in ("augment", "teach"):
        finish(processes, path, stage)
    assert cache_hashes(tmp_path / "shuffled/run/cache") == cache_hashes(taught / "run/cache")


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_more_workers(taught, processes, tmp_path, workers):
    path = again(taught, tmp_path / "workers")
    for stage in ("augment", "teach"):
        options = (f"--direct_num_workers={workers}", "--direct_running_mode=multi_processing")
        finish(processes, path, stage, *options)
    assert cache_hashes(tmp_path / "workers/run/cache") == cache_hashes(taught / "run/cache")


@pytest.mark.parametrize("times", [6, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("stage", ["augment", "teach"])
def test_killed_at_random_moments_and_continued(taught, processes, tmp_path, stage, times):
    wanted = cache_hashes(taught / "run/cache")
    if stage == "augment":
        wanted = {k: v for k, v in wanted.items() if k.split("/")[0] in GROUPS}
    path = again(taught, tmp_path / "killed")
    cache = tmp_path / "killed/run/cache"
    finish(processes, path, "augment")
    if stage == "teach":
        shutil.copytree(cache, tmp_path / "rows")
    moments = random.Random(7)
    seconds = 0.0
    killed = 0
    # The first time is not killed: it says how long an undisturbed attempt takes.
    for attempt in range(60):
        shutil.rmtree(cache)
        if stage == "teach":
            shutil.copytree(tmp_path / "rows", cache)
        process = processes.Process(target=run_stage, args=(str(path), stage, ()))
        start = time.monotonic()
        process.start()
        process.join(moments.uniform(0.05, 0.95) * seconds if attempt else 300)
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            killed += process.exitcode == -signal.SIGKILL
        seconds = seconds or time.monotonic() - start
        finish(processes, path, stage)
        assert cache_hashes(cache) == wanted
        if killed == times:
            return
    pytest.fail(f"killed {killed} times only")


def test_the_job_api_with_worker_processes_of_their_own(taught, tmp_path, job_service):
    path = again(taught, tmp_path / "portable")
    job, pool, environment = job_service
    for stage in ("augment", "teach"):
        options = ["--runner=PortableRunner", f"--job_endpoint=localhost:{job}"]
        options += ["--environment_type=EXTERNAL", f"--environment_config=localhost:{pool}"]
        done = subprocess.run([DISTILL, stage, path, "--", *options], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert cache_hashes(tmp_path / "portable/run/cache") == cache_hashes(taught / "run/cache")
