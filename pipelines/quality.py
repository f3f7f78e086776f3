"""Quality: what copies are like beside their originals, in numbers, from one pass over a cache."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from augment.candidates import NONE, Position, Positions, from_table
from augment.candidates import PREFIX as CANDIDATES
from augment.candidates import name as candidates_of
from pipelines.diversity import distinct, self_bleu, words_of
from pipelines.drift import Drift
from pipelines.families import Family, KeptLogits, families
from schemas import rows
from schemas.cache import Cache, shard_of
from schemas.digest import chained, digest
from schemas.example import Change, Example
from schemas.task import Task

VERSION = 1
"""Of what the numbers mean; another makes them anew."""
SAMPLE = 1000
"""Originals, with their copies, whose words are counted: those of the smallest ids, which are digests."""
BLEU_SAMPLE = 200
"""Originals of these whose copies are compared with each other: each with every other is dear."""
DIGESTS = 1 << 18
"""Texts that are told apart; of more, those of the smallest digests stand for all."""
TOP = 20


class Proposed(Protocol):
    """Whatever knows the words that could have been changed."""

    def positions(self, strategy: str, origin: int) -> Positions:
        """Return the eligible words of an original, none where a strategy keeps no candidates."""
        ...


class CachedCandidates:
    """Looks up candidates in a cache; one shard of each strategy is held."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.held: dict[str, tuple[int, Mapping[int, Positions]]] = {}

    def positions(self, strategy: str, origin: int) -> Positions:
        """Return the eligible words of an original, none where they are not kept."""
        group = self.cache.group(candidates_of(strategy))
        if strategy not in self.held and not group.is_published():
            self.held[strategy] = (-1, {})
        held, found = self.held.get(strategy, (None, {}))
        if held == -1:
            return ()
        layout = self.cache.layout()
        assert layout is not None, "rows are only written into a cache with a layout"
        shard = shard_of(origin, layout.shards)
        if shard != held:
            found = from_table(group.read_shard(group.manifest().shards[shard]))
            self.held[strategy] = (shard, found)
        return found.get(origin, ())


@dataclass
class Uniqueness:
    """Counts how often each text was made, in bounded memory.

    A text has one digest wherever it stands, so the texts of the smallest digests are a sample with all their copies.
    """

    waiting: list[int] = field(default_factory=list)
    digests: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    counts: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def add(self, example: Example) -> None:
        """Add a row by what a model is shown of it."""
        self.waiting.append(chained(0, *example.texts, *map(repr, example.masks)))
        if len(self.waiting) == DIGESTS:
            self.merge()

    def merge(self) -> None:
        """Count what waits."""
        every = np.concatenate([self.digests, np.array(self.waiting, np.uint64)])
        weights = np.concatenate([self.counts, np.ones(len(self.waiting), np.int64)])
        digests, places = np.unique(every, return_inverse=True)
        counts = np.bincount(places, weights, len(digests)).astype(np.int64)
        self.digests, self.counts = digests[:DIGESTS], counts[:DIGESTS]
        self.waiting.clear()

    def share(self) -> float | None:
        """Return how many different texts there are for every row."""
        self.merge()
        return len(self.counts) / int(self.counts.sum()) if len(self.counts) else None


