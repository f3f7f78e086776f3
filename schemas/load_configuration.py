"""Loading a run configuration from YAML: safe, strict, and with the line of every mistake."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import AliasToken, TagToken

from schemas.configuration import Configuration, section_at
from schemas.errors import ConfigurationError

LARGEST = 1_000_000


def load_configuration(path: Path, overrides: Sequence[str] = ()) -> Configuration:
    """Read a run configuration; `overrides` are `section.key=value`, the value being YAML.

    Raises `ConfigurationError` that names file, line and key, and the nearest key where one is unknown.
    """
    text = read_text(path)
    document = parse(text, str(path))
    if not isinstance(document, Mapping):
        raise ConfigurationError("keys and values", f"{path}:1: {type(document).__name__}", "see `distill init --help`")
    values = plain(document)
    for override in overrides:
        apply(values, override)
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(*explain(path, document, overrides, error.errors())) from None


def read_text(path: Path) -> str:
    """Read a configuration file of sane size."""
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigurationError(f"at most {LARGEST:,} bytes", f"{path}: more", "give a run configuration")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.y*ml")], 1)
        hint = f"did you mean {path.parent / near[0]}?" if near else "make one with `distill init <your data file>`"
        raise ConfigurationError("a run configuration", f"{path}: no such file", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("a text file", f"{path}: {error}", "give a run configuration in UTF-8") from None


def parse(text: str, origin: str) -> Any:
    """Parse YAML 1.2 without tags and aliases; duplicate keys are errors."""
    try:
        for token in YAML(pure=True).scan(text):
            if isinstance(token, AliasToken | TagToken):
                line = token.start_mark.line + 1
                raise ConfigurationError("plain values", f"{origin}:{line}: a YAML tag or alias", "write the value out")
        return YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = (error.problem or "not YAML").splitlines()[0]
        raise ConfigurationError("valid YAML", f"{origin}:{line}: {problem}", "correct that line") from None
    except (YAMLError, ValueError, RecursionError) as error:
        problem = (str(error) or "not YAML").splitlines()[0]
        raise ConfigurationError("valid YAML", f"{origin}: {problem}", "write plain keys and values") from None


def plain(value: Any) -> Any:
    """Turn the loader's round-trip types into plain ones."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def apply(values: dict[str, Any], override: str) -> None:
    """Set one dotted key."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigurationError("`section.key=value`", f"`{override}`", "write for example augment.copies=10")
    *sections, last = key.split(".")
    target = values
    for section in sections:
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            raise ConfigurationError("a section", f"`{override}`: `{section}` is a value", "correct the key")
    target[last] = plain(parse(text, f"`{override}`"))


def explain(path: Path, document: Any, overrides: Sequence[str], errors: list[ErrorDetails]) -> tuple[str, str, str]:
    """Turn a validation error into the three parts, every mistake at once."""
    expected: list[str] = []
    found: list[str] = []
    remedies: list[str] = []
    for error in errors:
        keys = tuple(str(part) for part in error["loc"] if isinstance(part, str) and part != "function-after")
        name = ".".join(keys) or "the file"
        place = where(path, document, overrides, error["loc"])
        if error["type"] == "extra_forbidden":
            section = section_at(keys[:-1])
            known = list(section.model_fields) if section else []
            near = difflib.get_close_matches(keys[-1], known, 1)
            expected.append(f"keys of `{'.'.join(keys[:-1]) or 'the run'}`: {', '.join(known)}")
            found.append(f"{place}: {name}: unknown key")
            remedies.append(f"did you mean `{'.'.join((*keys[:-1], near[0]))}`?" if near else f"remove `{name}`")
        elif error["type"] == "missing":
            expected.append(f"`{name}`")
            found.append(f"{place}: {name}: missing")
            remedies.append(f"add `{name}`")
        else:
            message = error["msg"].removeprefix("Value error, ")
            expected.append(message)
            found.append(f"{place}: {name}: {error['input']!r:.80}")
            remedies.append(f"correct `{name}`")
    return "; ".join(dict.fromkeys(expected)), "; ".join(found), "; ".join(dict.fromkeys(remedies))


def where(path: Path, document: Any, overrides: Sequence[str], keys: tuple[str | int, ...]) -> str:
    """Return `file:line` of the deepest part of a key that the file holds, or the override that set it."""
    dotted = ".".join(map(str, keys))
    for override in overrides:
        if dotted == override.partition("=")[0] or dotted.startswith(override.partition("=")[0] + "."):
            return f"`{override}`"
    line = 1
    for key in keys:
        try:
            marks = document.lc
            line = (marks.item(key) if isinstance(key, int) else marks.key(key))[0] + 1
            document = document[key]
        except (KeyError, AttributeError, TypeError, IndexError):
            break
    return f"{path}:{line}"
