"""Word vectors: the nearest words of a word, from a matrix in mapped memory."""

import glob
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from augment.vector_file import read
from schemas.digest import digest, files_digest
from schemas.errors import IntegrityError
from schemas.store import bring, resource_errors, send_folder, stored_text
from schemas.temporary import temporary_beside

FORMAT = 1
WORDS = "words.json"
MATRIX = "vectors.npy"

# Numbers of a block of the product: 128 MiB.
BLOCK = 1 << 25
# Words of a strand, of which only the best is looked at at first.
STRAND = 32
# Words taken beyond those asked for, so that rounding in the product cannot lose one.
MARGIN = 10

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
        return send_folder(prepared)
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
    return send_folder(prepared)


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
            vectors = np.load(bring(path / MATRIX), mmap_mode="r", allow_pickle=False)
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
        new = [self.index[word] for word in known if (word, top) not in self.remembered]
        block = min(len(new), max(1, BLOCK // max(1, len(self.words))))
        # One piece of memory for all blocks: to be given a new one each time takes as long as a fifth of the product.
        room = np.empty((block, len(self.words)), np.float32)
        for start in range(0, len(new), max(1, block)):
            queries = np.array(new[start : start + block])
            products = np.matmul(self.vectors[queries], self.vectors.T, out=room[: len(queries)])
            near, cosines = self.ranked(queries, shortlists(products, queries, top), top)
            for query, places, values in zip(queries.tolist(), near.tolist(), cosines.tolist(), strict=True):
                found = [(self.words[place], value) for place, value in zip(places, values, strict=True)]
                self.remembered[self.words[query], top] = found
        return {word: self.remembered[word, top] for word in known}

    def ranked(
        self, queries: Int64[np.ndarray, " queries"], near: Int64[np.ndarray, "queries near"], top: int
    ) -> tuple[Int64[np.ndarray, "queries top"], Float32[np.ndarray, "queries top"]]:
        """Return the best of shortlists and their cosines, computed anew: a block's rounding depends on the block."""
        near = np.sort(near, axis=1)
        asked = self.vectors[queries].astype(np.float64)
        cosines = np.empty(near.shape, np.float32)
        for row, places in enumerate(near):
            cosines[row] = self.vectors[places].astype(np.float64) @ asked[row]
        order = np.lexsort((near, -cosines))[:, :top]
        return np.take_along_axis(near, order, 1), np.take_along_axis(cosines, order, 1)


def shortlists(
    cosines: Float32[np.ndarray, "queries words"], queries: Int64[np.ndarray, " queries"], top: int
) -> Int64[np.ndarray, "queries near"]:
    """Return the indices of somewhat more than `top` nearest words of each query, in no order.

    Only the best of each of many strands of words is looked at at first: the `near` nearest words lie in the `near`
    strands with the best ones.
    """
    cosines[np.arange(len(queries)), queries] = -np.inf
    words = cosines.shape[1]
    near, strands = min(top + MARGIN, words - 1), words // STRAND
    if strands <= near:
        found, tied = largest(cosines, near)
    else:
        whole = strands * STRAND
        best = cosines[:, :whole].reshape(len(queries), STRAND, strands).max(axis=1)
        chosen, tied = largest(best, near)
        some = chosen[:, :, None] + strands * np.arange(STRAND)
        rest = np.broadcast_to(np.arange(whole, words), (len(queries), words - whole))
        some = np.concatenate([some.reshape(len(queries), -1), rest], axis=1)
        places, also = largest(np.take_along_axis(cosines, some, 1), near)
        found, tied = np.take_along_axis(some, places, 1), tied | also
    found = np.array(found)
    for row in np.flatnonzero(tied):
        # Of equals at the end of the list the first in the file are wanted, which a partition does not know.
        found[row] = np.argsort(-cosines[row], kind="stable")[:near]
    return found


def largest(
    values: Float32[np.ndarray, "rows columns"], count: int
) -> tuple[Int64[np.ndarray, "rows count"], Bool[np.ndarray, " rows"]]:
    """Return the columns of the largest values of each row, in no order, and whether there were others as large."""
    rows, columns = values.shape
    if not 0 < count < columns:
        return np.broadcast_to(np.arange(count), (rows, count)), np.zeros(rows, np.bool_)
    found = np.argpartition(values, columns - count, axis=1)[:, columns - count :]
    least = np.take_along_axis(values, found, 1).min(axis=1, keepdims=True)
    return found, (values >= least).sum(axis=1) > count
