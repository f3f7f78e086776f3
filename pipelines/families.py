"""Families: originals with their copies, as they lie in a cache, and what the teacher said of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Float

from schemas import rows, signal
from schemas.cache import Cache
from schemas.example import Example

Logits = Float[np.ndarray, " classes"]


@dataclass(frozen=True)
class Member:
    """A row and the teacher's logits for it, `None` where it was not asked or gave none."""

    example: Example
    logits: Logits | None


Family = tuple[Member, ...]
"""An original, followed by its copies in order of draw."""


def families(cache: Cache) -> Iterator[Family]:
    """Yield all families in order of id; an id is a digest, so the first few are a random sample."""
    group = cache.group(rows.NAME)
    for side in group.manifest().shards:
        examples = list(rows.examples(group.read_shard(side)))
        members = map(Member, examples, logits_of(cache, side.shard, side.ids) or [None] * len(examples))
        ordered = sorted(members, key=lambda m: (m.example.origin, not m.example.is_original, m.example.draw))
        for _, family in groupby(ordered, key=lambda member: member.example.origin):
            yield tuple(family)


def logits_of(cache: Cache, shard: int, ids: str) -> list[Logits | None] | None:
    """Return the teacher's logits for a shard of rows, `None` where it was not asked for just these."""
    for group in cache.groups():
        manifest = group.manifest()
        if manifest.settings.get("family") == signal.Family.LOGITS:
            found = next(side for side in manifest.shards if side.shard == shard)
            if found.ids == ids:
                column = group.read_shard(found).column(signal.Family.LOGITS)
                return [np.array(values, np.float32) if values else None for values in column.to_pylist()]
    return None
