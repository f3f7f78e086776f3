"""Word vectors, memory-mapped, and the nearest neighbours of words by cosine."""

import gzip
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from schemas.digest import digest, file_digest
from schemas.errors import ModelError
from schemas.store import temporary_beside

BLOCK = 256
"""Words whose similarities are computed in one product."""

Neighbours = list[tuple[str, float]]


@dataclass(frozen=True)
class Vectors:
    """Words and their vectors at length one, and the neighbours that were asked for before."""

    words: list[str]
    unit: Float[np.ndarray, "words width"]
    index: dict[str, int]
    remembered: dict[tuple[str, int], Neighbours] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Vectors":
        """Map vectors that `prepare` wrote."""
        words = (folder / "words.txt").read_text(encoding="utf-8").split("\n")
        unit = np.load(folder / "unit.npy", mmap_mode="r", allow_pickle=False)
        return cls(words, unit, {word: i for i, word in enumerate(words)})

    def neighbours(self, words: Sequence[str], top: int) -> dict[str, Neighbours]:
        """Return the `top` nearest words of each word that has a vector, itself left out, nearest first.

        Exact: a product with all vectors, in blocks; ties go to the word that stands earlier in the file.
        """
        asked = [word for word in dict.fromkeys(words) if word in self.index]
        new = sorted(word for word in asked if (word, top) not in self.remembered)
        for start in range(0, len(new), BLOCK):
            block = new[start : start + BLOCK]
            own = [self.index[word] for word in block]
            similar = self.unit[own] @ self.unit.T
            similar[np.arange(len(block)), own] = -np.inf
            for word, row in zip(block, similar, strict=True):
                nearest = np.argpartition(-row, min(top, len(row) - 1))[:top]
                nearest = nearest[np.lexsort((nearest, -row[nearest]))]
                self.remembered[word, top] = [(self.words[i], float(row[i])) for i in nearest if np.isfinite(row[i])]
        return {word: self.remembered[word, top] for word in asked}


def prepare(source: Path, folder: Path, rows: int) -> Path:
    """Turn the first `rows` vectors of a file into a folder that can be mapped; done once for a file's content."""
    target = folder / digest([file_digest(source), rows])
    if target.is_dir():
        return target
    words, matrix = read(source, rows)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    temporary = temporary_beside(target)
    temporary.mkdir(parents=True)
    try:
        (temporary / "words.txt").write_text("\n".join(words), encoding="utf-8")
        np.save(temporary / "unit.npy", (matrix / np.maximum(lengths, 1e-12)).astype(np.float32), allow_pickle=False)
        temporary.rename(target)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.is_dir():
            raise
    return target


def read(source: Path, rows: int) -> tuple[list[str], Float[np.ndarray, "words width"]]:
    """Read GloVe or word2vec text, gzipped or not, or a file that gensim saved."""
    if source.suffix in (".kv", ".model", ".bin"):
        return read_gensim(source, rows)
    words: list[str] = []
    vectors: list[np.ndarray] = []
    seen: set[str] = set()
    for number, line in lines(source):
        if len(words) == rows:
            break
        if number == 1 and is_header(line):
            continue
        # A few words of published files hold spaces, so the numbers are counted from the right.
        parts = line.split(" ") if not vectors else line.rsplit(" ", len(vectors[0]))
        try:
            vector = np.array(parts[1:], dtype=np.float32)
        except ValueError:
            vector = np.empty(0, np.float32)
        width = len(vectors[0]) if vectors else max(len(vector), 1)
        if len(vector) != width or not np.isfinite(vector).all():
            raise refusal(source, number, f"a word and {width} numbers", f"{line[:60]!r}")
        if parts[0] in seen or not parts[0]:
            raise refusal(source, number, "each word once", f"{parts[0]!r} again")
        seen.add(parts[0])
        words.append(parts[0])
        vectors.append(vector)
    if not words:
        raise refusal(source, 1, "word vectors", "an empty file")
    return words, np.stack(vectors)


def lines(source: Path) -> Iterator[tuple[int, str]]:
    """Return the numbered lines of a text file, without their ends; what is not UTF-8 is an error with its line."""
    at = 0
    try:
        with gzip.open(source, "rb") if source.suffix == ".gz" else source.open("rb") as file:
            for raw in file:
                at += 1
                yield at, raw.decode("utf-8").rstrip("\r\n ")
    except UnicodeDecodeError as error:
        raise refusal(source, at, "UTF-8", f"byte {error.object[error.start]:#04x}") from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise refusal(source, at + 1, "a whole gzip file", str(error)) from None


def is_header(line: str) -> bool:
    """Whether a first line is word2vec's: the number of words and the width."""
    parts = line.split()
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def read_gensim(source: Path, rows: int) -> tuple[list[str], Float[np.ndarray, "words width"]]:
    """Read what gensim saved: `.kv`, a model, or word2vec's binary format."""
    from gensim.models import KeyedVectors

    try:
        if source.suffix == ".bin":
            loaded = KeyedVectors.load_word2vec_format(str(source), binary=True, limit=rows)
        else:
            loaded = KeyedVectors.load(str(source), mmap="r")
        vectors = getattr(loaded, "wv", loaded)
        words = list(unbroken(vectors.index_to_key[:rows]))
        return words, np.asarray(vectors.vectors[:rows], np.float32)
    except (AttributeError, ValueError, KeyError, EOFError) as error:
        raise refusal(source, 1, "vectors saved by gensim", str(error)[:80]) from None


def unbroken(words: Iterable[str]) -> Iterator[str]:
    """Return words; one that holds a line break could not be written down again."""
    for word in words:
        if "\n" in word:
            raise ValueError(f"a word with a line break: {word!r}")
        yield word


def refusal(source: Path, line: int, expected: str, found: str) -> ModelError:
    """Return an error about a line of a file of vectors."""
    return ModelError(expected, f"{source}:{line}: {found}", "correct the file, or set `augment.vectors: none`")
