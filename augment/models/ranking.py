"""Ranking: scores in an order that rounding errors seldom change, and saying where they could."""

import numpy as np
from jaxtyping import Bool, Float, Int

GRID = 2.0**-13
"""Scores are rounded to this, so that equal ones stay equal whatever a batch was made of."""
NOISE = 2.0**-16
"""How far apart one score may lie when it is computed in two batches, in fp32."""


def ranked(
    ids: Int[np.ndarray, "rows more"], scores: Float[np.ndarray, "rows more"], top: int
) -> tuple[Int[np.ndarray, "rows top"], Float[np.ndarray, "rows top"], Bool[np.ndarray, " rows"]]:
    """Return the first `top` ids of each row by (-score on the grid, id), their scores, and whether it was a near tie.

    A near tie is a row whose list, order included, errors of `NOISE` could change; one more than `top` is to be given,
    for the last place's sake.
    """
    rounded = on_grid(scores)
    order = np.lexsort((ids, -rounded))
    ids, scores, rounded = (np.take_along_axis(each, order, 1) for each in (ids, scores, rounded))
    lower, upper = on_grid(scores[:, :-1] - NOISE), on_grid(scores[:, 1:] + NOISE)
    near = (lower < upper) | ((lower == upper) & (ids[:, :-1] > ids[:, 1:]))
    return ids[:, :top], rounded[:, :top], near.any(axis=1)


def on_grid(scores: Float[np.ndarray, "*axes"]) -> Float[np.ndarray, "*axes"]:
    """Round scores to the grid; powers of two keep float32 exact."""
    return np.round(scores / GRID) * GRID
