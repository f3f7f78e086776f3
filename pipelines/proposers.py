"""Proposers: the models that words come from, and their fingerprints, of which candidates are a function."""

from collections.abc import Iterator
from pathlib import Path

from augment import vectors
from schemas.checkpoint import Checkpoint
from schemas.configuration import Augmentation
from schemas.errors import ModelError


def find_masked_language_model(settings: Augmentation) -> Checkpoint:
    """Return the masked language model, fetched if it is not there."""
    return Checkpoint.find(str(settings.masked_language_model))


def find_vectors(settings: Augmentation) -> Path | None:
    """Return the file of word vectors, `None` where none are wanted."""
    if settings.vectors == "none":
        return None
    path = Path(settings.vectors)
    if not path.is_file():
        raise ModelError(
            "a file of word vectors, or none", f"augment.vectors: {path}: no such file", "correct the path"
        )
    return path


def fingerprints(settings: Augmentation) -> dict[str, str]:
    """Return the fingerprints of all proposers; raises `ModelError` where one is not there."""
    if not settings.copies:
        return {}
    return {
        "masked_language_model": find_masked_language_model(settings).fingerprint,
        "vectors": vectors_fingerprint(settings),
    }


def local_fingerprints(settings: Augmentation) -> dict[str, str]:
    """Return the fingerprints of the proposers on this machine: training from a cache needs none of them."""
    if not settings.copies:
        return {}
    found = {}
    if Path(str(settings.masked_language_model)).is_dir():
        found["masked_language_model"] = find_masked_language_model(settings).fingerprint
    if settings.vectors == "none" or Path(settings.vectors).is_file():
        found["vectors"] = vectors_fingerprint(settings)
    return found


def absent(settings: Augmentation) -> Iterator[str]:
    """Yield the keys of proposers that cannot be compared with what made the rows."""
    known = local_fingerprints(settings)
    if settings.copies:
        yield from (f"augment.{key}" for key in ("masked_language_model", "vectors") if key not in known)


def vectors_fingerprint(settings: Augmentation) -> str:
    """Return the fingerprint of the vectors, `none` where none are wanted."""
    path = find_vectors(settings)
    return vectors.fingerprint(path, settings.vectors_rows) if path else "none"
