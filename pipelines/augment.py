"""The augment stage: originals are shuffled to their shards, once and as text; each shard grows by itself."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from augment import strategies
from augment.candidates import NAME as CANDIDATES
from augment.shard import ShardAugmenter, Strategy
from augment.vectors import prepare
from pipelines.engine import Engine, ShardFunction, errors_sent_home, new_run
from pipelines.progress import Progress
from pipelines.proposers import find_masked_language_model, find_vectors, fingerprints
from pipelines.read import Scan, training_examples
from schemas import rows
from schemas.cache import Cache, shard_of
from schemas.configuration import Augmentation, Configuration
from schemas.errors import ConfigurationError, IntegrityError
from schemas.example import Example
from schemas.manifest import Manifest
from schemas.work import Work, WorkLog


@dataclass(frozen=True)
class AugmentWorker:
    """A process's augmenter."""

    augmenter: ShardAugmenter

    def run(self, element: tuple[int, Iterable[Example | None]]) -> tuple[int, Work]:
        """Augment one shard; `None` among the rows says only that the shard is there."""
        shard, found = element
        return shard, self.augmenter.augment(shard, (example for example in found if example is not None))


@dataclass(frozen=True)
class AugmentStage:
    """What a process needs to load the strategy."""

    cache: Path
    label_type: pa.DataType
    augmentation: Augmentation
    seed: int
    threads: int
    masked_language_model: Path | None
    vectors: Path | None
    proposing: dict[str, Any]
    drawing: dict[str, Any]
    log: WorkLog

    def load(self) -> AugmentWorker:
        """Load the models of the strategy."""
        return AugmentWorker(
            ShardAugmenter(Cache(self.cache), self.label_type, self.strategy(), self.proposing, self.drawing)
        )

    def strategy(self) -> Strategy | None:
        """Load the strategy, `None` where no copies are wanted."""
        if self.masked_language_model is None:
            return None
        module = importlib.import_module(f"augment.strategies.{self.augmentation.strategy}")
        return module.load(
            self.augmentation,
            seed=self.seed,
            threads=self.threads,
            masked_language_model=self.masked_language_model,
            vectors=self.vectors,
        )


class ReadRows(beam.DoFn):
    """Reads the training rows and keys each by its shard."""

    def __init__(self, configuration: Configuration, scan: Scan, limit: int | None, shards: int) -> None:
        self.configuration = configuration
        self.scan = scan
        self.limit = limit
        self.shards = shards

    def process(self, element: None) -> Iterator[tuple[int, Example]]:
        """Read all files, in order, as the limit counts rows over all of them."""
        with errors_sent_home():
            for example in training_examples(self.configuration, self.scan, self.limit):
                yield shard_of(example.id, self.shards), example


def augment_shards(pipeline: beam.Pipeline, reading: ReadRows, shards: int, stage: AugmentStage) -> None:
    """Wire the graph: rows and the list of shards, one `GroupByKey` of text, `Reshuffle`, one `ParDo`."""
    found = pipeline | "files" >> beam.Create([None], reshuffle=False) | "read" >> beam.ParDo(reading)
    # Every shard is written, also one that no row fell into.
    all_shards = pipeline | "shards" >> beam.Create([(shard, None) for shard in range(shards)], reshuffle=False)
    _ = (
        (found, all_shards)
        | beam.Flatten()
        | beam.GroupByKey()
        | beam.Reshuffle()
        | "augment" >> beam.ParDo(ShardFunction(stage))
    )


def augment(
    configuration: Configuration, scan: Scan, limit: int | None, engine: Engine
) -> tuple[Manifest, dict[str, int]]:
    """Write the groups `candidates` and `rows`; return the rows' manifest and how many rows were asked and copied."""
    cache = Cache(configuration.cache_path)
    layout = cache.choose_layout(configuration.name, scan.kept, configuration.shards)
    stage = make_stage(configuration, cache)
    reading = ReadRows(with_absolute_data(configuration), scan, limit, layout.shards)
    entries = engine.run(
        lambda pipeline: augment_shards(pipeline, reading, layout.shards, stage),
        stage.log,
        Progress("augment", layout.shards, "shards"),
    )
    if stage.masked_language_model is not None:
        cache.group(CANDIDATES).publish_manifest(stage.proposing, layout.shards)
    settings = {"proposing": stage.proposing, "drawing": stage.drawing, "reading": scan.accounting(), "read": scan.ids}
    manifest = cache.group(rows.NAME).publish_manifest(settings, layout.shards)
    check_accounting(scan, manifest)
    return manifest, {key: sum(entry[key] for entry in entries) for key in ("asked", "copied")}


def with_absolute_data(configuration: Configuration) -> Configuration:
    """Return the configuration with data paths that mean the same in a worker's folder."""
    data = configuration.data
    paths = {split: path and str(Path(path).absolute()) for split, path in (("dev", data.dev), ("test", data.test))}
    many = {
        split: tuple(str(Path(path).absolute()) for path in patterns)
        for split, patterns in (("train", data.train), ("transfer", data.transfer))
    }
    return configuration.model_copy(update={"data": data.model_copy(update={**paths, **many})})


def check_accounting(scan: Scan, manifest: Manifest) -> None:
    """Refuse rows that are not those the reading pass counted, as when a file changed in between."""
    counts = manifest.accounting
    if (counts.get("kept"), counts.get("merged")) != (scan.kept, scan.merged):
        raise IntegrityError(
            f"{scan.kept:,} rows kept and {scan.merged:,} merged, as were counted at first",
            f"{counts.get('kept'):,} and {counts.get('merged'):,}",
            "leave the data files alone while they are read, and run the command again",
        )


def make_stage(configuration: Configuration, cache: Cache) -> AugmentStage:
    """Find the models and say what the groups depend on."""
    settings = configuration.augment
    known = strategy_names()
    if settings.strategy not in known:
        found = f"augment.strategy: `{settings.strategy}`"
        raise ConfigurationError(f"a strategy: {', '.join(known)}", found, "correct `augment.strategy`")
    checkpoint = vectors = None
    if settings.copies:
        checkpoint, source = find_masked_language_model(settings), find_vectors(settings)
        vectors = prepare(source, cache.path / "vectors", settings.vectors_rows) if source else None
    return AugmentStage(
        cache=cache.path.resolve(),
        label_type=configuration.task.label_type,
        augmentation=settings,
        seed=configuration.seed,
        threads=configuration.workers.threads,
        masked_language_model=checkpoint.path.resolve() if checkpoint else None,
        vectors=vectors.resolve() if vectors else None,
        proposing={**configuration.proposing, **fingerprints(settings)},
        drawing=configuration.drawing,
        log=WorkLog(cache.path.resolve() / "work" / "augment", new_run()),
    )


def strategy_names() -> list[str]:
    """Return the names of the strategies: the files of their folder."""
    return sorted(module.name for module in pkgutil.iter_modules(strategies.__path__))
