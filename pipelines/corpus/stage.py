"""The stage that turns a corpus into rows: documents are cut in parallel, and only numbers are shuffled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.utils.shared import Shared

from augment.shard import merge
from pipelines.corpus.documents import Document, documents
from pipelines.corpus.proposing import find_tokenizer, proposing_of
from pipelines.corpus.rows import Located, RowMaker
from pipelines.corpus.scan import CorpusScan
from pipelines.corpus.store import Store, build_store
from pipelines.corpus.units import Cutter
from pipelines.engine import Engine, new_run
from pipelines.ground import Ground
from pipelines.progress import Progress
from pipelines.shard_function import KEYED, write_shards
from pipelines.worker_error import errors_sent_home
from schemas import rows
from schemas.cache import Cache, shard_of
from schemas.configuration import Configuration
from schemas.configuration import Corpus as Settings
from schemas.digest import digest
from schemas.manifest import Manifest
from schemas.work import Work, WorkLog

FOLDER = "corpus"
DOCUMENTS_AT_ONCE = 64


@dataclass(frozen=True)
class CorpusWorker:
    """A process's writer of shards."""

    cache: Cache
    label_type: pa.DataType
    maker: RowMaker
    settings: str

    def run(self, element: tuple[int, Iterable[Located | None]]) -> tuple[int, Work]:
        """Write one shard; `None` among the rows says only that the shard is there."""
        shard, located = element
        found, merged = merge(self.maker.row(each) for each in located if each is not None)
        counts = {"kept": len(found), "merged": merged, "masked": sum(len(each.masks) for each in found)}
        group = self.cache.group(rows.NAME)
        rows.write_shard(group, shard, self.label_type, found, lambda read: (read, counts), settings=self.settings)
        return shard, Work()


@dataclass(frozen=True)
class CorpusStage:
    """What a process needs to open the corpus."""

    cache: Path
    name: str
    tokenizer: Path
    corpus: Settings
    seed: int
    label_type: pa.DataType
    settings: str
    ground: Ground
    accelerator: None = None

    def maker(self) -> RowMaker:
        """Open the corpus."""
        return RowMaker.load(self.name, self.cache / FOLDER, self.tokenizer, self.corpus, self.seed)

    def load(self) -> CorpusWorker:
        """Open the corpus for writing shards."""
        return CorpusWorker(Cache(self.cache), self.label_type, self.maker(), self.settings)


class CutDocuments(beam.DoFn):
    """Cuts documents into rows and keys each by its shard; a row goes as the numbers it is found again by."""

    def __init__(self, stage: CorpusStage, shards: int) -> None:
        self.stage = stage
        self.shards = shards
        self.shared = Shared()

    def load(self) -> RowMaker:
        """Open the corpus, if all that it needs is there."""
        self.stage.ground.check()
        return self.stage.maker()

    def process(self, element: tuple[int, int]) -> Iterator[tuple[int, Located]]:
        """Cut a range of documents."""
        with errors_sent_home():
            # Kept, so that it is opened once a process.
            self.maker: RowMaker = self.shared.acquire(self.load)
            for row, located in self.maker.rows(range(*element)):
                yield shard_of(row.id, self.shards), located


def corpus_shards(pipeline: beam.Pipeline, total: int, shards: int, stage: CorpusStage) -> None:
    """Wire the graph: ranges of documents, `Reshuffle`, rows as numbers, one `GroupByKey`, `Reshuffle`, shards."""
    ranges = [(first, min(first + DOCUMENTS_AT_ONCE, total)) for first in range(0, total, DOCUMENTS_AT_ONCE)]
    found = (
        pipeline
        | "documents" >> beam.Create(ranges, reshuffle=False)
        | "spread" >> beam.Reshuffle()
        | "cut" >> beam.ParDo(CutDocuments(stage, shards)).with_output_types(KEYED)
    )
    write_shards(pipeline, found, shards, stage)


def make_rows(configuration: Configuration, scan: CorpusScan, limit: int | None, engine: Engine) -> Manifest:
    """Write the group `rows` of a corpus; return its manifest."""
    cache = Cache(configuration.cache_path)
    store = open_store(configuration, scan, limit, cache.path / FOLDER)
    layout = cache.choose_layout(configuration.name, rows_expected(configuration, store), configuration.shards)
    proposing = proposing_of(configuration)
    tokenizer = find_tokenizer(configuration).path.resolve()
    stage = CorpusStage(
        cache=cache.path.resolve(),
        name=configuration.name,
        tokenizer=tokenizer,
        corpus=configuration.corpus,
        seed=configuration.seed,
        label_type=configuration.task.label_type,
        settings=digest([proposing, configuration.drawing]),
        ground=Ground.of(
            WorkLog(cache.path.resolve() / "work" / "augment", new_run()),
            [],
            [cache.path.resolve() / FOLDER, tokenizer],
        ),
    )
    engine.run(
        lambda pipeline: corpus_shards(pipeline, store.note.documents, layout.shards, stage),
        stage.ground.log,
        Progress("augment", layout.shards, "shards"),
    )
    reading = {**scan.accounting(), "documents_silent": store.note.silent, "pieces": store.note.pieces}
    settings = {"proposing": proposing, "drawing": configuration.drawing, "reading": reading, "read": scan.ids}
    return cache.group(rows.NAME).publish_manifest(settings, layout.shards)


def open_store(configuration: Configuration, scan: CorpusScan, limit: int | None, folder: Path) -> Store:
    """Return the store of a corpus, made anew where it is not there or is of another one."""
    tokenizer = find_tokenizer(configuration)
    input = digest([scan.ids, tokenizer.tokenizer_fingerprint])
    store = Store(folder)
    if store.is_made_from(input):
        return store
    progress = Progress("read", scan.kept, "documents")
    found = (each for each in documents(configuration, limit) if isinstance(each, Document))
    return build_store(folder, found, scan.documents, scan.counts, Cutter.load(tokenizer.path), input, progress.show)


def rows_expected(configuration: Configuration, store: Store) -> int:
    """Return about how many rows a store gives, by which the number of shards is chosen: a whole one every
    `corpus.pieces`, and half of one at every document's end."""
    each = store.note.pieces // configuration.corpus.pieces + store.note.documents // 2
    return configuration.corpus.passes * each
