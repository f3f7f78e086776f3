"""Modules that need Beam, which a base install lacks."""

import importlib
import logging
from typing import Any

from schemas.errors import ConfigurationError


def beam_module(name: str, verb: str | None = None) -> Any:
    """Return a module that needs Beam, for a verb of its name or another.

    Raises `ConfigurationError` where Beam is not installed.
    """
    try:
        # Beam complains at import about cloud packages that nobody asked for.
        logging.disable(logging.WARNING)
        return importlib.import_module(f"pipelines.{name}")
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] not in ("apache_beam", "gensim"):
            raise
        raise ConfigurationError(
            f"the packages that `distill {verb or name}` needs",
            f"no module `{error.name}`",
            "pip install 'offline-distill[pipelines]'; training from a cache needs none of them",
        ) from None
    finally:
        logging.disable(logging.NOTSET)
