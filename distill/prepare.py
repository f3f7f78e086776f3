"""Preparing groups: what is taken from a teacher once, before its first shard is taught."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from distill.embedding import embedding_bytes
from distill.projections import projection_bytes
from distill.teach import ShardTeacher, blocks
from schemas.affine import Affine
from schemas.answers import Answers
from schemas.digest import file_digest
from schemas.manifest import SideFile
from schemas.signal import Family, Signal
from schemas.store import write_bytes

SAMPLE = 128


def prepared(teacher: ShardTeacher, shards: Sequence[SideFile]) -> tuple[Answers, ...]:
    """Return the teacher's groups, with an affine map and weights where they are wanted and not there yet.

    Both are made once for a group; rows that come later are kept by the same map.
    """
    measured = measure(teacher, shards) if any(answers.wants_affine for answers in teacher.groups) else {}
    groups = []
    for answers in teacher.groups:
        if answers.wants_affine:
            answers = replace(answers, affine=Affine.of([measured[signal] for signal in answers.asked]))
        groups.append(with_weights(teacher, answers) if answers.wants_weights else answers)
    return tuple(groups)


def with_weights(teacher: ShardTeacher, answers: Answers) -> Answers:
    """Write the weights that a group's signals are computed with beside its shards."""
    path = teacher.group(answers).path / answers.family.file
    if answers.family is Family.EMBEDDING:
        write_bytes(path, embedding_bytes(teacher.encoder))
    else:
        write_bytes(path, projection_bytes(teacher.encoder, answers.layers))
    return replace(answers, weights=((path.name, file_digest(path)),))


def measure(teacher: ShardTeacher, shards: Sequence[SideFile]) -> dict[Signal, np.ndarray]:
    """Return [tokens, width] of a sample of rows, for every signal that is to have an affine map.

    It is of the first shards: ids decide where a row lies, so these are as good as any.
    """
    groups = [answers for answers in teacher.groups if answers.wants_affine]
    spoken: list[dict[Signal, np.ndarray]] = []
    left = SAMPLE
    for side in shards:
        rows = teacher.tokenise(side)
        some = np.unique(np.linspace(0, len(rows.ids) - 1, min(left, len(rows.ids))).astype(np.int64))
        spoken += [teacher.ask(rows, some[block], groups) for block in blocks(rows.lengths[some], teacher.batch_tokens)]
        left -= len(some)
        if left <= 0:
            break
    return {
        signal: np.concatenate([each[signal] for each in spoken]).reshape(-1, answers.width)
        for answers in groups
        for signal in answers.asked
    }
