"""Reading any group of a cache to plain values, as those who use it do."""

from typing import Any

import numpy as np
import pyarrow as pa

from augment import candidates
from distill.packed import PackedReader
from distill.teacher import CachedTeacher
from distill.training_rows import TrainingRows
from schemas import rows
from schemas.answers import Answers
from schemas.cache import Cache
from schemas.group import Group
from schemas.task import Task

TASK = Task(texts=("sentence",), labels=("negative", "positive"))


def read(cache: Cache, group: Group) -> Any:
    """Return the rows of a group as JSON has them, or what a teacher said, by signal."""
    if "family" in group.manifest().settings:
        return {name: rounded(found) for name, found in answers(cache, group).items()}
    table = pa.concat_tables(group.read_shard(side) for side in group.manifest().shards)
    if group.name == rows.NAME:
        return [example._asdict() for example in rows.examples(table)]
    if group.name.startswith(candidates.PREFIX):
        return {str(key): [repr(each) for each in found] for key, found in candidates.from_table(table).items()}
    return table.to_pylist()


def answers(cache: Cache, group: Group) -> dict[str, np.ndarray]:
    """Return the numbers of the first kept row of each shard, flat, by signal."""
    (tokens,) = (each.name for each in cache.groups() if each.name.startswith("tokens."))
    loaded = TrainingRows.of(cache, tokens, 0, TASK)
    family = Answers.of(group.manifest().settings).family
    reader = PackedReader(group, loaded.all_lengths.at(family.at))
    kept = reader.kept()
    chosen = np.array([start + int(np.argmax(kept[start:])) for start in reader.starts[:-1]])
    signals = reader.answers.signals
    found = CachedTeacher([reader]).answer(loaded.batch(chosen), signals)
    return {str(signal): found[signal].flatten().numpy() for signal in signals}


def rounded(numbers: np.ndarray) -> list[float]:
    """Return numbers of nine digits, which say exactly which float32 is meant."""
    return [float(f"{number:.9g}") for number in numbers.tolist()]
