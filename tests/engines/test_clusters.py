"""The pipelines on a real Spark and a real Flink: whatever happens to a job, its cache has the bytes of a local run."""

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
