"""Strategies: ways to make new rows from one; each is a file of `augment/strategies`, or a module of the user's."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from pydantic import TypeAdapter, ValidationError

from augment import strategies
from augment.candidates import Positions
from augment.draw import Grown
from augment.eligibility import Eligibility
from augment.proposers import Proposers
from schemas.configuration import Augmentation
from schemas.digest import file_digest
from schemas.errors import ConfigurationError
from schemas.example import Example

MODELS = {"masked_language_model": "a masked language model", "vectors": "a file of word vectors"}
"""What a strategy may name in `NEEDS`: without it no copies are made."""


@runtime_checkable
class Strategy(Protocol):
    """One way to make new rows: what it proposes is kept in the cache, and what it grows from that is seeded."""

    def propose(self, examples: Sequence[Example]) -> list[Positions]:
        """Return the possible words of each row's words; empty for a row, or for all, where there is nothing to keep.

        It must be a function of each row by itself and of the settings that are called proposing.
        """
        ...

    def grow(self, examples: Sequence[Example], positions: Sequence[Positions]) -> Iterator[Grown]:
        """Yield the copies, some rows' at a time and in their order.

        A row's copies must differ from it and from one another, and be a function of seed, row, its positions and the
        settings.
        """
        ...


@dataclass(frozen=True)
class Setting:
    """What a strategy's `load` is given beside its own dials."""

    augmentation: Augmentation
    proposers: Proposers
    eligibility: Eligibility
    seed: int


def strategy_names() -> list[str]:
    """Return the names of the strategies that come along: the files of their folder."""
    return sorted(module.name for module in pkgutil.iter_modules(strategies.__path__))


def load_strategy(name: str, setting: Setting) -> Strategy:
    """Load a strategy with the dials that the configuration has for it."""
    return strategy_module(name).load(setting, **setting.augmentation.dials.get(name, {}))


def check_strategies(augmentation: Augmentation) -> None:
    """Refuse strategies that are not there, that lack a model they need, or that do not know a dial."""
    for name in augmentation.dials.keys() - set(augmentation.strategy):
        raise ConfigurationError(
            f"dials of a strategy that is used: {', '.join(augmentation.strategy)}",
            f"augment.dials: `{name}`",
            f"add it to `augment.strategy`, or delete `augment.dials.{name}`",
        )
    for name in augmentation.strategy:
        module = strategy_module(name)
        check_dials(name, module, augmentation.dials.get(name, {}))
        for model, what in MODELS.items():
            if model in module.NEEDS and getattr(augmentation, model) in (None, "none"):
                raise ConfigurationError(
                    f"{what}, which the strategy {name} needs to make copies",
                    f"augment.{model}: none",
                    "name one, or set augment.copies=0",
                )


def check_dials(name: str, module: ModuleType, dials: Mapping[str, Any]) -> None:
    """Refuse dials that a strategy does not know, and values that its annotations do not allow."""
    known = {key: found for key, found in inspect.signature(module.load).parameters.items() if key != "setting"}
    for dial, value in dials.items():
        if dial not in known:
            raise ConfigurationError(
                f"a dial of {name}: {', '.join(known) or 'it has none'}",
                f"augment.dials.{name}: `{dial}`",
                "correct or delete it",
            )
        if known[dial].annotation is inspect.Parameter.empty:
            continue
        try:
            TypeAdapter(known[dial].annotation).validate_python(value)
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            found = f"augment.dials.{name}.{dial}: `{value}`: {said[0].lower()}{said[1:]}"
            raise ConfigurationError(f"a value of the dial {dial}", found, "correct it") from None


def strategy_files(augmentation: Augmentation) -> dict[str, list[str]]:
    """Return, by strategy, the digests of the files it depends on beside models; a user's own module is one of them.

    Raises `ConfigurationError` where one is not there.
    """
    return {name: [file_digest(path) for path in paths_of(name, augmentation)] for name in augmentation.strategy}


def paths_of(name: str, augmentation: Augmentation) -> list[Path]:
    """Return the files that a strategy depends on beside models."""
    module = strategy_module(name)
    own = () if name in strategy_names() else (Path(str(module.__file__)),)
    files = module.files(**augmentation.dials.get(name, {})) if hasattr(module, "files") else ()
    return [*own, *map(Path, files)]


def strategy_module(name: str) -> ModuleType:
    """Import a strategy's module, one of ours by its name or any by its dotted path."""
    known = strategy_names()
    if name in known:
        return importlib.import_module(f"augment.strategies.{name}")
    try:
        if "." not in name:
            raise ModuleNotFoundError(name=name)
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and error.name not in name:
            raise
        raise ConfigurationError(
            f"a strategy: {', '.join(known)}, or the dotted path of a module that can be imported from here",
            f"augment.strategy: `{name}`",
            "correct `augment.strategy`",
        ) from None
    if not (hasattr(module, "load") and hasattr(module, "NEEDS")):
        raise ConfigurationError(
            "a module with `load(setting, …)` and `NEEDS`, as docs/strategies.md says",
            f"augment.strategy: `{name}` lacks them",
            "correct the module",
        )
    return module
