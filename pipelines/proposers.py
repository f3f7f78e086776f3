"""Proposers: the models and lists that copies come from, and their fingerprints, of which rows are a function."""

from collections.abc import Iterator
from pathlib import Path

from augment import vectors
from schemas.checkpoint import Checkpoint
from schemas.configuration import Augmentation
from schemas.digest import file_digest
from schemas.errors import ModelError

PROPOSERS = ("masked_language_model", "vectors", "stop_words")
"""What candidates depend on; copies depend on `similarity` too."""


def find_masked_language_model(settings: Augmentation) -> Checkpoint | None:
    """Return the masked language model, fetched if it is not there; `None` where none is named."""
    return Checkpoint.find(settings.masked_language_model) if settings.masked_language_model else None


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


def fingerprint(settings: Augmentation, key: str) -> str:
    """Return the fingerprint of what a key of `augment` names; raises `ModelError` where it is not there."""
    match key:
        case "masked_language_model":
            found = find_masked_language_model(settings)
            return found.fingerprint if found else "none"
        case "vectors":
            path = find_vectors(settings)
            return vectors.fingerprint(path, settings.vectors_rows) if path else "none"
        case "stop_words":
            path = Path(settings.stop_words)
            return file_digest(path) if path.is_file() else settings.stop_words
        case "similarity":
            return Checkpoint.find(settings.similarity.model).fingerprint if settings.similarity else "none"
    raise AssertionError(key)


def is_here(settings: Augmentation, key: str) -> bool:
    """Whether what a key names lies on this machine."""
    match key:
        case "masked_language_model":
            return settings.masked_language_model is None or Path(settings.masked_language_model).is_dir()
        case "vectors":
            return settings.vectors == "none" or Path(settings.vectors).is_file()
        case "stop_words":
            return settings.stop_words in ("english", "none") or Path(settings.stop_words).is_file()
        case "similarity":
            return settings.similarity is None or Path(settings.similarity.model).is_dir()
    raise AssertionError(key)


def fingerprints(settings: Augmentation, keys: tuple[str, ...] = PROPOSERS) -> dict[str, str]:
    """Return the fingerprints of what some keys name; raises `ModelError` where one is not there."""
    return {key: fingerprint(settings, key) for key in keys} if settings.copies else {}


def local_fingerprints(settings: Augmentation) -> dict[str, str]:
    """Return the fingerprints of what is on this machine: training from a cache needs none of it."""
    keys = (*PROPOSERS, "similarity")
    return fingerprints(settings, tuple(key for key in keys if is_here(settings, key)))


def absent(settings: Augmentation) -> Iterator[str]:
    """Yield the keys of what cannot be compared with what made the rows."""
    known = local_fingerprints(settings)
    if settings.copies:
        yield from (f"augment.{key}" for key in (*PROPOSERS, "similarity") if key not in known)
