"""The store: the documents of a corpus in memory-mapped files, read at random by whoever makes rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.corpus.documents import Document
from pipelines.corpus.ring import Ring, points_of, write_ring
from pipelines.corpus.units import Cutter
from schemas.digest import file_digest
from schemas.errors import DataError, IntegrityError
from schemas.manifest import Sealed
from schemas.store import publish
from schemas.temporary import temporary_beside

CHARACTERS_PER_BATCH = 1 << 18
FILES = ("documents.arrow", "points.npy", "sentences.npy", "firsts.npy")
REMEDY = "run `distill augment` again: it reads the corpus anew"

SCHEMA = pa.schema(
    [
        pa.field("id", pa.uint64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("sentences", pa.large_list(pa.int32()), nullable=False),
        pa.field("starts", pa.large_list(pa.int32()), nullable=False),
        pa.field("stops", pa.large_list(pa.int32()), nullable=False),
        pa.field("pieces", pa.large_list(pa.int32()), nullable=False),
    ]
)
"""A document: its sentences with single spaces between them, the units up to each sentence's end, its units."""


class StoreNote(Sealed):
    """What a store holds, written last; `input` is the digest of what it was made from."""

    input: str
    documents: int
    silent: int
    pieces: int
    files: dict[str, str]


@dataclass(frozen=True)
class Places:
    """Where the parts of a document lie.

    `sentences` has the units up to each sentence's end and 0 before them, `pieces` likewise the pieces up to each unit;
    `starts` and `stops` are the characters of the units.
    """

    sentences: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    pieces: np.ndarray

    def pieces_in(self, first: int, last: int) -> int:
        """Return how many pieces the units from `first` to before `last` have."""
        return int(self.pieces[last] - self.pieces[first])


@dataclass(frozen=True)
class Store:
    """An open store."""

    folder: Path

    @cached_property
    def note(self) -> StoreNote:
        """What the store holds."""
        return StoreNote.read(self.folder / "store.json", REMEDY)

    @cached_property
    def ring(self) -> Ring:
        """Where random second texts come from."""
        return Ring.open(self.folder)

    @cached_property
    def batches(self) -> list[pa.RecordBatch]:
        """Views of the documents, in order."""
        file = pa.ipc.open_file(pa.memory_map(str(self.folder / "documents.arrow")))
        return [file.get_batch(i) for i in range(file.num_record_batches)]

    @cached_property
    def first_of_batch(self) -> np.ndarray:
        """The number of the first document of every batch, and of the one after the last."""
        return np.cumsum([0, *(batch.num_rows for batch in self.batches)])

    def find(self, document: int) -> tuple[pa.RecordBatch, int]:
        """Return the batch of a document and its row there."""
        batch = int(np.searchsorted(self.first_of_batch, document, side="right")) - 1
        return self.batches[batch], document - int(self.first_of_batch[batch])

    def identity(self, document: int) -> tuple[int, int]:
        """Return a document's id, and how often it was read."""
        batch, row = self.find(document)
        return batch.column("id")[row].as_py(), batch.column("count")[row].as_py()

    @cached_property
    def text(self) -> Callable[[int], str]:
        """A function that returns the text of a document, and remembers the last few."""

        def text(document: int) -> str:
            batch, row = self.find(document)
            return batch.column("text")[row].as_py()

        return lru_cache(256)(text)

    @cached_property
    def places(self) -> Callable[[int], Places]:
        """A function that returns where the parts of a document lie, and remembers the last few."""

        def places(document: int) -> Places:
            batch, row = self.find(document)
            names = ("sentences", "starts", "stops", "pieces")
            return Places(*(batch.column(name)[row].values.to_numpy() for name in names))

        return lru_cache(256)(places)

    def is_made_from(self, input: str) -> bool:
        """Whether the store is whole and holds just this corpus, as this tokenizer cuts it."""
        try:
            return self.note.input == input and all(
                file_digest(self.folder / name) == found for name, found in self.note.files.items()
            )
        except (IntegrityError, FileNotFoundError):
            return False


