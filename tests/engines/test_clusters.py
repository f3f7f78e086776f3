"""The pipelines on a real Spark and a real Flink: whatever happens to a job, its cache has the bytes of a local run."""

import os
from collections.abc import Iterator

import pytest
from engines import faults, modules
from engines.flink import Flink
from engines.spark import Spark
from engines.trial import Trial

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def trial(tmp_path_factory) -> Iterator[Trial]:
    """A job and what it leaves when it is done on this machine alone."""
    try:
        modules.fetch()
    except modules.Missing as missing:
        pytest.skip(f"the engines cannot be put together: {missing}")
    with Trial(tmp_path_factory.mktemp("trial")) as made:
        made.prepare()
        yield made


@pytest.fixture(scope="module", params=[Spark, Flink], ids=lambda kind: kind.name)
def cluster(request, trial):
    with request.param(trial.folder / f"{request.param.name}-cluster") as running:
        yield running


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda fault: fault.__name__)
def test_a_job_has_the_bytes_of_a_local_run(trial, cluster, fault):
    assert fault(trial, cluster) is True


def test_a_second_copy_of_a_task_changes_nothing(trial):
    with Spark(trial.folder / "speculating-cluster", speculation=True) as cluster:
        assert faults.slow_worker(trial, cluster) is True


@pytest.mark.slow
def test_a_worker_with_another_package_is_refused(trial, tmp_path, monkeypatch):
    other = tmp_path / "packages" / "offline_distill-0.0.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: offline-distill\nVersion: 0.0.0\n")
    path = os.environ.get("PYTHONPATH", "")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PYTHONPATH", f"{other.parent}{os.pathsep}{path}")
        started = Spark(trial.folder / "other-cluster")
        started.__enter__()
    try:
        done = trial.distill("teach", trial.configure("other", with_rows=True), started.options)
    finally:
        started.end()
    assert done.returncode == 2, done.stderr
    assert "offline-distill 0.0.0" in done.stderr
    assert "install the same packages" in done.stderr
