"""What the rows of a corpus depend on beside its text and the settings: the tokenizer."""

from pathlib import Path
from typing import Any

from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration


def find_tokenizer(configuration: Configuration) -> Checkpoint:
    """Return where the tokenizer lies whose pieces are counted: a folder without a model will do."""
    name = configuration.corpus.tokenizer or configuration.model_of(configuration.teacher_name)
    return Checkpoint(Path(name)) if Path(name).is_dir() else Checkpoint.find(name)


def proposing_of(configuration: Configuration) -> dict[str, Any]:
    """Return the settings of the rows that come from models."""
    return {**configuration.proposing, "tokenizer": find_tokenizer(configuration).tokenizer_fingerprint}
