"""Writing one shard of a group: record batches, then a name made of their content, then the side file."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.codec_error import Error
from schemas.digest import file_digest, ids_digest
from schemas.manifest import SideFile
from schemas.store import publish
from schemas.temporary import temporary_beside


class ShardWriter:
    """Writes record batches under a temporary name, then gives the file a name made of its content, then the side file.

    A context manager: leaving it without `commit` removes what was written.
    """

    def __init__(self, folder: Path, shard: int, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.shard = shard
        self.temporary = temporary_beside(folder / f"{shard:05d}.arrow")
        self.ids: list[np.ndarray] = [np.empty(0, np.uint64)]
        self.ranges: dict[str, tuple[float, float]] = {}
        self.errors: dict[str, Error] = {}
        self.sink = pa.OSFile(str(self.temporary), "wb")
        self.stream = pa.ipc.new_stream(self.sink, schema)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        self.temporary.unlink(missing_ok=True)

    def close(self) -> None:
        """End the stream; a second time does nothing."""
        if not self.sink.closed:
            self.stream.close()
            self.sink.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        self.ids.append(batch.column("id").to_numpy())
        self.stream.write_batch(batch)

    def note_range(self, column: str, values: np.ndarray) -> None:
        """Widen the range of a column by the numbers that were just written."""
        if values.size:
            low, high = self.ranges.get(column, (math.inf, -math.inf))
            self.ranges[column] = (min(low, float(values.min())), max(high, float(values.max())))

    def note_error(self, column: str, error: Error) -> None:
        """Add what the codec of a column cost with the numbers that were just written."""
        if error.energy:
            self.errors[column] = self.errors.get(column, Error()) + error

    def commit(self, *, settings: str, input: str, accounting: dict[str, int]) -> SideFile:
        """Publish the data file, then the side file, which is the commit; return the side file."""
        self.close()
        content = file_digest(self.temporary)
        size = self.temporary.stat().st_size
        file = self.folder / f"{self.shard:05d}-{content}.arrow"
        publish(self.temporary, file)
        ids = np.concatenate(self.ids)
        side = SideFile(
            shard=self.shard,
            settings=settings,
            input=input,
            file=file.name,
            hash=content,
            bytes=size,
            rows=len(ids),
            ids=ids_digest(ids),
            accounting=accounting,
            ranges=self.ranges,
            errors=self.errors,
        ).seal()
        side.write(side_path(self.folder, self.shard))
        return side


def side_path(folder: Path, shard: int) -> Path:
    """Return the path of a shard's side file in the folder of its group."""
    return folder / f"{shard:05d}.json"
