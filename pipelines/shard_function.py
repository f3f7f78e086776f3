"""The shard function: the one step of a pipeline that works; what a stage and its workers must offer to it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.shared import Shared

from pipelines.ground import Ground
from pipelines.runner import is_dataflow
from pipelines.worker_error import errors_sent_home
from schemas.store import resource_errors
from schemas.work import Work

KEYED = tuple[int, Any]
"""Rows by shard. What flows together must be coded alike: Spark takes one part's coder for all."""
MEMORY = 2 * 2**30
"""Bytes of a process before it has a model: libraries, a shard's text, a batch."""
COPIES = 3
"""Times the bytes of its weights that a model takes while it is read and asked."""


class Worker(Protocol):
    """What a process holds while it works on shards: models, readers."""

    def run(self, element: Any) -> tuple[int, Work]:
        """Work on one element; return its shard and what was done."""
        ...


class Stage(Protocol):
    """A picklable description from which every process loads its worker once."""

    @property
    def ground(self) -> Ground:
        """What a worker must have, and where its attempts are noted."""
        ...

    @property
    def accelerator(self) -> str | None:
        """What the models should run on, in the words of a runner that chooses machines."""
        ...

    def load(self) -> Worker:
        """Load models and open files."""
        ...


@dataclass(frozen=True)
class Loaded:
    """A process's worker, which one thread at a time may use: runners may give a process several."""

    worker: Worker
    lock: threading.Lock = field(default_factory=threading.Lock)


class ShardFunction(beam.DoFn):
    """Applies a stage's worker to elements; yields the numbers of the shards that are done.

    Nothing is done in `setup`: a Java runner hears of what goes wrong there only when it has waited three minutes for a
    stream of data, which Python begins after it.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.shared = Shared()

    def load(self) -> "Loaded":
        """Load the worker, if it has all that it needs."""
        self.stage.ground.check()
        return Loaded(self.stage.load())

    def process(self, element: Any) -> Iterator[int]:
        """Work on one shard."""
        with errors_sent_home():
            # Kept, so that it is loaded once a process.
            self.loaded: Loaded = self.shared.acquire(self.load)
            log = self.stage.ground.log
            with resource_errors(str(log.folder.parent)), self.loaded.lock:
                self.stage.ground.check_is_on()
                start = time.perf_counter()
                shard, work = self.loaded.worker.run(element)
                log.write(shard, work, time.perf_counter() - start)
        yield shard


def write_shards(pipeline: beam.Pipeline, found: PCollection, shards: int, stage: Stage) -> None:
    """Gather rows by their shard, of type `KEYED`, and give each shard to the stage's worker."""
    # Every shard is written, also one that no row fell into.
    every = [(shard, None) for shard in range(shards)]
    all_shards = pipeline | "shards" >> beam.Create(every, reshuffle=False).with_output_types(KEYED)
    _ = (
        (found, all_shards)
        | beam.Flatten()
        | beam.GroupByKey()
        | beam.Reshuffle()
        | "write" >> by_shard(pipeline, stage)
    )


def by_shard(pipeline: beam.Pipeline, stage: Stage) -> beam.PTransform:
    """Return the step that gives each element to the stage's worker, with what its machine should have."""
    step = beam.ParDo(ShardFunction(stage))
    # Others choose no machines by hints, and would only start a further process for every step with other ones.
    return step.with_resource_hints(**hints(stage)) if is_dataflow(pipeline.options) else step


def hints(stage: Stage) -> dict[str, Any]:
    """Return the memory that a process needs for its models, and the accelerator if one is wanted."""
    memory = -(-(MEMORY + COPIES * stage.ground.weights) // 2**30)
    accelerator = {"accelerator": stage.accelerator} if stage.accelerator else {}
    return {"min_ram": f"{memory}GiB", **accelerator}
