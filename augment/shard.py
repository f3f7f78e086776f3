"""Augmenting one shard: merge identical rows, propose words once, draw copies, write both."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from augment import candidates
from augment.candidates import Position
from schemas import rows
from schemas.cache import Cache
from schemas.digest import digest, ids_digest
from schemas.errors import IntegrityError
from schemas.example import Example
from schemas.work import Work

ROWS_PER_BATCH = 4096

Positions = tuple[Position, ...]


@runtime_checkable
class Strategy(Protocol):
    """One way to make new rows from one: proposing is slow and asks models, drawing is pure and cheap."""

    def propose(self, examples: Sequence[Example]) -> list[Positions]:
        """Return the possible words of every eligible word of each row."""
        ...

    def draw(self, example: Example, positions: Positions) -> tuple[list[Example], Counter[str]]:
        """Return a row's copies, distinct and in order of draw, and counts of what was drawn."""
        ...


@dataclass(frozen=True)
class ShardAugmenter:
    """A strategy over the shards of a cache, a pure function of a shard's originals.

    `proposing` and `drawing` are the settings that the two groups depend on beside the originals; `strategy` is `None`
    where no copies are wanted.
    """

    cache: Cache
    label_type: pa.DataType
    strategy: Strategy | None
    proposing: dict[str, Any]
    drawing: dict[str, Any]

    def augment(self, shard: int, read: Iterable[Example]) -> Work:
        """Write the shard's candidates and rows where they are not there yet."""
        originals, merged = merge(read)
        ids = np.array([original.id for original in originals], np.uint64)
        positions, work = self.propose(shard, originals, ids)
        group = self.cache.group(rows.NAME)
        settings = digest([self.proposing, self.drawing])
        input = digest([settings, ids_digest(ids), [original.count for original in originals]])
        committed = group.committed(shard)
        if committed is not None and committed.input == input:
            return work
        counts: Counter[str] = Counter(kept=len(originals), merged=merged)
        for source, number in Counter(p.source for each in positions for p in each).items():
            counts[f"eligible_{source}"] += number
        everything = sorted(self.grown(originals, positions, counts), key=lambda example: example.order)
        with group.writer(shard, rows.schema(self.label_type)) as writer:
            for start in range(0, len(everything), ROWS_PER_BATCH):
                writer.write(rows.to_batch(everything[start : start + ROWS_PER_BATCH], self.label_type))
            writer.commit(settings=settings, input=input, accounting=dict(counts))
        return work

    def grown(
        self, originals: Sequence[Example], positions: Sequence[Positions], counts: Counter[str]
    ) -> Iterator[Example]:
        """Yield the originals and their copies."""
        for original, possible in zip(originals, positions, strict=True):
            yield original
            if self.strategy is not None:
                copies, drawn = self.strategy.draw(original, possible)
                counts.update(drawn)
                yield from copies

    def propose(self, shard: int, originals: Sequence[Example], ids: np.ndarray) -> tuple[list[Positions], Work]:
        """Return the originals' candidates; models are asked only for rows that no earlier shard has."""
        if self.strategy is None:
            return [() for _ in originals], Work()
        group = self.cache.group(candidates.NAME)
        settings = digest(self.proposing)
        input = digest([settings, ids_digest(ids)])
        committed = group.committed(shard)
        known: dict[int, Positions] = {}
        if committed is not None and committed.settings == settings:
            known = candidates.from_table(group.read_shard(committed))
            if committed.input == input:
                return [known[original.id] for original in originals], Work()
        new = [original for original in originals if original.id not in known]
        known |= {original.id: each for original, each in zip(new, self.strategy.propose(new), strict=True)}
        positions = [known[original.id] for original in originals]
        with group.writer(shard, candidates.SCHEMA) as writer:
            for start in range(0, len(originals), ROWS_PER_BATCH):
                part = slice(start, start + ROWS_PER_BATCH)
                writer.write(candidates.to_batch(ids[part].tolist(), positions[part]))
            writer.commit(settings=settings, input=input, accounting={"rows": len(originals)})
        return positions, Work(asked=len(new), copied=len(originals) - len(new))


def merge(read: Iterable[Example]) -> tuple[list[Example], int]:
    """Merge identical rows into one with a count; return them in order, and how many were merged away."""
    merged: dict[int, Example] = {}
    total = 0
    for example in read:
        total += 1
        seen = merged.get(example.id)
        if seen is None:
            merged[example.id] = example
        elif (seen.texts, seen.label) == (example.texts, example.label):
            merged[example.id] = replace(seen, count=seen.count + example.count)
        else:
            raise IntegrityError(
                "one id for one row",
                f"id {example.id:016x} stands for {seen.texts!r:.60} and {example.texts!r:.60}",
                "give the data set another `name`",
            )
    return sorted(merged.values(), key=lambda example: example.order), total - len(merged)
