"""A sample of a corpus's rows, by which a plan knows how many there will be and how long that takes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipelines.corpus.documents import Document, documents
from pipelines.corpus.proposing import find_tokenizer
from pipelines.corpus.rows import RowMaker
from pipelines.corpus.scan import CorpusScan
from pipelines.corpus.store import build_store
from pipelines.corpus.units import Cutter
from schemas.configuration import Configuration
from schemas.example import Example

DOCUMENTS = 64


@dataclass(frozen=True)
class CorpusSample:
    """Some rows of the first documents, and what all documents come to: rows, and seconds on one core."""

    examples: list[Example]
    rows: int
    seconds: float


def corpus_sample(configuration: Configuration, scan: CorpusScan, limit: int | None, number: int) -> CorpusSample:
    """Make the rows of the first documents, as if there were no others, and return some of them."""
    cutter = Cutter.load(find_tokenizer(configuration).path)
    first = list({each.id: each for each in head(configuration, limit)}.values())
    ids = np.sort(np.array([each.id for each in first], np.uint64))
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        store = build_store(Path(folder), first, ids, np.ones(len(ids), np.int64), cutter, "sample")
        maker = RowMaker(configuration.name, store, cutter, configuration.corpus, configuration.seed)
        made = list({row.id: row for row, _ in maker.rows(range(store.note.documents))}.values())
    share = scan.characters / sum(len(sentence) for each in first for sentence in each.sentences)
    some = [made[i] for i in np.linspace(0, len(made) - 1, min(number, len(made))).astype(int).tolist()]
    return CorpusSample(some, round(len(made) * share), (time.perf_counter() - start) * share)


def head(configuration: Configuration, limit: int | None) -> Iterator[Document]:
    """Yield the first documents."""
    found = (each for each in documents(configuration, limit) if isinstance(each, Document))
    yield from islice(found, DOCUMENTS)
