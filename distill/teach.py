"""Teaching one shard: tokenise its rows, ask the teacher once, keep what it said."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from distill.batch import Batch
from distill.encoder import Encoder
from distill.known_answers import NOTHING, KnownAnswers
from distill.tokens import Encoded, Tokenizer
from distill.words import Words
from schemas import rows as rows_group
from schemas import tokens
from schemas.answers import Answers, Status
from schemas.cache import Cache
from schemas.codec import Kept
from schemas.codec_error import Error
from schemas.digest import digest
from schemas.group import Group
from schemas.manifest import SideFile
from schemas.rows import NAME as ROWS
from schemas.shard_writer import ShardWriter
from schemas.signal import Signal
from schemas.task import Unit, unit_of
from schemas.work import Work

TOKEN_SETTINGS = ("tokenizer", "max_length")
"""Of what a teacher's answers depend on, the part that token ids do."""

TOKEN_ROWS = 1024
"""Rows of token ids in a record batch."""


@dataclass(frozen=True)
class ShardOfRows:
    """The rows of one shard: ids, token ids and segments, in order."""

    ids: np.ndarray
    encoded: Encoded

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        return self.encoded.lengths.tokens

    @cached_property
    def masked(self) -> Words:
        """Where tokens are masked, and what truly stands there."""
        return Words.of(self.encoded.masked_positions, self.encoded.masked_ids)


@dataclass(frozen=True)
class ShardTeacher:
    """A teacher and the groups it fills, a pure function of a shard.

    `identity` is what the answers depend on beside rows, layers and codec: teacher, tokenizer, batching, threads.
    `masked` says that some row of the cache is: all shards of a group of tokens have the same columns.
    """

    cache: Cache
    encoder: Encoder
    tokenizer: Tokenizer
    groups: tuple[Answers, ...]
    identity: dict[str, Any]
    batch_tokens: int
    masked: bool = False

    def teach(self, side: SideFile) -> Work:
        """Write a shard's tokens and answers where they are not there yet, copying every answer that is known.

        `side` is the shard's side file in the group `rows`.
        """
        shard = side.shard
        todo = [
            answers
            for answers in self.groups
            if not is_committed(self.group(answers), shard, input_of(settings_of(answers, self.identity), side))
        ]
        if not todo and is_committed(self.token_group, shard, input_of(self.token_settings, side)):
            return Work()
        rows = self.tokenise(side)
        if not todo:
            return Work()
        known = [KnownAnswers.of(self.group(each), shard, settings_of(each, self.identity)) for each in todo]
        places = [np.fromiter(each.places, np.uint64, len(each.places)) for each in known]
        asked = np.logical_or.reduce([~np.isin(rows.ids, each) for each in places])
        if self.identity.get("longer") == "leave":
            asked &= ~np.array(rows.encoded.was_cut, np.bool_)
        with ExitStack() as stack:
            writers = [stack.enter_context(self.group(answers).writer(shard, answers.schema)) for answers in todo]
            counts: list[Counter[Status]] = [Counter() for _ in todo]
            for writer, earlier in zip(writers, known, strict=True):
                for column, error in earlier.errors.items():
                    writer.note_error(column, error)
            for block in blocks(rows.lengths, self.batch_tokens):
                # All groups are asked for, also those that are there: what is captured decides which kernels run,
                # and an interrupted shard is to go on to the same bits.
                spoken = self.ask(rows, block[asked[block]], self.groups)
                for i, answers in enumerate(todo):
                    counts[i] += write_block(writers[i], answers, rows, block, asked, spoken, known[i])
            for answers, writer, found in zip(todo, writers, counts, strict=True):
                failures = {state.name.lower(): found[state] for state in Status if state is not Status.KEPT}
                writer.commit(
                    settings=digest(settings_of(answers, self.identity)),
                    input=input_of(settings_of(answers, self.identity), side),
                    accounting={"rows": len(rows.ids), **failures},
                )
        return Work(asked=int(asked.sum()), copied=len(np.intersect1d(rows.ids[~asked], np.concatenate(places))))

    def tokenise(self, side: SideFile) -> ShardOfRows:
        """Return a shard's rows with their token ids; write them where they are not there yet."""
        table = self.cache.group(ROWS).read_shard(side)
        ids = table.column("id").to_numpy()
        kind = self.encoder.kind
        encoded = self.tokenizer.encode_rows(list(rows_group.examples(table)), words=unit_of(kind) is Unit.WORD)
        settings = self.token_settings
        if not is_committed(self.token_group, side.shard, input_of(settings, side)):
            schema = tokens.schema(kind, masked=self.masked)
            with self.token_group.writer(side.shard, schema) as writer:
                for start in range(0, len(ids), TOKEN_ROWS):
                    part = slice(start, start + TOKEN_ROWS)
                    writer.write(tokens.to_batch(schema, ids[part], encoded.columns(part)))
                counts = {"rows": len(ids), "tokens": sum(map(len, encoded.input_ids)), "cut": encoded.cut}
                writer.commit(settings=digest(settings), input=input_of(settings, side), accounting=counts)
        return ShardOfRows(ids, encoded)

    def ask(self, rows: ShardOfRows, some: np.ndarray, groups: Sequence[Answers]) -> dict[Signal, np.ndarray]:
        """Run the teacher once on some rows; return each signal's numbers, packed."""
        if not len(some):
            return {}
        batch = Batch.of(
            some,
            [np.asarray(rows.encoded.input_ids[row]) for row in some],
            [np.asarray(rows.encoded.token_type_ids[row]) for row in some],
            padding=self.tokenizer.padding,
            device=self.encoder.device,
            masked=rows.masked if self.masked else None,
        )
        with torch.inference_mode():
            answers = self.encoder.read(batch, {signal for group in groups for signal in group.asked})
        return {signal: values.flatten().cpu().numpy() for signal, values in answers.items()}

    def group(self, answers: Answers) -> Group:
        """Return the folder of some answers."""
        return self.cache.group(answers.name)

    @property
    def token_settings(self) -> dict[str, Any]:
        """Return what token ids depend on beside rows."""
        return token_settings(self.identity, masked=self.masked)

    @property
    def token_group(self) -> Group:
        """Return the folder of the rows' token ids."""
        return self.cache.group(tokens.name(self.tokenizer.fingerprint, self.tokenizer.max_length))


