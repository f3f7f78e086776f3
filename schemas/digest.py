"""Digests: the names that content, settings and rows are known by."""

import json
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xxhash


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """Return 32 hexadecimal digits that name a JSON value."""
    return xxhash.xxh3_128_hexdigest(canonical(value))


def identity(*parts: Any) -> int:
    """Return a row's id: 64 bits of the digest of its parts."""
    return xxhash.xxh3_64_intdigest(canonical(parts))


def chained(seed: int, *texts: str) -> int:
    """Return a row's id as `identity` does, sooner: 64 bits in which every text's digest is the next one's seed."""
    for text in texts:
        seed = xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"), seed)
    return seed


def ids_digest(ids: np.ndarray) -> str:
    """Return the digest of an ordered column of row ids (uint64)."""
    return xxhash.xxh3_128_hexdigest(np.ascontiguousarray(ids, dtype="<u8").tobytes())


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes; reads through a memory map."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return xxhash.xxh3_128_hexdigest(b"")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return xxhash.xxh3_128_hexdigest(view)


def files_digest(paths: Iterable[Path]) -> str:
    """Return the digest of several files by name and content, in order of name."""
    return digest(sorted((path.name, file_digest(path)) for path in paths))
