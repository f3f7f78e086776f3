"""The reading pass over a corpus: what is there, before any of it is tokenised."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.corpus.documents import documents
from pipelines.record import Reject
from pipelines.rejects import written_rejects
from schemas.configuration import Configuration
from schemas.digest import digest, ids_digest
from schemas.errors import DataError


@dataclass(frozen=True)
class CorpusScan:
    """What one pass over a corpus found; `read = kept + merged + rejected` counts documents.

    `sentences` and `characters` are of the kept. `documents` are their ids, in order, and `counts` how often each was
    read; `ids` is the digest of both.
    """

    read: int
    kept: int
    merged: int
    rejected: int
    sentences: int
    characters: int
    ids: str
    documents: np.ndarray = field(repr=False, compare=False)
    counts: np.ndarray = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        assert self.read == self.kept + self.merged + self.rejected, self

    def accounting(self) -> dict[str, int]:
        """Return the counts by name; `read`, `kept` and the like without more are words for rows."""
        names = ("read", "kept", "merged", "rejected")
        return {**{f"documents_{name}": getattr(self, name) for name in names}, "sentences": self.sentences}


def scan_corpus(configuration: Configuration, limit: int | None, rejects: Path | None) -> CorpusScan:
    """Read a corpus once: count, write rejected documents to `rejects` as JSON lines.

    Raises `DataError` for what cannot be used. A document takes 24 bytes of memory, however long it is.
    """
    ids, sentences, characters = array("Q"), array("Q"), array("Q")
    rejected = 0
    with written_rejects(rejects) as file:
        for found in documents(configuration, limit):
            if isinstance(found, Reject):
                rejected += 1
                file.write(found)
                continue
            ids.append(found.id)
            sentences.append(len(found.sentences))
            characters.append(sum(map(len, found.sentences)))
    everything = np.frombuffer(ids, np.uint64)
    distinct, first, counts = np.unique(everything, return_index=True, return_counts=True)
    needed = 2 if configuration.corpus.segments == "pairs" else 1
    if len(distinct) < needed:
        raise DataError(
            "two documents at least, as the second text of a pair may come from another"
            if needed == 2
            else "documents",
            f"{', '.join(configuration.data.corpus)}: {len(distinct):,} left, {rejected:,} rejected",
            "part documents by blank lines, name more files, or set `corpus.segments: single`",
        )
    return CorpusScan(
        read=len(ids) + rejected,
        kept=len(distinct),
        merged=len(ids) - len(distinct),
        rejected=rejected,
        sentences=int(np.frombuffer(sentences, np.uint64)[first].sum()),
        characters=int(np.frombuffer(characters, np.uint64)[first].sum()),
        ids=digest([ids_digest(distinct), ids_digest(counts)]),
        documents=distinct,
        counts=counts,
    )