def blocks(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Cut rows, in order, where padded to the longest they would pass a budget of tokens."""
    start, longest = 0, 0
    for row, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        if row > start and longest * (row + 1 - start) > budget:
            yield np.arange(start, row)
            start, longest = row, length
    if start < len(lengths):
        yield np.arange(start, len(lengths))


def write_block(
    writer: ShardWriter,
    answers: Answers,
    rows: ShardOfRows,
    block: np.ndarray,
    asked: np.ndarray,
    spoken: dict[Signal, np.ndarray],
    known: KnownAnswers,
) -> Counter[Status]:
    """Write the answers for a block of rows, asked or known; return how many rows have which status.

    What is known stays, also of a row that was asked for another group's sake: it may have got other last bits since,
    and what its codec cost is counted. A row whose numbers are not finite or do not fit the codec keeps its slot,
    empty, with a status.
    """
    lengths = rows.encoded.lengths.at(answers.family.at)[block]
    parts: list[Kept] = []
    status: list[Status] = []
    start = 0
    for row, length, size in zip(block.tolist(), lengths.tolist(), answers.size(lengths).tolist(), strict=True):
        row_id = int(rows.ids[row])
        here = slice(start, start + size)
        start += size if asked[row] else 0
        if not asked[row] or row_id in known.places:
            kept, state = known.get(row_id)
        else:
            kept, error, state = keep(answers, [spoken[signal][here] for signal in answers.asked], length)
            writer.note_error(answers.family.value, error)
        if state is Status.KEPT:
            writer.note_range(answers.family.value, answers.measured(answers.widen(kept, length)))
        parts.append(kept)
        status.append(state)
    writer.write(answers.to_batch(rows.ids[block], status, parts))
    return Counter(status)


def keep(answers: Answers, layers: Sequence[np.ndarray], length: int) -> tuple[Kept, Error, Status]:
    """Return what is kept of a row's layers, what the codec costs, and the row's status."""
    if not all(np.isfinite(layer).all() for layer in layers):
        return NOTHING, Error(), Status.NOT_FINITE
    try:
        return *answers.keep(layers, length), Status.KEPT
    except OverflowError:
        return NOTHING, Error(), Status.OVERFLOW


def token_settings(identity: dict[str, Any], *, masked: bool) -> dict[str, Any]:
    """Return what token ids depend on beside rows; groups without masks say nothing of masking."""
    masking = {"masking": tokens.MASKING_VERSION} if masked else {}
    return {**{key: identity[key] for key in TOKEN_SETTINGS}, **masking}


def settings_of(answers: Answers, identity: dict[str, Any]) -> dict[str, Any]:
    """Return what a group of answers depends on beside its rows."""
    return {**identity, **answers.settings()}


def input_of(settings: dict[str, Any], rows: SideFile) -> str:
    """Return the digest of everything a shard's content depends on: settings, and the rows in their order."""
    return digest([digest(settings), rows.ids])


def is_committed(group: Group, shard: int, input: str) -> bool:
    """Whether a shard is there and was made from just this input."""
    side = group.committed(shard)
    return side is not None and side.input == input
