"""Growth: rows of made-up words, their copies by made-up candidates, and what a copy takes."""

import random
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from augment.candidates import Position, Positions
from augment.draw import Drawing, Grown
from augment.shard import Proposing, ShardAugmenter
from schemas.cache import Cache
from schemas.example import Example
from schemas.rows import NAME as ROWS

WORDS_PER_ROW = 12


def words() -> list[str]:
    """Made-up words."""
    generator = random.Random(0)
    return ["".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(4, 9))) for _ in range(2000)]


@dataclass(frozen=True)
class MadeUp:
    """TinyBERT's drawing with made-up candidates, as what is measured is drawing and writing alone."""

    drawing: Drawing

    def propose(self, examples: Sequence[Example]) -> list[tuple[Position, ...]]:
        """Give every word fifteen others."""
        known = words()
        return [tuple(self.positions(example.texts[0], known)) for example in examples]

    def positions(self, text: str, known: list[str]) -> Iterator[Position]:
        """Yield the places of a text's words."""
        for number, found in enumerate(re.finditer(r"\w+", text)):
            possible = tuple(known[number * 15 : number * 15 + 15])
            yield Position(0, found.start(), found.end(), "vectors", possible, (0.0,) * 15)

    def grow(self, examples: Sequence[Example], positions: Sequence[Positions]) -> Iterator[Grown]:
        """Draw the copies."""
        return self.drawing.draw(examples, positions, "tinybert")


def rows_to_grow(count: int) -> list[Example]:
    """Rows of made-up words."""
    generator, known = random.Random(2), words()
    texts = [" ".join(generator.sample(known, WORDS_PER_ROW)) for _ in range(count)]
    return [Example.original("bench", (text,), 0) for text in texts]


def one_shard(folder: Path, copies: int, originals: int) -> None:
    """Augment one shard and print rows, bytes on disk and peak memory."""
    cache = Cache(folder)
    proposing = Proposing(MadeUp(Drawing(copies)), "candidates.tinybert", {"candidates": 15})
    augmenter = ShardAugmenter(cache, pa.int32(), [proposing], {"copies": copies})
    augmenter.augment(0, rows_to_grow(originals))
    side = cache.group(ROWS).committed(0)
    assert side is not None
    print(side.rows, side.bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def measured(folder: Path, copies: int, originals: int) -> tuple[int, int, int]:
    """Run `one_shard` in a process of its own."""
    arguments = ["--shard", str(folder / str(copies)), "--copies", str(copies), "--originals", str(originals)]
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    rows, size, peak = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    return rows, size, peak


def disk_per_row(folder: Path, copies: tuple[int, ...], originals: int) -> dict[int, float]:
    """Return the bytes on disk that a copy takes, by copies a row."""
    base_rows, base_size, _ = measured(folder, 0, originals)
    found = {}
    for number in copies:
        rows, size, _ = measured(folder, number, originals)
        found[number] = (size - base_size) / (rows - base_rows)
    return found
