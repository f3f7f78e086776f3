"""Volumes: how many rows a teacher is asked for, how long they are, and so what its answers take on disk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from distill.embedding import embedding_size
from distill.teach import TOKEN_ROWS, blocks
from distill.tokens import Encoded, Tokenizer
from schemas import rows, tokens
from schemas.answers import Answers
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.example import Example
from schemas.lengths import Lengths
from schemas.manifest import Manifest
from schemas.task import Kind, Unit, unit_of

LOOKED_AT = 1024
"""Rows of which the tokens are counted where they are in no cache."""
SHARDS_LOOKED_INTO = 8
BYTES_OF_THE_END = 8


@dataclass(frozen=True)
class Volume:
    """So many rows in so many shards, asked for in batches of so many tokens.

    `looked_at` are lengths of rows in the order of a shard: of every shard, or of a sample that stands for all. So many
    of those are `left_out`: too long to be asked for. `embedding_bytes` are those of the teacher's embeddings,
    `token_bytes` those of the shards of token ids.
    """

    rows: int
    shards: int
    batch_tokens: int
    looked_at: Sequence[Lengths]
    embedding_bytes: int = 0
    left_out: int = 0
    token_bytes: float = 0

    @cached_property
    def lengths(self) -> Lengths:
        """Those of all rows that were looked at."""
        return sum(self.looked_at[1:], self.looked_at[0])

    @cached_property
    def asked(self) -> Lengths:
        """Those of the rows among them that are asked for: the others were cut, and so are the longest."""
        count = len(self.lengths.tokens) - self.left_out
        return Lengths(*(each[np.argsort(self.lengths.tokens, kind="stable")[:count]] for each in self.lengths))

    @property
    def share(self) -> float:
        """How many rows one that was looked at stands for."""
        return self.rows / len(self.lengths.tokens)

    @property
    def tokens(self) -> float:
        """Tokens of all rows."""
        return self.share * int(self.lengths.tokens.sum())

    @property
    def asked_tokens(self) -> float:
        """Tokens of the rows that are asked for."""
        return self.share * int(self.asked.tokens.sum())

    @property
    def batches(self) -> float:
        """Record batches of a group; the last of a shard is half full, wherever shards end."""
        cut = sum(len(list(blocks(lengths.tokens, self.batch_tokens))) for lengths in self.looked_at)
        full = (cut - len(self.looked_at) / 2) * self.share
        return max(self.shards, full + self.shards / 2)

    def bytes(self, answers: Answers) -> float:
        """Bytes of a group's shards."""
        numbers = self.share * answers.bytes(self.asked.at(answers.family.at), self.left_out)
        return numbers + answers.weight_bytes(self.embedding_bytes) + around(answers.schema, self.batches, self.shards)


def around(schema: pa.Schema, batches: float, shards: int) -> float:
    """Return the bytes of shards beside those of their rows: what a batch begins with, schemas, marks of the end."""
    empty = pa.RecordBatch.from_pylist([], schema)
    return batches * pa.ipc.get_record_batch_size(empty) + shards * (schema.serialize().size + BYTES_OF_THE_END)


def volume_of(
    cache: Cache, manifest: Manifest, teacher: Checkpoint, tokenizer: Tokenizer, configuration: Configuration
) -> Volume:
    """Return the volume of the rows of a cache: all are looked at where they are tokenised, else a sample is."""
    group = cache.group(tokens.name(tokenizer.fingerprint, tokenizer.max_length))
    number, shards = manifest.rows, len(manifest.shards)
    if not (group.is_published() and (found := group.manifest()).ids == manifest.ids):
        return sampled(number, shards, rows_of(cache, manifest), teacher, tokenizer, configuration)
    looked_at = [Lengths.of_table(group.read_shard(side)) for side in found.shards]
    left_out = found.accounting["cut"] if configuration.teach.leaves_out else 0
    batch_tokens = configuration.teach.batch_tokens
    return Volume(number, shards, batch_tokens, looked_at, embedding_size(teacher), left_out, found.bytes)


def sampled(
    number: int,
    shards: int,
    sample: Iterable[Example],
    teacher: Checkpoint,
    tokenizer: Tokenizer,
    configuration: Configuration,
) -> Volume:
    """Return the volume of so many rows in so many shards, of which there is a sample."""
    kind, teaching = configuration.task.kind, configuration.teach
    encoded = tokenizer.encode_rows(sorted(sample, key=lambda example: example.order), words=unit_of(kind) is Unit.WORD)
    left_out = encoded.cut if teaching.leaves_out else 0
    size = token_bytes(encoded, number, shards, kind)
    embeddings = embedding_size(teacher)
    return Volume(number, shards, teaching.batch_tokens, [encoded.lengths], embeddings, left_out, size)


def token_bytes(sample: Encoded, number: int, shards: int, kind: Kind) -> float:
    """Return the bytes of the shards of token ids of so many rows, of which there is a sample."""
    schema = tokens.schema(kind, masked=bool(sample.lengths.masked.any()))
    rows = len(sample.input_ids)
    batch = tokens.to_batch(schema, range(rows), sample.columns(slice(rows)))
    batches = max(shards, number / TOKEN_ROWS + shards / 2)
    return number / max(1, rows) * batch.nbytes + around(schema, batches, shards)


def rows_of(cache: Cache, manifest: Manifest) -> list[Example]:
    """Return some rows of a cache, short and long ones of a few shards."""
    sides = [side for side in manifest.shards if side.rows][:SHARDS_LOOKED_INTO]
    found: list[Example] = []
    for side in sides:
        table = cache.group(rows.NAME).read_shard(side)
        places = np.linspace(0, side.rows - 1, min(LOOKED_AT // len(sides), side.rows)).astype(np.int64)
        found += rows.examples(table.take(places))
    return found
