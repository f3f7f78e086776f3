"""One epoch of reading made-up answers, cold, in a process of its own: seconds of all of it, and of hashing alone.

The files are dropped from the page cache first. An epoch waits for the disk whether it hashes or not, so what hashing
costs is measured afterwards, when the files are in memory; and a cold epoch without any hashing is measured as well.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from benchmarks.measure import seconds
from benchmarks.payload import Payload, lengths_of
from distill.packed import read_together
from distill.threads import together
from schemas.codec import Codec
from schemas.digest import file_digest
from schemas.group import Group


def drop(path: Path) -> None:
    """Forget a file's pages; a file that somebody has mapped keeps them."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def epoch(payload: Payload) -> None:
    """Read all rows in random order, in batches of 32."""
    order = np.random.default_rng(0).permutation(len(payload.lengths))
    wanted = {reader: reader.answers.signals for reader in payload.readers()}
    for start in range(0, len(order), 32):
        read_together(order[start : start + 32], wanted)


def cold_epoch(payload: Payload) -> float:
    """Return the seconds of an epoch whose files are not in memory."""
    for path in payload.files:
        drop(path)
    return seconds(lambda: epoch(payload))[0]


def main() -> None:
    folder, rows = sys.argv[1:]
    payload = Payload(Path(folder), lengths_of(int(rows)), Codec.F16)
    # The first array that becomes NumPy's makes pyarrow import pandas, which takes longer than a small epoch.
    pa.array([1.0]).to_numpy()
    cold = cold_epoch(payload)
    warm, _ = seconds(lambda: epoch(payload))
    works = [partial(file_digest, path) for path in payload.files]
    hashing, _ = seconds(lambda: together(works, len(works)))
    with patch.object(Group, "check_content"):
        unhashed = cold_epoch(payload)
    print(json.dumps({"cold": cold, "warm": warm, "hashing": hashing, "cold without hashing": unhashed}))


if __name__ == "__main__":
    main()
