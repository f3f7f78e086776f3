"""What a copy costs in memory and on disk, from 1 to 100 copies a row.

    .venv/bin/python -m benchmarks.memory [--quick]

Candidates are proposed once; then one shard's copies are drawn and written in a process of its own for each number of
copies, and its peak memory is compared with that of the same process that draws none. The last line is one JSON object:

- disk_per_row_100x_vs_10x, memory_per_row_100x_vs_10x: bytes a copy at 100 copies a row by those at 10; 1 is constant.
- memory_vs_disk_100x: bytes of memory by bytes of disk that a copy takes.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.growth import measured, one_shard
from benchmarks.measure import finish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute on two cores")
    parser.add_argument("--shard", help=argparse.SUPPRESS)
    parser.add_argument("--copies", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--originals", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.shard:
        one_shard(Path(arguments.shard), arguments.copies, arguments.originals)
        return
    originals = 512 if arguments.quick else 2048
    with tempfile.TemporaryDirectory() as folder:
        base_rows, base_size, base_peak = measured(Path(folder), 0, originals)
        disk: dict[int, float] = {}
        memory: dict[int, float] = {}
        for copies in (1, 10, 100):
            rows, size, peak = measured(Path(folder), copies, originals)
            disk[copies] = (size - base_size) / (rows - base_rows)
            memory[copies] = (peak - base_peak) / (rows - base_rows)
            costs = f"{disk[copies]:.0f} bytes of disk and {memory[copies]:.0f} of memory a copy"
            print(f"{copies} copies: {rows:,} rows, {costs}")
        finish(
            {
                "disk_per_row_100x_vs_10x": disk[100] / disk[10],
                "memory_per_row_100x_vs_10x": memory[100] / memory[10],
                "memory_vs_disk_100x": memory[100] / disk[100],
            }
        )


if __name__ == "__main__":
    main()
