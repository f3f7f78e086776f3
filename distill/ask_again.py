"""Asking again: whether a teacher still says what a cache holds, for rows drawn at random."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from distill.known_answers import KnownAnswers
from distill.teach import ShardTeacher, settings_of
from schemas.answers import Answers, Status
from schemas.manifest import SideFile

NOISE = 1e-4
"""What the last bits of a forward pass may do in another batch, as a part of a row's largest number."""


class Compared(NamedTuple):
    """A row's answer in one group beside what the teacher says now: its place, and how far they are apart.

    `excess` is the largest difference by what codec and rounding allow there: over 1 it is another answer.
    """

    answers: Answers
    shard: int
    row: int
    excess: float


def ask_again(
    teacher: ShardTeacher, shards: Sequence[SideFile], count: int, generator: np.random.Generator
) -> Iterator[Compared]:
    """Ask a teacher for some rows, each by itself, and compare with all groups that it filled."""
    ends = np.cumsum([side.rows for side in shards])
    chosen = np.sort(generator.choice(int(ends[-1]), min(count, int(ends[-1])), replace=False))
    of_shard = np.searchsorted(ends, chosen, side="right")
    for shard in np.unique(of_shard).tolist():
        side = shards[shard]
        places = chosen[of_shard == shard] - (ends[shard] - side.rows)
        rows = teacher.tokenise(side)
        known = [
            KnownAnswers.of(teacher.group(each), shard, settings_of(each, teacher.identity)) for each in teacher.groups
        ]
        for place in places.tolist():
            spoken = teacher.ask(rows, np.array([place]), teacher.groups)
            for answers, earlier in zip(teacher.groups, known, strict=True):
                kept, status = earlier.get(int(rows.ids[place]))
                if status is not Status.KEPT or not answers.asked:
                    continue
                stored = answers.widen(kept, int(rows.encoded.lengths.at(answers.family.at)[place]))
                said = np.stack([spoken[signal] for signal in answers.asked]).reshape(stored.shape)
                stored, said = answers.measured(stored), answers.measured(said)
                if not said.size:
                    continue
                allowed = answers.bound(said) + NOISE * np.abs(said).max()
                yield Compared(answers, shard, place, float((np.abs(stored - said) / allowed).max()))
