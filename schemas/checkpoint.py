"""Checkpoints: where a model lies, whether it may be loaded, and the digest it is known by."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.digest import digest, file_digest
from schemas.errors import ModelError, ResourceError

WEIGHTS = "*.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
HUB_FILES = [WEIGHTS, "*.json", "*.txt", "*.model"]
ORIGIN = ("transformers_version", "_name_or_path")
"""Settings that say where a model came from, not what it computes."""


@dataclass(frozen=True)
class Checkpoint:
    """A local folder that holds `config.json`, safetensors and a tokenizer."""

    path: Path

    @classmethod
    def find(cls, name: str) -> "Checkpoint":
        """Return a local folder, or fetch `owner/model` or `owner/model@revision` from the hub.

        Raises `ModelError` for pickled weights and for models that bring their own code, `ResourceError` where the hub
        cannot be reached.
        """
        path = Path(name)
        if not path.is_dir():
            path = fetch(name)
        checkpoint = cls(path)
        checkpoint.check()
        return checkpoint

    def check(self) -> None:
        """Refuse what is incomplete or unsafe to load."""
        if not (self.path / "config.json").is_file():
            raise ModelError("a model folder with config.json", f"{self.path}: none", "name the folder of a model")
        if "auto_map" in self.configuration:
            raise ModelError(
                "a model of the transformers library",
                f"{self.path}/config.json:auto_map: the model brings its own code",
                "use a model that needs none; remote code is never run",
            )
        if not self.weights:
            others = ", ".join(p.name for p in self.path.glob("*.bin")) or "no weights"
            raise ModelError(
                "weights in safetensors",
                f"{self.path}: {others}",
                "load the model once with transformers, from a source you trust, and `save_pretrained` it",
            )

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """The content of config.json."""
        try:
            return json.loads((self.path / "config.json").read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError("JSON", f"{self.path}/config.json: {error}", "restore the model's folder") from None

    @property
    def weights(self) -> list[Path]:
        """Weight files."""
        return sorted(self.path.glob(WEIGHTS))

    @cached_property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer and those settings that change what the model computes."""
        settings = {k: v for k, v in self.configuration.items() if k not in ORIGIN}
        return digest([settings, [(path.name, file_digest(path)) for path in self.weights], self.tokenizer_fingerprint])

    @cached_property
    def tokenizer_fingerprint(self) -> str:
        """Digest of what turns text into ids: two models that share it can share token groups."""
        path = self.path / "tokenizer.json"
        if not path.is_file():
            raise ModelError(
                "tokenizer.json beside the model",
                f"{self.path}: none",
                "load the tokenizer once with transformers and `save_pretrained` it there",
            )
        content = json.loads(path.read_text(encoding="utf-8"))
        # Whoever used the tokenizer last may have left its padding and truncation in the file: no part of what it is.
        backend = {key: value for key, value in content.items() if key not in ("padding", "truncation")}
        beside = [self.path / name for name in TOKENIZER_FILES if name != "tokenizer.json"]
        return digest([backend, [(each.name, file_digest(each)) for each in beside if each.is_file()]])


def fetch(name: str) -> Path:
    """Fetch a model from the hub: safetensors, configuration and tokenizer, nothing that could run."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=HUB_FILES))
    except HFValidationError:
        raise ModelError("a model folder or a hub id", f"{name}: no such folder", "correct the path") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise ResourceError(
            "a model folder, or a hub id that can be fetched",
            f"{name}: no such folder, and the hub said: {str(error).splitlines()[0]}",
            "correct the path, go online, or sign in for gated models",
        ) from None
