"""What a worker does with shard after shard, and when it stops."""

from dataclasses import dataclass

import apache_beam as beam
import pytest

from pipelines.engine import Engine
from pipelines.ground import Ground
from pipelines.progress import Progress
from pipelines.shard_function import by_shard
from schemas.errors import ResourceError
from schemas.work import Work, WorkLog

SHARDS = 5


@dataclass(frozen=True)
class StoppingWorker:
    """Works until a shard after which its run is over."""

    log: WorkLog
    last: int

    def run(self, element: int) -> tuple[int, Work]:
        if element == self.last:
            self.log.close()
        return element, Work(asked=1)


@dataclass(frozen=True)
class StoppingStage:
    """A job that is called off in the middle of its own work."""

    ground: Ground
    last: int
    accelerator: None = None

    def load(self) -> StoppingWorker:
        return StoppingWorker(self.ground.log, self.last)


@pytest.mark.parametrize("last", range(SHARDS))
def test_nothing_is_begun_for_a_run_that_is_over(tmp_path, last):
    log = WorkLog(tmp_path / "cache" / "work" / "teach", "this run")
    stage = StoppingStage(Ground.of(log, []), last)

    def build(pipeline: beam.Pipeline) -> None:
        _ = pipeline | beam.Create(range(SHARDS), reshuffle=False) | by_shard(pipeline, stage)

    def run() -> list[dict]:
        return Engine.of(1).run(build, log, Progress("work", SHARDS, "shards"))

    if last == SHARDS - 1:
        assert len(run()) == SHARDS
    else:
        with pytest.raises(ResourceError, match="it was called off"):
            run()
    # What was in hand is finished and noted.
    assert len(list(log.entries())) == last + 1
