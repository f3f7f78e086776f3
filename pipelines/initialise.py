"""A first run configuration for a user's data: every key with its default, every guess said aloud."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipelines.examples import files
from pipelines.printable import printable
from pipelines.record import Record
from pipelines.sniff import (
    Column,
    Format,
    Labels,
    find_columns,
    find_labels,
    is_number,
    label_name,
    sample,
    sniff_format,
)
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
from schemas.task import Kind, Task

SIBLINGS = {"dev": ("dev", "valid", "validation", "val", "eval"), "test": ("test", "test_labelled")}
SECTIONS = {
    "corpus": Corpus,
    "fine_tuning": FineTuning,
    "student": Student,
    "augment": Augmentation,
    "teach": Teaching,
    "train": Training,
    "workers": Workers,
}
ACTIVE = {
    "student": {"layers": "4"},
    "augment": {"masked_language_model": PLACEHOLDER, "vectors": "none"},
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


@dataclass
class Guess:
    """What a file of training rows seems to be."""

    path: Path
    name: str
    format: Format
    texts: tuple[Column, ...]
    label: Column | None
    labels: Labels
    siblings: dict[str, Path]
    assumptions: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, limit: int | None = None) -> "Guess":
        """Look at a file or a folder of files."""
        first = files([str(path)])[0]
        format = sniff_format(first)
        texts, label = find_columns(sample(first, format))
        labels = Labels(Kind.CLASSIFICATION)
        if label is not None:
            every = (record for each in files([str(path)]) for record in format.records(each))
            labels = find_labels(record.fields.get(label) for record in islice(every, limit))
        guess = cls(path, name_of(first), format, texts, label, labels, {})
        guess.assume()
        guess.find_siblings(first)
        return guess

    def assume(self) -> None:
        """Say what was guessed of the file itself."""
        say = self.assumptions.append
        if not self.format.certain:
            say(f"{self.path} is {self.format.name.upper()}, by its content.")
        if self.format.name in ("tsv", "csv"):
            say(f"The first line of {self.path} {'names the columns' if self.format.header else 'is a row'}.")
        if len(self.texts) == 1:
            say(f"The text is in column {self.texts[0]}.")
        else:
            say(f"The texts are pairs, in columns {self.texts[0]} and {self.texts[1]}.")
        if self.label is None:
            say(
                "No column looks like a label: the teacher labels the rows, `task.labels` is there to be corrected, "
                "and `data.dev` must name labelled rows."
            )
        elif self.labels.kind is Kind.REGRESSION:
            say(f"The label is in column {self.label}: numbers, so the task is a regression.")
        else:
            names = self.labels.names
            shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
            say(f"The label is in column {self.label}: {len(names)} classes ({shown}), in sorted order.")
            if len(names) < 2:
                say("A classification needs two labels at least: `task.labels` is there to be corrected.")
            say("That order is the order of the teacher's outputs; it must be the teacher's own.")
        if self.labels.kind is Kind.CLASSIFICATION:
            say("The metric is accuracy.")
        say("The student has four of the teacher's layers, and else its shape.")

    def find_siblings(self, first: Path) -> None:
        """Look beside the file for dev and test rows, and take them if they are labelled."""
        for split, names in SIBLINGS.items():
            for found in siblings(first, names):
                if self.is_labelled(found):
                    self.siblings[split] = found
                    self.assumptions.append(f"{found} holds the {split} rows.")
                    break
                self.assumptions.append(f"{found} does not have the same columns and labels, and is left out.")
        if "dev" not in self.siblings:
            self.assumptions.append("There is no dev file: one text in ten is held out of the training rows.")
        if "test" not in self.siblings:
            self.assumptions.append("There is no test file: the report is on the dev rows.")

    def is_labelled(self, path: Path) -> bool:
        """Whether the first rows of a file have the texts, and labels that the training rows have too."""
        head = list(islice(self.format.records(path), 100))
        return bool(head) and all(self.fits(record) for record in head)

    def fits(self, record: Record) -> bool:
        """Whether a row has the texts and a known label."""
        label = record.fields.get(self.label) if self.label is not None else None
        if label in (None, "") or any(column not in record.fields for column in self.texts):
            return False
        return is_number(label) if self.labels.kind is Kind.REGRESSION else label_name(label) in self.labels.names


def name_of(path: Path) -> str:
    """Return a name for the data set: the file's, or the folder's where the file is only called train."""
    stem = path.name.partition(".")[0]
    name = path.absolute().parent.name if stem.lower().startswith("train") else stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "data"


def siblings(path: Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of a split beside the training file, told by the name."""
    stem, dot, ending = path.name.partition(".")
    for name in names:
        other = re.sub("train", name, stem, flags=re.IGNORECASE) if "train" in stem.lower() else name
        found = path.with_name(f"{other}{dot}{ending}")
        if found != path and found.is_file() and found.stat().st_size:
            yield found


# Writing


def written(guess: Guess) -> Iterator[str]:
    """Yield the lines of the configuration."""
    yield f"# A run of offline-distill over {printable(str(guess.path))}."
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
    for name, section in SECTIONS.items():
        yield ""
        active = ACTIVE.get(name, {})
        yield f"{'' if active else '# '}{name}:  # {NOTES[name]}"
        for key in section.model_fields:
            if key in active:
                yield f"  {key}: {active[key]}{explanation(section.model_fields[key])}"
            else:
                yield from defaults(section, (key,), indent="  # " if active else "#   ")


def written_task(guess: Guess) -> Iterator[str]:
    """Yield the lines that say what the texts and labels are."""
    yield "task:"
    yield f"  kind: {guess.labels.kind.value}  # classification or regression"
    yield f"  texts: {flow(guess.texts)}  # columns: one, or two for pairs"
    if guess.label is None:
        yield "  # label: null  # column; without it the teacher labels the rows"
    else:
        yield f"  label: {scalar(guess.label)}  # column"
    if guess.labels.kind is Kind.CLASSIFICATION:
        names = guess.labels.names if len(guess.labels.names) > 1 else ("negative", "positive")
        yield f"  labels: [{', '.join(map(text_scalar, names))}]  # in the order of the teacher's outputs"
        yield f"  # metric: {Task.model_fields['metric'].default.value}  # accuracy, f1 or matthews"
    else:
        yield "  # metric: pearson_spearman  # pearson, spearman or pearson_spearman"


def written_data(guess: Guess) -> Iterator[str]:
    """Yield the lines that say where the rows are."""
    active = {
        "train": scalar(str(guess.path)),
        **{split: scalar(str(path)) for split, path in guess.siblings.items()},
        **({} if guess.format.certain else {"format": guess.format.name}),
        **({} if guess.format.header else {"header": "false"}),
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
