"""Made-up answers of a BERT-base teacher for a student of four layers, as the package and as others keep them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from safetensors.numpy import save_file

from distill.packed import PackedReader
from schemas.answers import Answers, Status
from schemas.codec import Codec
from schemas.digest import digest
from schemas.group import Group
from schemas.signal import Family

HIDDEN, ATTENTION = (0, 3, 6, 9, 12), (3, 6, 9, 12)
WIDTH, HEADS, LONGEST = 768, 12, 128
ROWS_PER_BATCH = 32
NAIVE = 4 * LONGEST * (13 * WIDTH + 12 * HEADS * LONGEST)
"""Bytes of a row of which all 13 hidden states and 12 blocks' scores are kept in float32, padded to the longest."""


def lengths_of(rows: int) -> np.ndarray:
    """Return lengths as sentences have them: lognormal from 5 to 128, 40 on average."""
    drawn = np.random.default_rng(0).lognormal(np.log(40) - 0.16, 0.56, rows)
    return np.clip(np.rint(drawn), 5, LONGEST).astype(np.int64)


def answers_of(codec: Codec) -> tuple[Answers, Answers]:
    """Return what is kept in a codec: the hidden states and the attention scores of the mapped layers."""
    return (
        Answers("teacher", Family.HIDDEN, HIDDEN, WIDTH, codec),
        Answers("teacher", Family.ATTENTION, ATTENTION, HEADS, codec),
    )


@dataclass(frozen=True)
class Payload:
    """A shard of both groups, written through the writer of the package."""

    folder: Path
    lengths: np.ndarray
    codec: Codec

    @property
    def groups(self) -> list[Group]:
        """Both groups."""
        return [Group(self.folder / answers.name) for answers in answers_of(self.codec)]

    @property
    def files(self) -> list[Path]:
        """Their Arrow files."""
        return [group.path / side.file for group in self.groups for side in group.manifest().shards]

    @property
    def bytes_per_row(self) -> float:
        """Bytes of the files by rows."""
        return sum(path.stat().st_size for path in self.files) / len(self.lengths)

    def readers(self) -> list[PackedReader]:
        """Fresh readers of both groups."""
        return [PackedReader(group, self.lengths) for group in self.groups]

    def write(self) -> "Payload":
        """Write normal numbers, the same noise at another place for every row."""
        generator = np.random.default_rng(1)
        noise = generator.standard_normal(1 << 22, np.float32)
        for answers, group in zip(answers_of(self.codec), self.groups, strict=True):
            sizes = answers.size(self.lengths).tolist()
            with group.writer(0, answers.schema) as writer:
                for start in range(0, len(sizes), ROWS_PER_BATCH):
                    part = range(start, min(start + ROWS_PER_BATCH, len(sizes)))
                    kept = []
                    for row in part:
                        places = generator.integers(0, len(noise) - sizes[row], len(answers.layers)).tolist()
                        layers = [noise[place : place + sizes[row]] for place in places]
                        kept.append(answers.keep(layers, int(self.lengths[row]))[0])
                    writer.write(answers.to_batch(np.array(part, np.uint64), [Status.KEPT] * len(part), kept))
                writer.commit(settings=digest("bench"), input=digest("bench"), accounting={"rows": len(sizes)})
            group.publish_manifest(answers.settings(), 1)
        return self

    def columns(self) -> list[pa.LargeListArray]:
        """The numbers of both groups, a list a row."""
        tables = [group.read_shard(group.manifest().shards[0]) for group in self.groups]
        names = [answers.family.value for answers in answers_of(self.codec)]
        return [table[name].combine_chunks() for table, name in zip(tables, names, strict=True)]


def write_parquet(columns: Sequence[pa.LargeListArray], path: Path) -> Path:
    """Write a row a row group, which is what random rows are read from fastest."""
    table = pa.table(list(columns), names=[family.value for family in (Family.HIDDEN, Family.ATTENTION)])
    parquet.write_table(table, path, row_group_size=1, compression="none", use_dictionary=False)
    return path


def write_safetensors(columns: Sequence[pa.LargeListArray], path: Path) -> Path:
    """Write one flat tensor a group."""
    save_file({f"{i}": column.values.to_numpy() for i, column in enumerate(columns)}, path)
    return path
