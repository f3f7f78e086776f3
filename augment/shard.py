"""Augmenting one shard: merge identical rows, propose words once, grow copies, write both."""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from augment import candidates
from augment.candidates import Positions
from augment.models.similarity import Similarity
from augment.strategy import Strategy
from schemas import rows
from schemas.cache import Cache
from schemas.digest import digest, ids_digest
from schemas.errors import ConfigurationError, IntegrityError
from schemas.example import Example
from schemas.work import Work


@dataclass(frozen=True)
class Proposing:
    """A strategy, the group its proposals are kept in, and the settings that they depend on beside the rows."""

    strategy: Strategy
    group: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ShardAugmenter:
    """Strategies over the shards of a cache, a pure function of a shard's originals.

    There are none where no copies are wanted. `settings` is what the rows depend on beside the originals. Of copies
    with equal texts the first is kept; `similarity` may leave out copies that are too far from their original.
    """

    cache: Cache
    label_type: pa.DataType
    proposing: Sequence[Proposing]
    settings: Mapping[str, Any]
    similarity: Similarity | None = None

    def augment(self, shard: int, read: Iterable[Example]) -> Work:
        """Write the shard's candidates and rows where they are not there yet."""
        with no_collection():
            originals, merged = merge(read)
            ids = np.array([original.id for original in originals], np.uint64)
            proposed = [self.propose(each, shard, originals, ids) for each in self.proposing]
            grow = partial(self.grown, originals=originals, merged=merged, proposed=proposed)
            group, settings = self.cache.group(rows.NAME), digest(self.settings)
            rows.write_shard(group, shard, self.label_type, originals, grow, settings=settings)
        return Work(asked=sum(each.asked for each in proposed), copied=sum(each.copied for each in proposed))

    def grown(
        self, read: pa.Table, originals: Sequence[Example], merged: int, proposed: Sequence["Proposed"]
    ) -> tuple[pa.Table, Counter[str]]:
        """Return the originals, also given as rows, with their copies; and count what was read, drawn and kept."""
        counts: Counter[str] = Counter(kept=len(originals), merged=merged)
        made = []
        for each, found in zip(self.proposing, proposed, strict=True):
            counts.update(counts_of(found.positions))
            for copies, drawn in each.strategy.grow(originals, found.positions):
                counts.update(drawn)
                check_copies(each, pa.Table.from_batches([copies]), read)
                made.append(copies)
        copies = pa.Table.from_batches(made, rows.COPIES)
        distinct = rows.first_of_each(copies) if len(self.proposing) > 1 else copies
        kept = self.near(distinct, originals) if self.similarity else distinct
        counts.update(repeated=len(copies) - len(distinct), dissimilar=len(distinct) - len(kept), copies=len(kept))
        return pa.concat_tables([read, rows.complete(kept, read)]), counts

    def near(self, copies: pa.Table, originals: Sequence[Example]) -> pa.Table:
        """Return the copies that are not too far from their originals."""
        assert self.similarity
        texts: dict[int, list[list[str]]] = {}
        for origin, own in zip(copies.column("origin").to_pylist(), copies.column("texts").to_pylist(), strict=True):
            texts.setdefault(origin, []).append(own)
        near = {each.id: iter(self.similarity.near(each.texts, texts.get(each.id, []))) for each in originals}
        kept = [next(near[origin]) for origin in copies.column("origin").to_pylist()]
        return copies.filter(pa.array(kept, pa.bool_()))

    def propose(self, each: Proposing, shard: int, originals: Sequence[Example], ids: np.ndarray) -> "Proposed":
        """Return the originals' candidates; models are asked only for rows that no earlier shard has."""
        group = self.cache.group(each.group)
        settings = digest(each.settings)
        input = digest([settings, ids_digest(ids)])
        committed = group.committed(shard)
        known: dict[int, Positions] = {}
        if committed is not None and committed.settings == settings:
            kept = group.read_shard(committed)
            if committed.input == input:
                return Proposed(lambda: list(candidates.from_table(kept).values()))
            known = candidates.from_table(kept)
        new = [original for original in originals if original.id not in known]
        known |= {original.id: found for original, found in zip(new, each.strategy.propose(new), strict=True)}
        positions = [known[original.id] for original in originals]
        with group.writer(shard, candidates.SCHEMA) as writer:
            for start in range(0, len(originals), rows.ROWS_PER_BATCH):
                part = slice(start, start + rows.ROWS_PER_BATCH)
                writer.write(candidates.to_batch(ids[part].tolist(), positions[part]))
            writer.commit(settings=settings, input=input, accounting={"rows": len(originals)})
        return Proposed(lambda: positions, asked=len(new), copied=len(originals) - len(new))


@contextmanager
def no_collection() -> Iterator[None]:
    """Stop looking for cycles among objects: a shard has millions and no cycle, and to look would double the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class Proposed:
    """The candidates of a shard's originals, and for how many rows they were asked and copied.

    Those that were there are decoded only where somebody looks at them: rows that are there too need none.
    """

    read: Callable[[], list[Positions]]
    asked: int = 0
    copied: int = 0

    @cached_property
    def positions(self) -> list[Positions]:
        """The candidates of each original, in order."""
        return self.read()


def check_copies(proposing: Proposing, copies: pa.Table, originals: pa.Table) -> None:
    """Refuse copies that a strategy should not have made: of no row, with other texts, or that show nothing new."""
    for problem, wrong in rows.faults(copies, originals).items():
        if wrong.any():
            texts = copies.column("texts")[int(wrong.argmax())].as_py()
            name = proposing.group.removeprefix(candidates.PREFIX)
            raise ConfigurationError(
                "copies of the rows given, with as many texts, each unlike its row and unlike the others",
                f"augment.strategy: {name}: {problem}: {texts!r:.80}",
                "correct the strategy",
            )


def counts_of(positions: Sequence[Positions]) -> Counter[str]:
    """Count eligible words by the source of their candidates, and those whose order rounding could change."""
    counts = Counter(f"eligible_{position.source}" for row in positions for position in row)
    return counts + Counter(near_ties=sum(position.near_tie for row in positions for position in row))


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
            merged[example.id] = seen._replace(count=seen.count + example.count)
        else:
            raise IntegrityError(
                "one id for one row",
                f"id {example.id:016x} stands for {seen.texts!r:.60} and {example.texts!r:.60}",
                "give the data set another `name`",
            )
    return sorted(merged.values(), key=lambda example: example.order), total - len(merged)
