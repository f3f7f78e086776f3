"""Lengths: how much of each row there is to have numbers for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from schemas.signal import At


class Lengths(NamedTuple):
    """Tokens of each row, and how many of them are masked."""

    tokens: Int[np.ndarray, " rows"]
    masked: Int[np.ndarray, " rows"]

    def at(self, at: At) -> Int[np.ndarray, " rows"]:
        """Return how many tokens of each row a family counts that has numbers there."""
        return self.masked if at is At.MASKED else self.tokens

    def __add__(self, other: object) -> "Lengths":
        """Return the lengths of these rows and then of others."""
        if not isinstance(other, Lengths):
            return NotImplemented
        return Lengths(*(np.concatenate(each) for each in zip(self, other, strict=True)))

    @classmethod
    def of(cls, tokens: Sequence[Sequence[int]], masked: Sequence[Sequence[int]]) -> "Lengths":
        """Count the ids and the masked places of rows."""
        return cls(*(np.array([len(row) for row in rows], np.int64) for rows in (tokens, masked)))

    @classmethod
    def of_table(cls, table: pa.Table) -> "Lengths":
        """Count those of a shard of a token group, which has no column of masked places where nothing is masked."""
        tokens = counted(table, "input_ids")
        if "masked_positions" not in table.column_names:
            return cls(tokens, np.zeros_like(tokens))
        return cls(tokens, counted(table, "masked_positions"))


def counted(table: pa.Table, name: str) -> Int[np.ndarray, " rows"]:
    """Return how many numbers each row of a column of lists has."""
    return table.column(name).combine_chunks().value_lengths().to_numpy().astype(np.int64)
