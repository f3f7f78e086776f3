"""Files of word vectors: GloVe and word2vec text, word2vec binary, gensim's own; read up to a number of words."""

import gzip
import pickle
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Float32

from schemas.errors import ModelError

WordVectors = tuple[list[str], Float32[np.ndarray, "words width"]]

# What a pickled gensim object is made of: nothing that can run anything.
NUMPY = {"_reconstruct", "scalar", "ndarray", "dtype", "_frombuffer"}


def read(path: Path, rows: int) -> WordVectors:
    """Return the first `rows` words of a file and their vectors.

    Gensim's own begins as pickles do, whatever its name; `.bin` is word2vec's binary, everything else text, also with
    `.gz`.
    Raises `ModelError` that names the file, and the line where there are lines.
    """
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    form = read_gensim if is_pickle(path) else read_binary if kind == ".bin" else read_text
    words, vectors = form(path, rows)
    if not words:
        refuse(path, "words and their vectors", "none")
    if not np.isfinite(vectors).all():
        word = words[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
        refuse(path, "finite numbers", f"those of `{word}` are not")
    return words, vectors


def is_pickle(path: Path) -> bool:
    """Whether a file begins as pickles of protocol 2 and later do; 0x80 begins no text in UTF-8."""
    with path.open("rb") as file:
        return file.read(1) == b"\x80"


def read_text(path: Path, rows: int) -> WordVectors:
    """Read a word and its numbers from each line; a word may hold spaces; two counts may come first."""
    lines = numbered_lines(path)
    number, first = next(lines, (1, b""))
    fields = first.split()
    counts = [int(field) for field in fields if field.isdigit()] if len(fields) == 2 else []
    width = counts[1] if len(counts) == 2 else len(fields) - 1
    if width < 1:
        refuse(f"{path}:{number}", "a word and its numbers", f"`{shown(first)}`")
    if len(counts) < 2:
        lines = chain([(number, first)], lines)
    words: dict[str, int] = {}
    vectors = []
    for number, line in islice(lines, rows):
        word, vector = parse_line(f"{path}:{number}", line, width)
        if word in words:
            refuse(f"{path}:{number}", "every word once", f"`{word}` again, as in line {words[word]}")
        words[word] = number
        vectors.append(vector)
    if len(counts) == 2 and len(words) < min(counts[0], rows):
        refuse(path, f"{counts[0]:,} words, as line 1 says", f"{len(words):,}")
    return list(words), np.array(vectors, np.float32).reshape(-1, width)


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, counted from 1; only a line feed ends a line, words hold all else."""
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        refuse(f"{path}:{number + 1}", "a whole gzip file", str(error))


def parse_line(place: str, line: bytes, width: int) -> tuple[str, Float32[np.ndarray, " width"]]:
    """Split a line from the right into a word and its numbers."""
    word, *numbers = line.rsplit(None, width)
    if len(numbers) < width or word != word.strip():
        refuse(place, f"a word and {width} numbers", f"`{shown(line)}`, {len(line.split())} fields")
    try:
        with np.errstate(over="ignore"):
            name, vector = word.decode(), np.array([float(number) for number in numbers], np.float32)
    except UnicodeDecodeError:
        refuse(place, "UTF-8", f"`{shown(word)}`")
    except ValueError as error:
        refuse(place, f"a word and {width} numbers", str(error))
    if not np.isfinite(vector).all():
        refuse(place, "finite numbers", f"`{shown(line)}`")
    return name, vector


def read_binary(path: Path, rows: int) -> WordVectors:
    """Read word2vec's binary form through gensim."""
    from gensim.models import KeyedVectors

    try:
        found = KeyedVectors.load_word2vec_format(str(path), binary=True, limit=rows)
    except (ValueError, EOFError) as error:
        refuse(path, "vectors in word2vec's binary form, words in UTF-8", str(error))
    return list(found.index_to_key), np.asarray(found.vectors, np.float32)


def read_gensim(path: Path, rows: int) -> WordVectors:
    """Read what gensim's `KeyedVectors.save` wrote: a pickle, and the matrix beside it where it is large."""
    try:
        with path.open("rb") as file:
            state = vars(PlainUnpickler(file, encoding="latin1").load())
        matrix = state.get("vectors")
        if matrix is None:
            matrix = np.load(path.with_name(f"{path.name}.vectors.npy"), mmap_mode="r", allow_pickle=False)
        words = list(state["index_to_key"])
    except (pickle.UnpicklingError, EOFError, KeyError, AttributeError, TypeError, ValueError) as error:
        refuse(path, "what gensim 4's `KeyedVectors.save` writes", str(error))
    except FileNotFoundError as error:
        refuse(path, "the matrix beside it", f"{error.filename}: no such file")
    return words[:rows], np.array(matrix[:rows], np.float32)


class StoredKeyedVectors:
    """Stands for gensim's class: holds what was pickled and does nothing."""


class PlainUnpickler(pickle.Unpickler):
    """Unpickles gensim's vectors and nothing else, since unpickling can run anything."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return the few classes that word vectors are made of."""
        if (module_name, global_name) == ("gensim.models.keyedvectors", "KeyedVectors"):
            return StoredKeyedVectors
        if module_name.partition(".")[0] == "numpy" and global_name in NUMPY:
            return super().find_class(module_name, global_name)
        raise pickle.UnpicklingError(f"the file holds {module_name}.{global_name}")


def shown(line: bytes) -> str:
    """Return the beginning of a line."""
    return line[:40].decode(errors="replace").strip()


def refuse(place: Path | str, expected: str, found: str) -> NoReturn:
    """Raise the error of a file of vectors."""
    raise ModelError(expected, f"{place}: {found}", "correct the file, name another, or set `augment.vectors: none`")
