"""Families: originals with their copies, as they lie in a cache, and what the teacher said of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Float

from distill.words import NONE, Place, places_of
from schemas import rows, signal, tokens
from schemas.cache import Cache
from schemas.example import Example
from schemas.manifest import Manifest

Logits = Float[np.ndarray, "*words classes"]


@dataclass(frozen=True)
class Member:
    """A row and the teacher's logits for it, `None` where it was not asked or gave none.

    Of a row whose words were judged they are one row a word, nan for a word that was cut away.
    """

    example: Example
    logits: Logits | None

    @property
    def places(self) -> list[Place]:
        """Where the words lie that were judged."""
        return places_of(self.example)


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
        family = manifest.settings.get("family")
        if family not in (signal.Family.LOGITS, signal.Family.TOKEN_LOGITS):
            continue
        found = next(side for side in manifest.shards if side.shard == shard)
        if found.ids == ids:
            column = group.read_shard(found).column(family)
            every = [np.array(values, np.float32) if values else None for values in column.to_pylist()]
            return every if family == signal.Family.LOGITS else at_words(cache, shard, manifest, every)
    return None


def at_words(
    cache: Cache, shard: int, manifest: Manifest, every: list[Float[np.ndarray, " numbers"] | None]
) -> list[Logits | None]:
    """Return logits of tokens at the first pieces of words, as the token group of the same tokenizer knows them."""
    settings = manifest.settings
    group = cache.group(tokens.name(settings["tokenizer"], settings["max_length"]))
    side = next(side for side in group.manifest().shards if side.shard == shard)
    found: list[Logits | None] = []
    for values, pieces in zip(every, group.read_shard(side).column(tokens.FIRST_PIECES).to_pylist(), strict=True):
        if values is None:
            found.append(None)
            continue
        logits = values.reshape(-1, settings["width"])
        kept = np.array(pieces, np.int64)
        found.append(np.where((kept == NONE)[:, None], np.nan, logits[kept]))
    return found
