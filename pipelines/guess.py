"""Guesses at a data set: what a file of training rows seems to be, and what was assumed to say so."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import assert_never

from pipelines.preset import Preset
from pipelines.readers.csv import COMMA
from pipelines.record import Record
from pipelines.sniff import Column, find_columns, find_tagged, other_labels
from pipelines.sniff_format import Format, sniff_format
from pipelines.sniff_labels import Labels, find_labels, find_tags, is_number, label_name, names_in
from pipelines.survey import Survey
from pipelines.training_files import SIBLINGS, TrainingFiles
from schemas.tags import OUTSIDE, are_entity_tags
from schemas.task import NO_ANSWERS, Kind, Metric, metrics_of

MOST_LISTED = 20


@dataclass
class Guess:
    """What a file of training rows seems to be."""

    files: TrainingFiles
    name: str
    format: Format
    texts: tuple[Column, ...]
    label: Column | None
    labels: Labels
    survey: Survey
    siblings: dict[str, Path]
    assumptions: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, limit: int | None = None) -> "Guess":
        """Look at a file or a folder of files; refuse those in which too much cannot be read."""
        files = TrainingFiles.of(path)
        first = files.taken[0]
        format = sniff_format(first)
        head = format.sample(first)
        tagged = find_tagged(head)
        texts, label = tagged or find_columns(head)
        survey = Survey(limit)
        labels = Labels(Kind.TOKEN_CLASSIFICATION if tagged else Kind.CLASSIFICATION)
        rows = survey.rows(record for each in files.taken for record in format.records(each))
        if label is not None:
            values = (record.fields.get(label) for record in rows)
            labels = find_tags(values) if tagged else find_labels(values)
        # The labels may have been plain before the end, but every row counts.
        for _ in rows:
            pass
        survey.check()
        if label is not None and labels.kind is not Kind.REGRESSION:
            survey.check_classes(labels.names)
        guess = cls(files, name_of(first), format, texts, label, labels, survey, {})
        if path.is_dir():
            guess.assumptions.append(files.sentence())
        guess.assume()
        guess.assume_unused(head)
        guess.assume_preset()
        guess.find_siblings()
        return guess

    def assume(self) -> None:
        """Say what was guessed of the file itself."""
        say = self.assumptions.append
        first = self.files.taken[0]
        if self.survey.bad:
            say(
                f"{self.survey.found}. What only they have was not seen. A run refuses them: correct them, or set "
                "`data.on_bad_row: reject` to leave them out."
            )
        if not self.format.certain:
            say(f"{first} is {self.format.name.upper()}, by its content.")
        if self.format.name in ("tsv", "csv"):
            say(f"The first line of {first} {'names the columns' if self.format.header else 'is a row'}.")
        if self.format.delimiter != COMMA:
            say(f"The fields are parted by {self.format.delimiter!r}.")
        if self.labels.kind is Kind.TOKEN_CLASSIFICATION:
            say(f"The words are in column {self.texts[0]}, a list in every row.")
        elif len(self.texts) == 1:
            say(f"The text is in column {self.texts[0]}.")
        else:
            say(f"The texts are pairs, in columns {self.texts[0]} and {self.texts[1]}.")
        if self.label is None:
            say(
                "No column looks like a label: the teacher labels the rows, `task.labels` is there to be corrected, "
                "and `data.dev` must name labelled rows."
            )
        else:
            self.assume_labels()
        if self.labels.kind is not Kind.REGRESSION:
            say(f"The metric is {self.metric.value}.")
        say("The student has four of the teacher's layers, and else its shape.")

    def assume_labels(self) -> None:
        """Say what was guessed of the labels."""
        say = self.assumptions.append
        names = self.labels.names
        shown = f"{len(names)} classes ({', '.join(names[:10])}{', …' if len(names) > 10 else ''})"
        match self.labels.kind:
            case Kind.REGRESSION:
                say(f"The label is in column {self.label}: numbers, so the task is a regression.")
                return
            case Kind.CLASSIFICATION:
                say(f"The label is in column {self.label}: {shown}, in sorted order.")
            case Kind.MULTI_LABEL:
                say(f"The labels are in column {self.label}, any number a row: {shown}, in sorted order.")
            case Kind.TOKEN_CLASSIFICATION:
                say(f"The tags of the words are in column {self.label}: {shown}, `O` first and types in order.")
            case Kind.NONE:
                raise NO_ANSWERS
            case _:
                assert_never(self.labels.kind)
        if len(names) < 2:
            say("A classification needs two labels at least: `task.labels` is there to be corrected.")
        say("That order is the order of the teacher's outputs; it must be the teacher's own.")

    def assume_unused(self, head: Sequence[Record]) -> None:
        """Say which columns were passed over."""
        used = (*self.texts, self.label)
        columns = dict.fromkeys(column for record in head for column in record.fields)
        unused = [column for column in columns if column not in used]
        # In files of sentences the columns of words and tags have a position beside the name.
        if unused and self.format.name != "conll":
            possible = other_labels(head, used)
            self.assumptions.append(
                f"Not used: {listed(unused)}{f'; also possible as label: {listed(possible)}' if possible else ''}."
            )

    @property
    def preset(self) -> Preset:
        """What fits the number of rows."""
        return Preset.of(self.survey.good)

    def assume_preset(self) -> None:
        """Say what follows from the number of rows."""
        preset = self.preset
        count = f"{self.survey.good:,} rows"
        rows = f"there are {count}" if self.survey.whole else f"the first {count} were counted, there are more"
        self.assumptions.append(
            f"`augment.copies` is {preset.copies} and `augment.probability` {preset.probability}: {rows} "
            f"({preset.sizes})."
        )

    @property
    def metric(self) -> Metric:
        """The first metric of the kind that fits the labels."""
        first, *others = metrics_of(self.labels.kind)
        fits = first is not Metric.ENTITY_F1 or are_entity_tags(self.names)
        return first if fits else others[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that are written: those that were found, or an example of some."""
        match self.labels.kind:
            case Kind.CLASSIFICATION:
                return self.labels.names if len(self.labels.names) > 1 else ("negative", "positive")
            case Kind.REGRESSION:
                return ()
            case Kind.MULTI_LABEL:
                return self.labels.names or ("negative", "positive")
            case Kind.TOKEN_CLASSIFICATION:
                return self.labels.names if len(self.labels.names) > 1 else (OUTSIDE, "B-name", "I-name")
            case Kind.NONE:
                raise NO_ANSWERS
            case _:
                assert_never(self.labels.kind)

    def find_siblings(self) -> None:
        """Look beside the file for dev and test rows, and take them if they are labelled."""
        first = self.files.taken[0]
        for split, names in SIBLINGS.items():
            for found in siblings(first, names):
                if found in self.files.taken:
                    continue
                if self.is_labelled(found):
                    self.siblings[split] = found
                    self.assumptions.append(f"{found} holds the {split} rows.")
                    break
                self.assumptions.append(
                    f"{found} does not have the same columns and labels in rows that can be read, and is left out."
                )
        if "dev" not in self.siblings:
            self.assumptions.append("There is no dev file: one text in ten is held out of the training rows.")
        if "test" not in self.siblings:
            self.assumptions.append("There is no test file: the report is on the dev rows.")

    def is_labelled(self, path: Path) -> bool:
        """Whether the first rows of a file have the texts, and labels that the training rows have too."""
        head = list(islice(self.format.records(path), 100))
        return bool(head) and all(isinstance(record, Record) and self.fits(record) for record in head)

    def fits(self, record: Record) -> bool:
        """Whether a row has the texts and a known label."""
        label = record.fields.get(self.label) if self.label is not None else None
        if label in (None, "") or any(column not in record.fields for column in self.texts):
            return False
        match self.labels.kind:
            case Kind.CLASSIFICATION:
                return label_name(label) in self.labels.names
            case Kind.REGRESSION:
                return is_number(label)
            case Kind.MULTI_LABEL | Kind.TOKEN_CLASSIFICATION:
                return {*names_in(label)} <= {*self.labels.names}
            case Kind.NONE:
                raise NO_ANSWERS
            case _:
                assert_never(self.labels.kind)


def listed(columns: Sequence[Column]) -> str:
    """Return the first columns in words."""
    more = f" and {len(columns) - MOST_LISTED} more" if len(columns) > MOST_LISTED else ""
    return ", ".join(str(column) or "one without a name" for column in columns[:MOST_LISTED]) + more


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
