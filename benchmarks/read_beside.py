"""One way of reading made-up answers beside ours, in a process of its own: its time by ours, as the last line."""

import json
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.payload import Payload, lengths_of
from benchmarks.reading import Reading
from schemas.codec import Codec


def main() -> None:
    folder, rows, way, rounds, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    payload = Payload(Path(folder), lengths_of(int(rows)), Codec.F16)
    with tempfile.TemporaryDirectory() as own:
        print(json.dumps(Reading(payload, Path(own), int(rounds)).against(way)))


if __name__ == "__main__":
    main()
