"""Calibrating: what the channels of a teacher's hidden states are like, measured before the first shard is taught."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from distill.teach import ShardTeacher
from schemas.affine import Affine
from schemas.answers import Answers
from schemas.manifest import SideFile
from schemas.signal import Signal

SAMPLE = 128


def calibrated(teacher: ShardTeacher, shards: Sequence[SideFile]) -> tuple[Answers, ...]:
    """Return the teacher's groups, with an affine map where one is wanted and there is none yet.

    The sample are rows of the first shards: ids decide where a row lies, so these are as good as any. It is taken once
    for a group; rows that come later are kept by the same map.
    """
    if not any(answers.wants_affine for answers in teacher.groups):
        return teacher.groups
    measured = measure(teacher, shards)
    return tuple(
        replace(answers, affine=Affine.of([measured[signal] for signal in answers.signals]))
        if answers.wants_affine
        else answers
        for answers in teacher.groups
    )


def measure(teacher: ShardTeacher, shards: Sequence[SideFile]) -> dict[Signal, np.ndarray]:
    """Return [tokens, width] of the sample, for every signal that wants an affine map."""
    groups = [answers for answers in teacher.groups if answers.wants_affine]
    spoken: list[dict[Signal, np.ndarray]] = []
    left = SAMPLE
    for side in shards:
        rows = teacher.tokenise(side)
        some = np.unique(np.linspace(0, len(rows.ids) - 1, min(left, len(rows.ids))).astype(np.int64))
        spoken += [teacher.ask(rows, some[block], groups) for block in teacher.blocks(rows.lengths[some])]
        left -= len(some)
        if left <= 0:
            break
    return {
        signal: np.concatenate([each[signal] for each in spoken]).reshape(-1, answers.width)
        for answers in groups
        for signal in answers.signals
    }