def build_store(
    folder: Path,
    documents: Iterable[Document],
    ids: np.ndarray,
    counts: np.ndarray,
    cutter: Cutter,
    input: str,
    progress: Callable[[int], None] = lambda done: None,
) -> Store:
    """Write the store of documents; each is kept once, and `ids`, in order, and `counts` say how often it was read.

    Memory is a batch of text and a few bytes a document. Raises `IntegrityError` where the documents are not those.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "store.json").unlink(missing_ok=True)
    builder = Builder(folder, ids, counts, cutter)
    try:
        with pa.OSFile(str(builder.texts), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            for batch in builder.batches(documents):
                writer.write_batch(batch)
                progress(int(builder.seen.sum()))
        if not builder.seen.all():
            raise changed(f"{int((~builder.seen).sum()):,} documents fewer")
        if not builder.firsts:
            found = f"{builder.silent:,} documents of which it sees nothing"
            raise DataError("text that the tokenizer has pieces for", found, "name other text or another tokenizer")
        write_ring(folder, builder.unsorted(), np.array(builder.firsts, np.int64))
        publish(builder.texts, folder / "documents.arrow")
    finally:
        builder.texts.unlink(missing_ok=True)
        builder.points.unlink(missing_ok=True)
    StoreNote(
        input=input,
        documents=len(builder.firsts),
        silent=builder.silent,
        pieces=builder.pieces,
        files={name: file_digest(folder / name) for name in FILES},
    ).write(folder / "store.json")
    return Store(folder)


class Builder:
    """What is known while a store is being written."""

    def __init__(self, folder: Path, ids: np.ndarray, counts: np.ndarray, cutter: Cutter) -> None:
        self.ids = ids
        self.counts = counts
        self.cutter = cutter
        self.texts = temporary_beside(folder / "documents.arrow")
        self.points = temporary_beside(folder / "points.npy")
        self.seen = np.zeros(len(ids), bool)
        self.firsts: list[int] = []
        self.sentences = self.pieces = self.silent = 0

    def batches(self, documents: Iterable[Document]) -> Iterable[pa.RecordBatch]:
        """Yield batches of documents that were not seen yet."""
        self.points.write_bytes(b"")
        pending: list[tuple[Document, int]] = []
        size = 0
        for document in documents:
            at = int(np.searchsorted(self.ids, np.uint64(document.id)))
            if at == len(self.seen) or self.ids[at] != document.id:
                raise changed("a document more")
            if not self.seen[at]:
                self.seen[at] = True
                pending.append((document, int(self.counts[at])))
                size += sum(map(len, document.sentences))
            if size >= CHARACTERS_PER_BATCH:
                yield self.batch(pending)
                pending, size = [], 0
        if pending:
            yield self.batch(pending)

    def batch(self, documents: list[tuple[Document, int]]) -> pa.RecordBatch:
        """Tokenise some documents and note their points."""
        texts = [" ".join(document.sentences) for document, _ in documents]
        columns: list[list] = [[] for _ in SCHEMA]
        for (document, count), text, units in zip(documents, texts, self.cutter.units(texts), strict=True):
            ends = np.cumsum([len(sentence) + 1 for sentence in document.sentences]) - 1
            # A sentence without pieces, such as one of control characters, is none.
            sentences = np.unique(np.append(0, np.searchsorted(units.stops, ends, side="right"))).astype(np.int32)
            if len(sentences) == 1:
                self.silent += 1
                continue
            pieces = np.append(np.int32(0), units.pieces)
            row = (document.id, count, text, sentences, units.starts, units.stops, pieces)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
            self.firsts.append(self.sentences)
            self.sentences += len(sentences) - 1
            self.pieces += int(pieces[-1])
            with self.points.open("ab") as file:
                points_of(document.id, len(sentences) - 1).tofile(file)
        return pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )

    def unsorted(self) -> np.ndarray:
        """Return the points of all sentences in order of reading, as a memory map."""
        return np.memmap(self.points, np.uint64, "r") if self.sentences else np.empty(0, np.uint64)


def changed(found: str) -> IntegrityError:
    """Return the error for a corpus that changed between two readings."""
    return IntegrityError("the documents that were counted at first", found, "leave the files alone and run it again")
