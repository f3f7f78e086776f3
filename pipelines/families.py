"""Families: originals with their copies, as they lie in a cache, and what the teacher said of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import Any

import numpy as np
from jaxtyping import Float

from distill.words import NONE, Place, places_of
from schemas import rows, signal, tokens
from schemas.cache import Cache
from schemas.example import Example
from schemas.group import Group
from schemas.manifest import Manifest, SideFile

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


@dataclass(frozen=True)
class KeptLogits:
    """The group that holds a teacher's logits, found once for all shards.

    Where words are judged there are `tokens` too: the group that knows their first pieces.
    """

    group: Group
    manifest: Manifest
    tokens: tuple[Group, Manifest] | None

    @classmethod
    def find(cls, cache: Cache, identity: Mapping[str, Any] | None) -> "KeptLogits | None":
        """Find the logits of the teacher of an identity, or, where nobody knows which it was, those that are there."""
        for group in cache.groups():
            manifest = group.manifest()
            settings, family = manifest.settings, manifest.settings.get("family")
            known = identity is None or all(settings.get(key) == value for key, value in identity.items())
            if family not in (signal.Family.LOGITS, signal.Family.TOKEN_LOGITS) or not known:
                continue
            if family == signal.Family.LOGITS:
                return cls(group, manifest, None)
            beside = cache.group(tokens.name(settings["tokenizer"], settings["max_length"]))
            return cls(group, manifest, (beside, beside.manifest()))
        return None

    def of_shard(self, rows: SideFile) -> list[Logits | None]:
        """Return the logits for a shard of rows, `None` for each where they are for other rows than just these."""
        nothing: list[Logits | None] = [None] * rows.rows
        side = side_of(self.manifest, rows)
        if side is None:
            return nothing
        family = self.manifest.settings["family"]
        column = self.group.read_shard(side).column(family).to_pylist()
        every = [np.array(values, np.float32) if values else None for values in column]
        if self.tokens is None:
            return list(every)
        group, manifest = self.tokens
        side = side_of(manifest, rows)
        if side is None:
            return nothing
        firsts = group.read_shard(side).column(tokens.FIRST_PIECES).to_pylist()
        return [self.at_words(*each) for each in zip(every, firsts, strict=True)]

    def at_words(self, values: Float[np.ndarray, " numbers"] | None, firsts: Sequence[int]) -> Logits | None:
        """Return logits of tokens at the first pieces of words."""
        if values is None:
            return None
        logits = values.reshape(-1, self.manifest.settings["width"])
        kept = np.array(firsts, np.int64)
        return np.where((kept == NONE)[:, None], np.nan, logits[kept])


def side_of(manifest: Manifest, rows: SideFile) -> SideFile | None:
    """Return a group's shard of just these rows, `None` where it holds others."""
    side = manifest.shards[rows.shard] if rows.shard < len(manifest.shards) else None
    return side if side is not None and side.ids == rows.ids else None


def families(cache: Cache, identity: Mapping[str, Any] | None) -> Iterator[Family]:
    """Yield all families in order of id, with what the teacher of an identity said, or whichever was asked.

    An id is a digest, so the first few are a random sample.
    """
    group = cache.group(rows.NAME)
    kept = KeptLogits.find(cache, identity)
    for side in group.manifest().shards:
        examples = rows.examples(group.read_shard(side))
        members = map(Member, examples, kept.of_shard(side) if kept else repeat(None))
        ordered = sorted(members, key=lambda m: (m.example.origin, not m.example.is_original, m.example.draw))
        for _, family in groupby(ordered, key=lambda member: member.example.origin):
            yield tuple(family)
