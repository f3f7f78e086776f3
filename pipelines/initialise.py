"""A first run configuration for a user's data: every key with its default, every guess said aloud."""

import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipelines.guess import Guess
from pipelines.preset import WHY
from pipelines.printable import printable
from pipelines.readers.csv import COMMA
from schemas.configuration import (
    PLACEHOLDER,
    Augmentation,
    Configuration,
    Corpus,
    Data,
    FineTuning,
    Student,
    Teaching,
    Training,
    Workers,
)
from schemas.task import Kind, metrics_of

SECTIONS = {
    "corpus": Corpus,
    "fine_tuning": FineTuning,
    "student": Student,
    "augment": Augmentation,
    "teach": Teaching,
    "train": Training,
    "workers": Workers,
}
NOTES = {
    "corpus": "how raw text, named by `data.corpus`, becomes rows",
    "fine_tuning": "how `teacher: finetune …` makes a teacher",
    "student": "the student's shape",
    "augment": "how rows are grown",
    "teach": "how the teacher is asked and how its answers are kept",
    "train": "how students are trained",
    "workers": "processes of the local runner",
}


def initialise(path: Path, limit: int | None = None) -> tuple[str, list[str]]:
    """Return a commented run configuration for a file of training rows, and what was assumed, in sentences.

    With a `limit`, labels are looked for in so many rows only.

    Raises `DataError` where the file has no rows or no texts.
    """
    guess = Guess.of(path, limit)
    return "\n".join(written(guess)) + "\n", guess.assumptions


def written(guess: Guess) -> Iterator[str]:
    """Yield the lines of the configuration."""
    yield f"# A run of offline-distill over {printable(', '.join(guess.files.named[:5]))}."
    yield "# What is commented out shows its default. Replace path/or/hub-id; then: distill plan <this file>"
    yield ""
    yield f"name: {scalar(guess.name)}  # {Configuration.model_fields['name'].description}"
    yield from defaults(Configuration, ("output", "cache", "shards", "seed"), indent="# ")
    yield ""
    yield from written_task(guess)
    yield ""
    yield from written_data(guess)
    yield ""
    yield f"teacher: {PLACEHOLDER}  # {Configuration.model_fields['teacher'].description}"
    yield f"# teacher: finetune {PLACEHOLDER}  # makes a teacher from your labelled rows first"
    yield from defaults(Configuration, ("teachers",), indent="# ")
    for name, section in SECTIONS.items():
        yield ""
        active = active_keys(guess).get(name, {})
        yield f"{'' if active else '# '}{name}:  # {NOTES[name]}"
        for key in section.model_fields:
            if key in active:
                why = f"; {WHY[key]}" if key in WHY else ""
                yield f"  {key}: {active[key]}{explanation(section.model_fields[key])}{why}"
            else:
                yield from defaults(section, (key,), indent="  # " if active else "#   ")


def active_keys(guess: Guess) -> dict[str, dict[str, str]]:
    """Return what is written beside the task and its data, by section."""
    preset = guess.preset
    return {
        "student": {"layers": "4"},
        "augment": {
            "masked_language_model": PLACEHOLDER,
            "vectors": "none",
            "copies": str(preset.copies),
            "probability": str(preset.probability),
        },
    }


def written_task(guess: Guess) -> Iterator[str]:
    """Yield the lines that say what the texts and labels are."""
    yield "task:"
    yield f"  kind: {guess.labels.kind.value}  # {alternatives(kind for kind in Kind if kind is not Kind.NONE)}"
    yield f"  texts: {flow(guess.texts)}  # columns: one, or two for pairs"
    if guess.label is None:
        yield "  # label: null  # column; without it the teacher labels the rows"
    else:
        yield f"  label: {scalar(guess.label)}  # column"
    if guess.names:
        yield f"  labels: [{', '.join(map(text_scalar, guess.names))}]  # in the order of the teacher's outputs"
    if guess.labels.kind is not Kind.TOKEN_CLASSIFICATION:
        yield "  # protected: null  # column of the parts of texts that no copy may change, [start, end] each"
    metrics = metrics_of(guess.labels.kind)
    default = guess.metric is metrics[0]
    yield f"  {'# ' if default else ''}metric: {guess.metric.value}  # {alternatives(metrics)}"


def alternatives(values: Iterable[StrEnum]) -> str:
    """Return what a key may be, in words."""
    *others, last = (value.value for value in values)
    return f"{', '.join(others)} or {last}"


def written_data(guess: Guess) -> Iterator[str]:
    """Yield the lines that say where the rows are."""
    active = {
        "train": scalar(*guess.files.named) if len(guess.files.named) == 1 else flow(guess.files.named),
        **{split: scalar(str(path)) for split, path in guess.siblings.items()},
        **({} if guess.format.certain else {"format": guess.format.name}),
        **({} if guess.format.header else {"header": "false"}),
        **({} if guess.format.delimiter == COMMA else {"delimiter": json.dumps(guess.format.delimiter)}),
    }
    yield "data:"
    for key, info in Data.model_fields.items():
        if key in active:
            yield f"  {key}: {active[key]}{explanation(info)}"
        else:
            yield from defaults(Data, (key,), indent="  # ")


def defaults(section: type[BaseModel], keys: tuple[str, ...], *, indent: str) -> Iterator[str]:
    """Yield keys with their defaults as comments."""
    for key in keys:
        info = section.model_fields[key]
        if isinstance(info.default, BaseModel):
            inner = type(info.default)
            yield f"{indent}{key}:{explanation(info)}"
            yield from defaults(inner, tuple(inner.model_fields), indent=f"{indent}  ")
        elif info.default is not PydanticUndefined:
            yield f"{indent}{key}: {default_text(info.default)}{explanation(info)}"


def default_text(value: Any) -> str:
    """Return a default as YAML."""
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, tuple):
        return flow(value)
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return scalar(str(value))


def explanation(info: FieldInfo) -> str:
    """Return what a key is for, or what it may be, as a comment."""
    if info.description:
        return f"  # {info.description}"
    if get_origin(info.annotation) is Literal:
        return f"  # {' or '.join(map(str, get_args(info.annotation)))}"
    return ""


def flow(values: tuple[Any, ...]) -> str:
    """Return a list on one line."""
    return f"[{', '.join(scalar(value) for value in values)}]"


def scalar(value: str | int) -> str:
    """Return a value as YAML reads it back; only plain words go without quotes."""
    if isinstance(value, int):
        return str(value)
    plain = re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./+-]*", value) and value.lower() not in ("true", "false", "null")
    return value if plain else text_scalar(value)


def text_scalar(value: str) -> str:
    """Return a text in double quotes."""
    return f'"{printable(value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34)))}"'
