"""Rows to train on: token ids, labels and counts of a cache, in memory, numbered through all shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import torch

from distill.batch import Batch
from distill.tokens import Tokenizer
from schemas.cache import Cache
from schemas.errors import ConfigurationError, IntegrityError
from schemas.example import Example
from schemas.group import Group
from schemas.manifest import Manifest
from schemas.rows import NAME as ROWS

COLUMNS = ["id", "origin", "label", "count"]


@dataclass(frozen=True)
class TrainingRows:
    """Columns of all rows; token ids are kept end to end, `ends` says where each row's end.

    `labels` is nan where the row has none; `origins` is the row's own id for an original.
    """

    ids: np.ndarray
    origins: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    input_ids: np.ndarray
    token_type_ids: np.ndarray
    ends: np.ndarray
    padding: int

    @classmethod
    def of(cls, cache: Cache, tokens: str, padding: int) -> "TrainingRows":
        """Read the rows and one tokenizer's token group; raises `IntegrityError` where they are not the same rows."""
        rows_group, tokens_group = cache.group(ROWS), cache.group(tokens)
        if not tokens_group.manifest_path().exists():
            raise ConfigurationError("answers of the teacher", f"none in {cache.path}", "run `distill teach` first")
        rows_manifest, tokens_manifest = rows_group.manifest(), tokens_group.manifest()
        check_same_rows(rows_manifest, tokens_manifest, tokens_group)
        rows = pa.concat_tables(
            [rows_group.read_shard(side).drop(["texts", "changes"]) for side in rows_manifest.shards]
        )
        encoded = pa.concat_tables([tokens_group.read_shard(side) for side in tokens_manifest.shards])
        input_ids, segments = (encoded.column(name).combine_chunks() for name in ("input_ids", "token_type_ids"))
        return cls(
            ids=rows.column("id").to_numpy(),
            origins=rows.column("origin").to_numpy(),
            labels=rows.column("label").cast(pa.float64()).fill_null(np.nan).to_numpy(),
            counts=rows.column("count").to_numpy(),
            input_ids=input_ids.flatten().to_numpy(),
            token_type_ids=segments.flatten().to_numpy(),
            ends=np.concatenate([[0], np.cumsum(input_ids.value_lengths().to_numpy())]).astype(np.int64),
            padding=padding,
        )

    @classmethod
    def of_examples(cls, examples: Sequence[Example], tokenizer: Tokenizer) -> "TrainingRows":
        """Tokenise rows that are in no cache."""
        encoded = tokenizer.encode_rows(examples)
        labels = [np.nan if example.label is None else example.label for example in examples]
        return cls(
            ids=np.array([example.id for example in examples], np.uint64),
            origins=np.array([example.origin for example in examples], np.uint64),
            labels=np.array(labels, np.float64),
            counts=np.array([example.count for example in examples], np.int32),
            input_ids=np.concatenate([np.array(ids, np.int32) for ids in encoded.input_ids]),
            token_type_ids=np.concatenate([np.array(ids, np.int8) for ids in encoded.token_type_ids]),
            ends=np.concatenate([[0], np.cumsum([len(ids) for ids in encoded.input_ids])]).astype(np.int64),
            padding=tokenizer.padding,
        )

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        return np.diff(self.ends)

    @property
    def is_original(self) -> np.ndarray:
        """Which rows were read, not made."""
        return self.ids == self.origins

    def batch(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Batch:
        """Return some rows as a padded batch."""
        spans = [slice(self.ends[row], self.ends[row + 1]) for row in rows.tolist()]
        return Batch.of(
            rows,
            [self.input_ids[span] for span in spans],
            [self.token_type_ids[span] for span in spans],
            padding=self.padding,
            device=device,
        )


def check_same_rows(rows: Manifest, other: Manifest, group: Group) -> None:
    """Refuse a group whose shards do not hold the rows of the `rows` group in the same order."""
    for shard, (expected, found) in enumerate(zip_longest(rows.shards, other.shards)):
        if expected is None or found is None or expected.ids != found.ids:
            raise IntegrityError(
                f"the rows of `{ROWS}`, shard by shard",
                f"{group.path}: shard {shard} holds other rows",
                "run `distill teach` again: it asks only for the rows that are new",
            )
