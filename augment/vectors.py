"""Word vectors: the nearest words of a word, from a matrix in mapped memory."""

import glob
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from augment.vector_file import read
from schemas.digest import digest, files_digest
from schemas.errors import IntegrityError
from schemas.store import resource_errors, stored_text, temporary_beside

FORMAT = 1
WORDS = "words.json"
MATRIX = "vectors.npy"

# Numbers of a block of the product: 64 MiB.
BLOCK = 1 << 24
# Words taken beyond those asked for, so that rounding in the product cannot lose one.
MARGIN = 16

Neighbours = list[tuple[str, float]]


def fingerprint(source: Path, rows: int) -> str:
    """Return the digest of a file of vectors and of how many of its rows are taken."""
    files = [source, *source.parent.glob(f"{glob.escape(source.name)}.*.npy")]
    return digest([FORMAT, files_digest(files), rows])


def prepare(source: Path, folder: Path, rows: int) -> Path:
    """Return a folder that `Vectors.load` can open, made from the first `rows` words of a file on first use.

    Its name is the digest of the file and of `rows`. Raises `ModelError` for a file that cannot be read.
    """
    prepared = folder / fingerprint(source, rows)
    if prepared.is_dir():
        return prepared
    words, vectors = read(source, rows)
    norms = np.sqrt(np.einsum("wd,wd->w", vectors, vectors, dtype=np.float64))
    # A vector of length 0 has no direction, hence no neighbours.
    kept = np.flatnonzero(norms > 0)
    vectors = (vectors[kept] / norms[kept, None]).astype(np.float32)
    temporary = temporary_beside(prepared)
    with resource_errors(str(prepared)):
        try:
            temporary.mkdir(parents=True)
            (temporary / WORDS).write_text(json.dumps([words[i] for i in kept], ensure_ascii=False), encoding="utf-8")
            np.save(temporary / MATRIX, vectors, allow_pickle=False)
            publish_folder(temporary, prepared)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return prepared


def publish_folder(temporary: Path, path: Path) -> None:
    """Give a finished folder its name in one step, unless another attempt was first."""
    for file in temporary.iterdir():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    try:
        temporary.rename(path)
    except OSError:
        if not path.is_dir():
            raise


@dataclass(frozen=True)
class Vectors:
    """Words and their vectors of length 1, [words, width], in mapped memory; remembers what was asked of it."""

    words: list[str]
    vectors: Float32[np.ndarray, "words width"]
    index: dict[str, int]
    remembered: dict[tuple[str, int], Neighbours] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Vectors":
        """Open a folder that `prepare` made."""
        remedy = f"delete {path} and run the same command again"
        try:
            words = json.loads(stored_text(path / WORDS, remedy))
            vectors = np.load(path / MATRIX, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise IntegrityError("prepared word vectors", f"{path}: {error}", remedy) from None
        if vectors.ndim != 2 or vectors.dtype != np.float32 or len(words) != len(vectors):
            raise IntegrityError(
                f"a float32 vector for each of {len(words):,} words",
                f"{path / MATRIX}: {vectors.dtype} {vectors.shape}",
                remedy,
            )
        return cls(words, vectors, {word: i for i, word in enumerate(words)})

    def neighbours(self, words: Sequence[str], top: int) -> dict[str, Neighbours]:
        """Return the `top` nearest words of each word and their cosines, best first; unknown words are left out.

        Exact; the word itself is not among them; equal cosines are in the file's order. A word's answer does not depend
        on what it was asked together with.
        """
        known = [word for word in dict.fromkeys(words) if word in self.index]
        new = [word for word in known if (word, top) not in self.remembered]
        block = max(1, BLOCK // max(1, len(self.words)))
        for start in range(0, len(new), block):
            queries = [self.index[word] for word in new[start : start + block]]
            for query, near in zip(queries, self.shortlists(queries, top), strict=True):
                self.remembered[self.words[query], top] = self.ranked(query, near, top)
        return {word: self.remembered[word, top] for word in known}

    def shortlists(self, queries: Sequence[int], top: int) -> Int64[np.ndarray, "queries near"]:
        """Return the indices of somewhat more than `top` nearest words of each query, in no order."""
        cosines = self.vectors[queries] @ self.vectors.T
        cosines[np.arange(len(queries)), queries] = -np.inf
        near = min(top + MARGIN, len(self.words) - 1)
        return np.argpartition(-cosines, near, axis=1)[:, :near]

    def ranked(self, query: int, near: Int64[np.ndarray, " near"], top: int) -> Neighbours:
        """Return the best of a shortlist; a product of its own, as a block's rounding depends on its other queries."""
        near = np.sort(near)
        cosines = self.vectors[near].astype(np.float64) @ self.vectors[query].astype(np.float64)
        rounded = cosines.astype(np.float32)
        order = np.lexsort((near, -rounded))[:top]
        return [(self.words[near[i]], float(rounded[i])) for i in order]
