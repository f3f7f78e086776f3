"""Answers that a teacher gave before, and that are not asked for again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.answers import Status
from schemas.codec import Kept
from schemas.codec_error import Error
from schemas.digest import digest
from schemas.group import Group

NOTHING = Kept(np.empty((0, 0)), np.empty(0, np.float16))
"""What is kept of a row without a usable answer."""


@dataclass(frozen=True)
class KnownAnswers:
    """Answers of an earlier shard: where each row is, by id, all that was kept, and what that had cost."""

    places: dict[int, tuple[int, int]]
    batches: tuple[pa.RecordBatch, ...]
    errors: Mapping[str, Error]

    @classmethod
    def of(cls, group: Group, shard: int, settings: dict[str, Any]) -> "KnownAnswers":
        """Read the committed shard, if it was written with the same settings."""
        side = group.committed(shard)
        if side is None or side.settings != digest(settings):
            return cls({}, (), {})
        _, batches = group.open_shard(side)
        places = {
            row_id: (i, row)
            for i, batch in enumerate(batches)
            for row, row_id in enumerate(batch.column("id").to_pylist())
        }
        return cls(places, tuple(batches), side.errors)

    def get(self, row_id: int) -> tuple[Kept, Status]:
        """Return what was kept of a row, and its status; one that was neither asked for nor known is too long."""
        if row_id not in self.places:
            return NOTHING, Status.TOO_LONG
        batch, row = self.places[row_id]
        status, *columns = self.batches[batch].columns[1:]
        numbers, *scales = (column[row].values.to_numpy() for column in columns)
        return Kept(numbers, scales[0] if scales else NOTHING.scales), Status(status[row].as_py())
