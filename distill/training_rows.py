"""Rows to train on: token ids, labels and counts of a cache, in memory, numbered through all shards."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import assert_never

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from distill.batch import Batch
from distill.tokens import Tokenizer
from distill.words import NONE, Words, labels_of
from schemas.cache import Cache
from schemas.errors import ConfigurationError, IntegrityError
from schemas.example import Example, Label
from schemas.group import Group
from schemas.lengths import Lengths
from schemas.manifest import Manifest
from schemas.rows import NAME as ROWS
from schemas.rows import examples as examples_of
from schemas.rows import labels
from schemas.task import NO_ANSWERS, Kind, Task, Unit, unit_of
from schemas.tokens import FIRST_PIECES


@dataclass(frozen=True)
class TrainingRows:
    """Columns of all rows; token ids are kept end to end, `ends` says where each row's end.

    `labels` is a class or a number a row, or a 1 or 0 for every class; nan where the row has none, and where its words
    have classes of their own, in `words`. `origins` is the row's own id for an original. `masked` is where tokens are
    masked and, as a class, the id that truly stands there; `None` where nothing is.
    """

    kind: Kind
    ids: np.ndarray
    origins: np.ndarray
    labels: np.ndarray
    counts: np.ndarray
    input_ids: np.ndarray
    token_type_ids: np.ndarray
    ends: np.ndarray
    padding: int
    words: Words | None = None
    masked: Words | None = None

    @classmethod
    def of(cls, cache: Cache, tokens: str, padding: int, task: Task) -> "TrainingRows":
        """Read the rows and one tokenizer's token group.

        Raises `ConfigurationError` where there is no such group, `IntegrityError` where it has other rows.
        """
        rows_group, tokens_group = cache.group(ROWS), cache.group(tokens)
        if not tokens_group.is_published():
            raise ConfigurationError(
                "token ids of the rows",
                f"{tokens_group.path}: missing",
                "run `distill teach` with the same configuration: no row that has an answer is asked again",
            )
        rows_manifest, tokens_manifest = rows_group.manifest(), tokens_group.manifest()
        check_same_rows(rows_manifest, tokens_manifest, tokens_group)
        rows = pa.concat_tables(
            [rows_group.read_shard(side).drop(["texts", "changes"]) for side in rows_manifest.shards]
        )
        encoded = pa.concat_tables([tokens_group.read_shard(side) for side in tokens_manifest.shards])
        input_ids, segments = (encoded.column(name).combine_chunks() for name in ("input_ids", "token_type_ids"))
        return cls(
            kind=task.kind,
            ids=rows.column("id").to_numpy(),
            origins=rows.column("origin").to_numpy(),
            labels=as_numbers(labels(rows), task),
            counts=rows.column("count").to_numpy(),
            input_ids=input_ids.flatten().to_numpy(),
            token_type_ids=segments.flatten().to_numpy(),
            ends=np.concatenate([[0], np.cumsum(input_ids.value_lengths().to_numpy())]).astype(np.int64),
            padding=padding,
            words=words_of(rows, encoded, tokens_group) if unit_of(task.kind) is Unit.WORD else None,
            masked=masks_of(encoded),
        )

    @classmethod
    def tokenised(cls, cache: Cache, tokenizer: Tokenizer, task: Task) -> "TrainingRows":
        """Read the rows of a cache and tokenise them again, by a tokenizer that is not the teacher's."""
        group = cache.group(ROWS)
        shards = (group.read_shard(side) for side in group.manifest().shards)
        return cls.of_examples([each for table in shards for each in examples_of(table)], tokenizer, task)

    @classmethod
    def of_examples(cls, examples: Sequence[Example], tokenizer: Tokenizer, task: Task) -> "TrainingRows":
        """Tokenise rows that are in no cache."""
        encoded = tokenizer.encode_rows(examples, words=unit_of(task.kind) is Unit.WORD)
        found = encoded.first_pieces
        return cls(
            kind=task.kind,
            ids=np.array([example.id for example in examples], np.uint64),
            origins=np.array([example.origin for example in examples], np.uint64),
            labels=as_numbers([example.label for example in examples], task),
            counts=np.array([example.count for example in examples], np.int32),
            input_ids=np.concatenate([np.array(ids, np.int32) for ids in encoded.input_ids]),
            token_type_ids=np.concatenate([np.array(ids, np.int8) for ids in encoded.token_type_ids]),
            ends=np.concatenate([[0], np.cumsum([len(ids) for ids in encoded.input_ids])]).astype(np.int64),
            padding=tokenizer.padding,
            words=None if found is None else Words.of(found, list(map(labels_of, examples))),
            masked=Words.of(encoded.masked_positions, encoded.masked_ids) if any(encoded.masked_positions) else None,
        )

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        return np.diff(self.ends)

    @property
    def all_lengths(self) -> Lengths:
        """Tokens of each row, and how many of them are masked."""
        return Lengths(self.lengths, np.zeros_like(self.lengths) if self.masked is None else np.diff(self.masked.ends))

    @property
    def is_original(self) -> np.ndarray:
        """Which rows were read, not made."""
        return self.ids == self.origins

    @property
    def is_labelled(self) -> Bool[np.ndarray, " rows"]:
        """Which rows have a label, or a class for every word."""
        if self.words is not None:
            return self.words.is_labelled
        return ~np.isnan(self.labels if self.labels.ndim == 1 else self.labels[:, 0])

    @property
    def has_answers(self) -> Bool[np.ndarray, " rows"]:
        """Which rows a model has something to say of: all, or those that have words."""
        return np.ones(len(self.ids), np.bool_) if self.words is None else self.words.has_pieces

    def targets(self, batch: Batch) -> Tensor:
        """Return the labels of a batch as losses take them: classes of rows or words, numbers, or 1 and 0."""
        device = batch.input_ids.device
        match self.kind:
            case Kind.CLASSIFICATION:
                return torch.from_numpy(self.labels[batch.rows]).to(device).long()
            case Kind.REGRESSION | Kind.MULTI_LABEL:
                return torch.from_numpy(self.labels[batch.rows]).to(device).float()
            case Kind.TOKEN_CLASSIFICATION:
                assert self.words is not None
                return torch.from_numpy(self.words.labels[self.words.numbers(batch.rows)]).to(device)
            case Kind.NONE:
                raise NO_ANSWERS
            case _:
                assert_never(self.kind)

    def batch(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Batch:
        """Return some rows as a padded batch."""
        spans = [slice(self.ends[row], self.ends[row + 1]) for row in rows.tolist()]
        return Batch.of(
            rows,
            [self.input_ids[span] for span in spans],
            [self.token_type_ids[span] for span in spans],
            padding=self.padding,
            device=device,
            words=self.words,
            masked=self.masked,
        )


def as_numbers(labels: Sequence[Label], task: Task) -> Float[np.ndarray, "rows *classes"]:
    """Return labels as an array, nan where there is none."""
    match task.kind:
        case Kind.CLASSIFICATION | Kind.REGRESSION:
            return np.array([np.nan if label is None else label for label in labels], np.float64)
        case Kind.MULTI_LABEL:
            found = np.zeros((len(labels), task.outputs))
            for row, label in zip(found, labels, strict=True):
                if isinstance(label, tuple):
                    row[list(label)] = 1
                else:
                    row[:] = np.nan
            return found
        case Kind.TOKEN_CLASSIFICATION | Kind.NONE:
            return np.full(len(labels), np.nan)
        case _:
            assert_never(task.kind)


def words_of(rows: pa.Table, encoded: pa.Table, group: Group) -> Words:
    """Return the words of a cache's rows: first pieces as they were kept, classes as the spans have them."""
    if FIRST_PIECES not in encoded.column_names:
        raise IntegrityError(
            "the first pieces of words", f"{group.path}: rows of another kind of task", f"delete {group.path}"
        )
    kept, spans = encoded.column(FIRST_PIECES).combine_chunks(), rows.column("spans").combine_chunks()
    classes = spans.flatten().field("label")
    counts = kept.value_lengths().to_numpy()
    labels = np.full(int(counts.sum()), NONE, np.int64)
    # A row has a class for every word or for none; a span without a class only protects.
    valued = np.cumsum(np.concatenate([[0], classes.is_valid().to_numpy(zero_copy_only=False)]))
    bounds = np.concatenate([[0], np.cumsum(spans.value_lengths().to_numpy())])
    tagged = np.repeat(valued[bounds[1:]] > valued[bounds[:-1]], counts)
    labels[tagged] = classes.drop_null().to_numpy()
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Words(kept.flatten().to_numpy().astype(np.int64), labels, ends)


def masks_of(encoded: pa.Table) -> Words | None:
    """Return the masked places of a token group's rows, `None` where it has no columns of them."""
    if "masked_positions" not in encoded.column_names:
        return None
    places, truth = (encoded.column(name).combine_chunks() for name in ("masked_positions", "masked_ids"))
    ends = np.concatenate([[0], np.cumsum(places.value_lengths().to_numpy())]).astype(np.int64)
    positions, ids = (each.flatten().to_numpy().astype(np.int64) for each in (places, truth))
    return Words(positions, ids, ends)


def check_same_rows(rows: Manifest, other: Manifest, group: Group) -> None:
    """Refuse a group whose shards do not hold the rows of the `rows` group in the same order."""
    for shard, (expected, found) in enumerate(zip_longest(rows.shards, other.shards)):
        if expected is None or found is None or expected.ids != found.ids:
            raise IntegrityError(
                f"the rows of `{ROWS}`, shard by shard",
                f"{group.path}: shard {shard} holds other rows",
                "run `distill teach` again: it asks only for the rows that are new",
            )
