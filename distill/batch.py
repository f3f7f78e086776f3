"""Batches: rows of token ids padded on the device, and how padded tensors are packed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from distill.words import Words


@dataclass(frozen=True)
class Batch:
    """Token ids of some rows, padded to the longest; `rows` are their numbers in the cache or data set.

    `first_pieces` says where in the packed tokens words begin, where words are judged, `masked` which are masked, where
    some are.
    """

    rows: np.ndarray
    input_ids: Int[Tensor, "rows length"]
    token_type_ids: Int[Tensor, "rows length"]
    lengths: np.ndarray
    first_pieces: Int[Tensor, " words"] | None = None
    masked: Int[Tensor, " masked"] | None = None

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        input_ids: Sequence[np.ndarray],
        token_type_ids: Sequence[np.ndarray],
        *,
        padding: int,
        device: torch.device | str = "cpu",
        words: Words | None = None,
        masked: Words | None = None,
    ) -> "Batch":
        """Pad ragged rows with the id `padding`."""
        lengths = np.array([len(ids) for ids in input_ids], dtype=np.int64)
        ids = np.full((len(lengths), int(lengths.max())), padding, dtype=np.int64)
        segments = np.zeros_like(ids)
        for i, (row_ids, row_segments) in enumerate(zip(input_ids, token_type_ids, strict=True)):
            ids[i, : len(row_ids)] = row_ids
            segments[i, : len(row_segments)] = row_segments
        places = (
            None if each is None else torch.from_numpy(each.positions(rows, lengths)).to(device)
            for each in (words, masked)
        )
        return cls(rows, torch.from_numpy(ids).to(device), torch.from_numpy(segments).to(device), lengths, *places)

    @property
    def is_padded(self) -> bool:
        """Whether some row is shorter than the longest."""
        return bool(self.lengths.min() < self.lengths.max())

    @property
    def mask(self) -> Bool[Tensor, "rows length"]:
        """True at real tokens."""
        positions = torch.arange(self.input_ids.size(1), device=self.input_ids.device)
        return positions < torch.as_tensor(self.lengths, device=self.input_ids.device).unsqueeze(1)

    def pack_tokens(self, values: Float[Tensor, "rows length width"]) -> Float[Tensor, "tokens width"]:
        """Return the vectors of real tokens, row after row."""
        return values[self.mask] if self.is_padded else values.flatten(0, 1)

    def mean(self, values: Float[Tensor, "rows length width"]) -> Float[Tensor, "rows width"]:
        """Return the mean over each row's real tokens."""
        lengths = torch.as_tensor(self.lengths, device=values.device).unsqueeze(1)
        return (values * self.mask.unsqueeze(2)).sum(1) / lengths

    def at_masks(self, values: Float[Tensor, "rows length width"]) -> Float[Tensor, "masked width"]:
        """Return the vectors of masked tokens, row after row."""
        assert self.masked is not None, "only rows of a masked corpus have masks"
        return self.pack_tokens(values)[self.masked]

    def at_words(self, values: Float[Tensor, "tokens width"]) -> Float[Tensor, "words width"]:
        """Return what packed vectors are at the first pieces of words."""
        assert self.first_pieces is not None, "only rows of a token classification have words"
        return values[self.first_pieces]

    def pack_pairs(self, values: Float[Tensor, "rows heads length length"]) -> Float[Tensor, " numbers"]:
        """Return the numbers of pairs of real tokens, row after row, each row's heads one after another."""
        if not self.is_padded:
            return values.flatten()
        return torch.cat([values[i, :, :n, :n].flatten() for i, n in enumerate(self.lengths.tolist())])
