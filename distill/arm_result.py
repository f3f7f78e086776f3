"""Results of arms: what a model reached and costs, stored last, as the commit of an arm."""

import shutil
from pathlib import Path

import numpy as np
from pydantic import Field

from distill.encoder import Encoder
from distill.evaluate import Evaluation
from schemas.checkpoint import TOKENIZER_FILES, Checkpoint
from schemas.digest import file_digest
from schemas.manifest import Sealed
from schemas.store import publish
from schemas.temporary import temporary_beside

MODEL_FILES = ("config.json", "model.safetensors", *TOKENIZER_FILES, "vocab.txt")


class ArmResult(Sealed):
    """What one arm reached on the held-out rows, and what its model costs.

    `input` is the digest of what it depends on, `files` those of the model that is kept beside it. `copies` counts
    those that it learnt from and those that were left out, where some could be.
    """

    input: str
    name: str
    metric: str
    value: float | None
    interval: tuple[float | None, float | None]
    parameters: int
    bytes: int
    steps: int = 0
    best_step: int | None = None
    copies: dict[str, int] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(
        cls, name: str, input: str, encoder: Encoder, found: Evaluation, steps: int = 0, best_step: int | None = None
    ) -> "ArmResult":
        """Make the result of a model and its evaluation; an undefined number becomes `None`."""
        low, high = map(defined, found.interval)
        measured = {"metric": found.metric, "value": defined(found.value), "interval": (low, high)}
        result = cls.of_model(name, input, encoder, steps)
        return result.model_copy(update={**measured, "best_step": best_step}).seal()

    @classmethod
    def of_model(cls, name: str, input: str, encoder: Encoder, steps: int) -> "ArmResult":
        """Make the result of a model that nothing was measured of."""
        parameters = list(encoder.model.parameters())
        return cls(
            input=input,
            name=name,
            metric="none",
            value=None,
            interval=(None, None),
            parameters=sum(p.numel() for p in parameters),
            bytes=sum(p.numel() * p.element_size() for p in parameters),
            steps=steps,
        ).seal()


def defined(value: float) -> float | None:
    """Return a number, or `None` where it is undefined: JSON has no other way to say so."""
    return None if np.isnan(value) else value


def finished(folder: Path, input: str) -> ArmResult | None:
    """Return an arm's result if it is there and depends on the same input."""
    path = folder / "result.json"
    if not path.exists():
        return None
    result = ArmResult.read(path, f"delete {path} to do this part again")
    whole = all(
        (folder / name).is_file() and file_digest(folder / name) == found for name, found in result.files.items()
    )
    return result if result.input == input and whole else None


def finish(folder: Path, result: ArmResult, found: Evaluation) -> ArmResult:
    """Store predictions, then the result, which is the arm's commit."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(folder / "predictions.npy")
    with temporary.open("wb") as file:
        np.save(file, found.predictions, allow_pickle=False)
    publish(temporary, folder / "predictions.npy")
    return finish_model(folder, result)


def finish_model(folder: Path, result: ArmResult) -> ArmResult:
    """Store the result with the digests of the model beside it."""
    kept = [path for path in folder.iterdir() if path.name in MODEL_FILES]
    result = result.model_copy(update={"files": {path.name: file_digest(path) for path in sorted(kept)}})
    result.write(folder / "result.json")
    return result


def save_model(encoder: Encoder, source: Checkpoint, folder: Path) -> None:
    """Save a model and the tokenizer it was trained with, as any loader of transformers expects them."""
    encoder.model.save_pretrained(folder)
    for name in (*TOKENIZER_FILES, "vocab.txt"):
        if (source.path / name).is_file():
            shutil.copyfile(source.path / name, folder / name)
