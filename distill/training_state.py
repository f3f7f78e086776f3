"""Training state: what a stopped run needs to go on exactly, in safetensors and JSON, never in a pickle."""

import shutil
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from schemas.manifest import Sealed
from schemas.store import publish
from schemas.temporary import temporary_beside


class Position(Sealed):
    """Where a run is: steps done of a stage, and the best evaluation so far."""

    input: str
    stage: int
    step: int
    best: float | None = None
    best_step: int | None = None


Weights = dict[str, Tensor]


class TrainingState:
    """Keeps the newest state of one training run in a folder.

    Each state is written whole beside the old one; a small document that names it is then replaced in one step.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pointer = folder / "position.json"

    def save(self, position: Position, module: nn.Module, optimizer: Optimizer, best: Weights | None) -> None:
        """Store weights, optimizer moments and best weights, then say so."""
        tensors = {f"module.{name}": value for name, value in module.state_dict().items()}
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        tensors |= {f"best.{name}": value for name, value in (best or {}).items()}
        path = self.path(position)
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)
        save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, temporary)
        publish(temporary, path)
        position.write(self.pointer)
        for other in self.folder.iterdir():
            if other not in (path, self.pointer):
                other.unlink()

    def load(self, input: str) -> tuple[Position, Weights] | None:
        """Return the newest state if it belongs to the same run."""
        if not self.pointer.exists():
            return None
        position = Position.read(self.pointer, f"delete {self.folder} to begin this arm again")
        if position.input != input or not self.path(position).exists():
            return None
        try:
            return position, load_file(self.path(position))
        except SafetensorError:
            return None

    def path(self, position: Position) -> Path:
        """Return the file of a state."""
        return self.folder / f"state-{position.stage}-{position.step}.safetensors"

    def clear(self) -> None:
        """Remove all states of a finished run."""
        shutil.rmtree(self.folder, ignore_errors=True)


def part(weights: Weights, prefix: str) -> Weights:
    """Return the tensors under a prefix, without it."""
    return {name.removeprefix(f"{prefix}."): value for name, value in weights.items() if name.startswith(f"{prefix}.")}


def restore_optimizer(optimizer: Optimizer, weights: Weights) -> None:
    """Give an optimizer its moments back."""
    state: dict[int, Weights] = {}
    for name, value in part(weights, "optimizer").items():
        index, _, moment = name.partition(".")
        state.setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
