"""The files of training rows that a path stands for; in a folder there may be others beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.examples import files
from pipelines.reader import format_of

SIBLINGS = {"dev": ("dev", "valid", "validation", "val", "eval"), "test": ("test", "test_labelled")}


@dataclass(frozen=True)
class TrainingFiles:
    """Files that are taken for training rows, those that are not, and how a configuration names the former."""

    taken: tuple[Path, ...]
    left: tuple[Path, ...]
    named: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> "TrainingFiles":
        """Find the files of a path; of a folder those of one format, and those called train if there are any."""
        found = files([str(path)])
        taken = chosen(path, found) if path.is_dir() else found
        left = tuple(each for each in found if each not in taken)
        return cls(tuple(taken), left, tuple(map(str, taken)) if left else (str(path),))

    def sentence(self) -> str:
        """Say which files were taken."""
        left = f"; left out: {listed(self.left)}" if self.left else ""
        return f"The training rows are in {listed(self.taken)}{left}."


def chosen(folder: Path, found: Sequence[Path]) -> Sequence[Path]:
    """Return the files of a folder that seem to hold training rows."""
    plain = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    readable = [path for path in plain if format_of(path)] or plain or found
    first = next(filter(is_train, readable), readable[0])
    alike = [path for path in readable if format_of(path) == format_of(first)]
    return list(filter(is_train, alike)) or [path for path in alike if not is_sibling(path)] or alike


def is_train(path: Path) -> bool:
    """Whether a file is called train."""
    return "train" in path.name.lower()


def is_sibling(path: Path) -> bool:
    """Whether a file is called as those of dev and test rows are."""
    return any(path.name.partition(".")[0].lower() in names for names in SIBLINGS.values())


def listed(paths: Sequence[Path]) -> str:
    """Return the first paths in words."""
    more = f" and {len(paths) - 5:,} more" if len(paths) > 5 else ""
    return f"{', '.join(map(str, paths[:5]))}{more}"
