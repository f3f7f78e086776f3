"""The ground of a job: what every worker must have as its submitter has it, checked before a worker does anything."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from schemas.checkpoint import Checkpoint
from schemas.errors import ConfigurationError, DataError, DistillError, ModelError, ResourceError
from schemas.mirror import Mirror, mirror_of
from schemas.store import address, resource_errors
from schemas.work import WorkLog

PACKAGES = ("offline-distill", "apache-beam", "torch", "transformers", "tokenizers", "numpy", "pyarrow")
"""What the bytes of a cache are a work of."""


@dataclass(frozen=True)
class Ground:
    """A run's log in a cache that all workers share, the models by folder and fingerprint, files, and versions."""

    log: WorkLog
    models: tuple[tuple[Path, str], ...]
    files: tuple[Path, ...]
    versions: tuple[tuple[str, str], ...]
    mirror: Mirror | None = None

    @classmethod
    def of(cls, log: WorkLog, models: Iterable[Checkpoint], files: Iterable[Path] = ()) -> "Ground":
        """Describe what there is here; models and files with their whole paths."""
        known = tuple((model.path.resolve(), model.fingerprint) for model in models)
        return cls(log, known, tuple(files), versions(), mirror_of(log.folder / "any"))

    @property
    def weights(self) -> int:
        """Bytes of the models."""
        return sum(file.stat().st_size for path, _ in self.models for file in Checkpoint(path).weights)

    def check(self) -> None:
        """Refuse to work where something is missing or is another; every refusal names the machine."""
        here = this_worker()
        for (name, wanted), (_, found) in zip(self.versions, versions(), strict=True):
            if found != wanted:
                raise ConfigurationError(
                    f"{name} {wanted} on every worker, as where the job was submitted",
                    f"{here}: {name} {found}",
                    "install the same packages on both sides",
                )
        cache = address(self.log.folder.parents[1])
        with resource_errors(cache):
            if self.mirror:
                self.mirror.open()
            if not self.log.is_open():
                raise ResourceError(
                    f"{cache} to be one folder for the submitter and all workers",
                    f"{here}: none there, or another one",
                    "let all use the same store, by the same keys and address"
                    if self.mirror
                    else "name a `cache` (and `output`) on a file system that is mounted at the same path everywhere",
                )
        for file in self.files:
            if not file.exists():
                raise DataError(
                    f"{file} on every worker", f"{here}: no such file", "put the data where all workers see it"
                )
        for path, wanted in self.models:
            check_model(path, wanted, here)

    def check_is_on(self) -> None:
        """Refuse to begin a shard for a run that was called off, or that another has taken the cache from."""
        if not self.log.is_open():
            raise ResourceError(
                f"the run to be on until it ends, by {address(self.log.folder / 'run')}",
                f"{this_worker()}: it was called off, or another has begun in this cache",
                "let one run at a time work in a cache, then give the command again",
            )


def this_worker() -> str:
    """Return how a refusal names the machine."""
    return f"worker {socket.gethostname()}"


def check_model(path: Path, wanted: str, here: str) -> None:
    """Refuse a model that is not there or is another one."""
    remedy = "put the model's folder where all workers see it at the same path, or into their image"
    try:
        checkpoint = Checkpoint(path)
        checkpoint.check()
        found = checkpoint.fingerprint
    except DistillError as error:
        raise ModelError(f"the model {path} on every worker", f"{here}: {error.found}", remedy) from None
    if found != wanted:
        raise ModelError(f"the model {path} as the submitter has it", f"{here}: another model", remedy)


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Return the packages with their versions, whatever hardware they were built for."""
    return tuple((name, version_of(name)) for name in PACKAGES)


def version_of(name: str) -> str:
    """Return the version of a package."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return "not installed"
