"""Proposers: the models that words come from, loaded when a strategy first asks for them, and once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from augment.vectors import Vectors
from schemas.configuration import Precision

if TYPE_CHECKING:
    from augment.models.masked_language_model import MaskedLanguageModel


@dataclass(frozen=True)
class Proposers:
    """Where the models lie: a checkpoint's folder and a folder that `augment.vectors.prepare` made."""

    masked_language_model_folder: Path | None
    vectors_folder: Path | None
    precision: Precision = "fp32"
    threads: int = 1

    @cached_property
    def masked_language_model(self) -> "MaskedLanguageModel":
        """The masked language model."""
        from augment.models.masked_language_model import MaskedLanguageModel

        assert self.masked_language_model_folder is not None, "check_strategies refuses this"
        return MaskedLanguageModel.load(self.masked_language_model_folder, self.threads, self.precision)

    @cached_property
    def vectors(self) -> Vectors | None:
        """The word vectors, `None` where none are wanted."""
        return Vectors.load(self.vectors_folder) if self.vectors_folder else None