@dataclass
class Tally:
    """What is counted over families; the originals of some copies come with them."""

    drift: Drift
    originals: int = 0
    copies: int = 0
    words: int = 0
    differing: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    eligible: Counter[str] = field(default_factory=Counter)
    uniqueness: Uniqueness = field(default_factory=Uniqueness)
    sample: list[tuple[int, Sequence[Example]]] = field(default_factory=list)

    def add(self, family: Family, proposed: Proposed) -> None:
        """Add an original and copies of it."""
        original, copies = family[0], family[1:]
        self.originals += 1
        self.copies += len(copies)
        for copy in copies:
            self.drift.add(original, copy)
            self.uniqueness.add(copy.example)
            self.count_words(copy.example)
            self.count_positions(copy.example, proposed.positions(copy.example.strategy, original.example.id))
        if copies:
            self.sample.append((original.example.id, [member.example for member in family]))
        if len(self.sample) >= 2 * SAMPLE:
            self.sample = smallest(self.sample, SAMPLE)

    def count_words(self, copy: Example) -> None:
        """Count the words of a copy with those that it lost, and how many differ."""
        self.words += len(words_of(copy.texts))
        for change in copy.changes:
            new, old = len(words_of([written(copy, change)])), len(words_of([change.original]))
            self.words += max(0, old - new)
            self.differing += max(old, new)
            self.replaced[change.source] += 1

    def count_positions(self, copy: Example, positions: Sequence[Position]) -> None:
        """Count what became of the eligible words of the texts that a copy changes; a turn changes one of a pair."""
        turned = {change.text for change in copy.changes}
        open = Counter(each.source == NONE for each in positions if each.text in turned)
        if open:
            changed = Counter(change.source for change in copy.changes)
            self.eligible.update(changed)
            self.eligible.update(unchanged=max(0, open[False] - changed.total()), no_candidates=open[True])

    def numbers(self) -> dict[str, Any]:
        """Return what was counted, as shares."""
        eligible = self.eligible.total()
        could = eligible - self.eligible["no_candidates"]
        sample = [examples for _, examples in smallest(self.sample, SAMPLE)]
        one_each = [words_of(min(examples[1:], key=lambda each: each.id).texts) for examples in sample]
        before = [words_of(examples[0].texts) for examples in sample]
        scores = [
            score for examples in sample[:BLEU_SAMPLE] for score in self_bleu([words_of(e.texts) for e in examples[1:]])
        ]
        return {
            "copies": self.copies,
            "unique": self.uniqueness.share(),
            "change_rate": (could - self.eligible["unchanged"]) / could if could else None,
            "differing_words": self.differing / self.words if self.words else None,
            "positions": {source: count / eligible for source, count in sorted(self.eligible.items())},
            "replaced": dict(sorted(self.replaced.items())),
            "teacher": self.drift.numbers(),
            "distinct": {
                "originals": [distinct(before, size) for size in (1, 2)],
                "copies": [distinct(one_each, size) for size in (1, 2)],
                "sample": len(sample),
            },
            "self_bleu": {
                "mean": sum(scores) / len(scores) if scores else None,
                "sample": min(len(sample), BLEU_SAMPLE),
            },
        }

    def substitutions(self) -> list[dict[str, Any]]:
        """Return the changes that were made most often in the copies of the sample."""
        counts = Counter(
            (change.original.lower(), written(copy, change).lower(), change.source)
            for _, examples in smallest(self.sample, SAMPLE)
            for copy in examples[1:]
            for change in copy.changes
        )
        first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]
        return [{"original": old, "new": new, "source": source, "count": n} for (old, new, source), n in first]


def smallest(sample: list[tuple[int, Sequence[Example]]], count: int) -> list[tuple[int, Sequence[Example]]]:
    """Return the families of the smallest ids."""
    return sorted(sample, key=lambda family: family[0])[:count]


def written(copy: Example, change: Change) -> str:
    """Return what stands in a copy where it was changed."""
    return copy.texts[change.text][change.start : change.end]


def quality(
    every: Iterable[Family], proposed: Proposed, task: Task, accounting: Mapping[str, int], strategies: int = 1
) -> dict[str, Any] | None:
    """Return what the copies of all families are like, and, of several strategies, those of each.

    The numbers do not depend on the order of families, nor on how they are cut into shards. `None` without copies.
    """
    whole = Tally(Drift(task.kind))
    by_strategy: dict[str, Tally] = {}
    for family in every:
        whole.add(family, proposed)
        for name in sorted({member.example.strategy for member in family[1:]} if strategies > 1 else ()):
            own = (family[0], *(member for member in family[1:] if member.example.strategy == name))
            by_strategy.setdefault(name, Tally(Drift(task.kind))).add(own, proposed)
    if not whole.copies:
        return None
    trials = accounting.get("trials")
    counted = {
        name: accounting[name] for name in ("trials", "repeated", "dissimilar", "near_ties") if name in accounting
    }
    return {
        "originals": whole.originals,
        **counted,
        "yield": whole.copies / trials if trials else None,
        **whole.numbers(),
        "substitutions": whole.substitutions(),
        "strategies": {name: by_strategy[name].numbers() for name in sorted(by_strategy)},
    }


def quality_of(
    cache: Cache, task: Task, identity: Mapping[str, Any] | None, earlier: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return what the copies of a cache are like, by the answers of the teacher of an identity.

    `earlier` is what was returned before: it is returned again where it was made of the same.
    """
    manifest = cache.group(rows.NAME).manifest()
    if not manifest.accounting.get("copies"):
        return None
    logits = KeptLogits.find(cache, identity)
    beside = [group.manifest().digest for group in cache.groups() if group.name.startswith(CANDIDATES)]
    input = digest([VERSION, task.kind, manifest.digest, beside, logits and logits.manifest.digest])
    if earlier and earlier.get("input") == input:
        return dict(earlier)
    strategies = manifest.settings.get("proposing", {}).get("strategy", ())
    found = quality(families(cache, identity), CachedCandidates(cache), task, manifest.accounting, len(strategies))
    return found and {**found, "input": input}
