"""Counts of sets of labels: pooled over labels, label by label, and as wholes."""

import numpy as np
from jaxtyping import Float, Num

from distill.counted import Count, ratio


def pooled_counts(labels: Float[np.ndarray, "rows classes"]) -> Count:
    """Count for micro F1: twice the hits, and all that is there and all that was found."""

    def count(found: Num[np.ndarray, "rows classes"]) -> Float[np.ndarray, "rows 2"]:
        return np.stack([2 * (found * labels).sum(1), (found + labels).sum(1)], axis=1)

    return count


def class_counts(labels: Float[np.ndarray, "rows classes"]) -> Count:
    """Count for macro F1: the same, for one label after another."""

    def count(found: Num[np.ndarray, "rows classes"]) -> Float[np.ndarray, "rows counts"]:
        return np.stack([2 * found * labels, found + labels], axis=2).reshape(len(labels), -1)

    return count


def exact_counts(labels: Float[np.ndarray, "rows classes"]) -> Count:
    """Count for accuracy of whole sets: rows whose every label was found and no other, and rows."""

    def count(found: Num[np.ndarray, "rows classes"]) -> Float[np.ndarray, "rows 2"]:
        right = (found == labels).all(axis=1).astype(np.float64)
        return np.stack([right, np.ones_like(right)], axis=1)

    return count


def mean_ratio(counts: Float[np.ndarray, "resamples counts"]) -> Float[np.ndarray, " resamples"]:
    """Return the mean F1 of the labels that are there or were found; `nan` where there is none."""
    scores = ratio(counts.reshape(-1, 2)).reshape(len(counts), -1)
    defined = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        return np.where(defined, scores, 0.0).sum(-1) / defined.sum(-1)
