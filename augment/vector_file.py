"""Files of word vectors: GloVe and word2vec text, word2vec binary, gensim; read up to a number of words."""

import gzip
import math
import pickle
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np
from jaxtyping import Float32

from schemas.errors import ModelError

WordVectors = tuple[list[str], Float32[np.ndarray, "words width"]]


def read(path: Path, rows: int) -> WordVectors:
    """Return the first `rows` words of a file and their vectors.

    The ending says what it is: `.kv` gensim's own, `.bin` word2vec's binary, everything else text, also with `.gz`.
    Raises `ModelError` that names file and line.
    """
    kind = path.suffixes[-2:-1] if path.suffix == ".gz" else [path.suffix]
    if kind == [".kv"]:
        return read_gensim(path, rows)
    if kind == [".bin"]:
        return read_binary(path, rows)
    with cast(BinaryIO, gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
        return read_text(path, file, rows)


def read_text(path: Path, file: BinaryIO, rows: int) -> WordVectors:
    """Read a word and its numbers from each line; a word may hold spaces, a first line of two counts is skipped."""
    lines = numbered_lines(path, file)
    number, first = next(lines, (1, b""))
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        width, data = int(fields[1]), lines
    else:
        width, data = len(fields) - 1, chain_first((number, first), lines)
    if width < 1:
        refuse(path, number, "a word and its numbers", f"`{first[:40].decode(errors='replace')}`")
    words: dict[str, int] = {}
    vectors = np.empty((rows, width), np.float32)
    for number, line in islice(data, rows):
        word, vector = parse_line(path, number, line, width)
        if word in words:
            refuse(path, number, "every word once", f"`{word}` again, first in line {words[word]}")
        vectors[len(words)] = vector
        words[word] = number
    return list(words), vectors[: len(words)]
