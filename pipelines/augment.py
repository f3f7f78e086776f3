"""The augment stage: originals are shuffled to their shards, once and as text; each shard grows by itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from augment.candidates import name as group_name
from augment.eligibility import Eligibility
from augment.models.similarity import Similarity
from augment.proposers import Proposers
from augment.shard import Proposing, ShardAugmenter
from augment.strategy import Setting, Strategy, check_strategies, load_strategy, paths_of, strategy_files
from augment.vectors import prepare
from pipelines.engine import Engine, new_run
from pipelines.examples import files as files_of
from pipelines.ground import Ground
from pipelines.progress import Progress
from pipelines.proposers import find_masked_language_model, find_vectors, fingerprints
from pipelines.read import Scan, training_examples
from pipelines.shard_function import KEYED, write_shards
from pipelines.worker_error import errors_sent_home
from schemas import rows
from schemas.cache import Cache, shard_of
from schemas.checkpoint import Checkpoint
from schemas.configuration import Augmentation, Configuration
from schemas.errors import IntegrityError
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
    """What a process needs to load the strategies; `candidates` has the settings of each one's group, by name."""

    cache: Path
    label_type: pa.DataType
    augmentation: Augmentation
    seed: int
    proposers: Proposers
    eligibility: Eligibility
    similarity: Path | None
    candidates: dict[str, dict[str, Any]]
    rows: dict[str, Any]
    ground: Ground
    accelerator: str | None

    def load(self) -> AugmentWorker:
        """Load the models of the strategies."""
        least = self.augmentation.similarity.least if self.augmentation.similarity else 0.0
        return AugmentWorker(
            ShardAugmenter(
                Cache(self.cache),
                self.label_type,
                [Proposing(self.strategy(name), group_name(name), self.candidates[name]) for name in self.candidates],
                self.rows,
                Similarity.load(self.similarity, least, self.proposers.threads) if self.similarity else None,
            )
        )

    def strategy(self, name: str) -> Strategy:
        """Load a strategy."""
        return load_strategy(name, Setting(self.augmentation, self.proposers, self.eligibility, self.seed))


class ReadRows(beam.DoFn):
    """Reads the training rows and keys each by its shard."""

    def __init__(
        self, configuration: Configuration, scan: Scan, limit: int | None, shards: int, ground: Ground
    ) -> None:
        self.ground = ground
        self.configuration = configuration
        self.scan = scan
        self.limit = limit
        self.shards = shards

    def process(self, element: None) -> Iterator[tuple[int, Example]]:
        """Read all files, in order, as the limit counts rows over all of them."""
        with errors_sent_home():
            # What a later step could not work with is refused before anything is read.
            self.ground.check()
            for example in training_examples(self.configuration, self.scan, self.limit):
                yield shard_of(example.id, self.shards), example


def augment_shards(pipeline: beam.Pipeline, reading: ReadRows, shards: int, stage: AugmentStage) -> None:
    """Wire the graph: rows and the list of shards, one `GroupByKey` of text, `Reshuffle`, one `ParDo`."""
    found = (
        pipeline
        | "files" >> beam.Create([None], reshuffle=False)
        | "read" >> beam.ParDo(reading).with_output_types(KEYED)
    )
    write_shards(pipeline, found, shards, stage)


def augment(
    configuration: Configuration, scan: Scan, limit: int | None, engine: Engine
) -> tuple[Manifest, dict[str, int]]:
    """Write the groups `candidates` and `rows`; return the rows' manifest and how many rows were asked and copied."""
    cache = Cache(configuration.cache_path)
    layout = cache.choose_layout(configuration.name, scan.kept, configuration.shards)
    stage = make_stage(configuration, cache)
    reading = ReadRows(with_absolute_data(configuration), replace(scan, sample=()), limit, layout.shards, stage.ground)
    entries = engine.run(
        lambda pipeline: augment_shards(pipeline, reading, layout.shards, stage),
        stage.ground.log,
        Progress("augment", layout.shards, "shards"),
    )
    for name, proposing in stage.candidates.items():
        cache.group(group_name(name)).publish_manifest(proposing, layout.shards)
    settings = {**stage.rows, "reading": scan.accounting(), "read": scan.ids}
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


def data_files(configuration: Configuration) -> list[Path]:
    """Return the files that rows are read from."""
    return files_of([*configuration.data.train, *configuration.data.transfer])


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
    checkpoint = source = judge = None
    if settings.copies:
        check_strategies(settings)
        checkpoint, source = find_masked_language_model(settings), find_vectors(settings)
        judge = Checkpoint.find(settings.similarity.model) if settings.similarity else None
    folder = prepare(source, cache.path / "vectors", settings.vectors_rows) if source else None
    proposing = {**configuration.proposing, **fingerprints(settings)}
    files = strategy_files(settings) if settings.copies else {}
    drawing = {**configuration.drawing, **fingerprints(settings, ("similarity",))}
    return AugmentStage(
        cache=cache.path.resolve(),
        label_type=configuration.task.label_type,
        augmentation=settings,
        seed=configuration.seed,
        proposers=Proposers(
            checkpoint.path.resolve() if checkpoint else None,
            folder.resolve() if folder else None,
            settings.precision,
            configuration.workers.threads,
        ),
        eligibility=Eligibility.of(settings, configuration.task),
        similarity=judge.path.resolve() if judge else None,
        candidates={
            name: {**proposing, "strategy": name, "dials": settings.dials.get(name, {}), "files": files[name]}
            for name in files
        },
        rows={"proposing": {**proposing, "files": files}, "drawing": drawing},
        ground=Ground.of(
            WorkLog(cache.path.resolve() / "work" / "augment", new_run()),
            [each for each in (checkpoint, judge) if each],
            [
                *data_files(with_absolute_data(configuration)),
                *(path for name in files for path in paths_of(name, settings)),
            ],
        ),
        accelerator=configuration.workers.accelerator,
    )
