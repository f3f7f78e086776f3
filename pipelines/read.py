"""Reading the splits of a run: one pass that counts, and the rows for training and for evaluation."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

import numpy as np

from pipelines.examples import examples, files, located_examples
from pipelines.record import Record, Reject, shown
from pipelines.rejects import Rejects, written_rejects
from pipelines.transfer import transfer_rows
from schemas.configuration import Configuration
from schemas.digest import identity, ids_digest
from schemas.errors import DataError, QualityError
from schemas.example import Example

HELD_OUT_IN = 10
NAMED = 3
SAMPLED = 1024
"""Rows that a scan remembers."""


@dataclass(frozen=True)
class Scan:
    """What one pass over all files found.

    `read = kept + merged + rejected` counts the rows of the training split, those of `data.transfer` among them;
    `held_out` rows serve as dev, those with a label, and are not among them. `conflicting` and `unlabelled` are of the
    kept; `leaked` rows have the texts of a dev or test row, and are rejected where the configuration drops them:
    `dropped` are their ids. `ids` is the digest of the sorted ids of the rows that were not rejected, and
    `sample` some of those, no two alike, taken from all files by their ids.
    """

    read: int
    kept: int
    merged: int
    rejected: int
    held_out: int
    conflicting: int
    unlabelled: int
    leaked: int
    dev: int
    test: int
    dev_rejected: int
    test_rejected: int
    ids: str = ""
    dropped: frozenset[int] = field(default=frozenset(), repr=False)
    sample: tuple[Example, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        assert self.read == self.kept + self.merged + self.rejected, self

    def accounting(self) -> dict[str, int]:
        """Return the counts by name."""
        names = (field.name for field in fields(self))
        return {name: getattr(self, name) for name in names if name not in ("ids", "dropped", "sample")}


def scan(configuration: Configuration, limit: int | None, rejects: Path | None) -> Scan:
    """Read all files once: count, write rejected rows to `rejects` as JSON lines, look for leaks.

    Raises `DataError` for what cannot be used, `QualityError` where dev or test texts stand in train and the
    configuration does not say what to do about it.
    """
    data = configuration.data
    with written_rejects(rejects) as file:
        texts: set[int] = set()
        dev, dev_rejected = scan_evaluation(configuration, data.dev, limit, file, texts)
        test, test_rejected = scan_evaluation(configuration, data.test, limit, file, texts)
        tally = Tally(configuration, frozenset(texts), file)
        for found in training_rows(configuration, limit):
            tally.take(found)
        tally.refuse_leaks()
    kept, conflicting, unlabelled = tally.distinct()
    if not kept:
        raise DataError(
            "rows to train on",
            f"{', '.join(data.train)}: {tally.rejected:,} rejected, {tally.held_out:,} held out, none left",
            f"see {rejects} and correct the files" if tally.rejected else "name more rows, or `data.dev`",
        )
    return Scan(
        read=len(tally.ids) + tally.rejected,
        kept=kept,
        merged=len(tally.ids) - kept,
        rejected=tally.rejected,
        held_out=tally.held_out,
        conflicting=conflicting,
        unlabelled=unlabelled,
        leaked=tally.leaked,
        dev=tally.dev if data.dev is None else dev,
        test=test,
        dev_rejected=dev_rejected,
        test_rejected=test_rejected,
        ids=ids_digest(np.sort(np.frombuffer(tally.ids, np.uint64))),
        dropped=frozenset(tally.dropped),
        sample=tally.sample(),
    )


class Tally:
    """What became of the rows of the training files; a kept row takes 17 bytes, however long it is.

    Ids are digests, so the rows with the lowest are as good a sample as any.
    """

    def __init__(self, configuration: Configuration, evaluated: frozenset[int], rejects: Rejects) -> None:
        self.data = configuration.data
        self.evaluated = evaluated
        self.rejects = rejects
        self.ids = array("Q")
        self.texts = array("Q")
        self.labelled = bytearray()
        self.rejected = self.held_out = self.dev = self.leaked = 0
        self.named: list[str] = []
        self.dropped: set[int] = set()
        self.some: dict[int, Example] = {}
        self.highest = 2**64

    def take(self, found: tuple[Record, Example] | Reject) -> None:
        """Count one row."""
        if isinstance(found, Reject):
            self.reject(found)
            return
        record, example = found
        if self.data.dev is None and is_held_out(example):
            self.held_out += 1
            self.dev += example.is_labelled
            return
        texts = texts_digest(example)
        if texts in self.evaluated:
            self.leaked += 1
            self.named += [f"{record.where}: {shown(example.texts[0])}"] if len(self.named) < NAMED else []
            if self.data.on_leak == "drop":
                self.dropped.add(example.id)
                self.reject(Reject(record.where, record.raw, "no text of dev or test", shown(example.texts[0])))
                return
        self.ids.append(example.id)
        self.texts.append(texts)
        self.labelled.append(example.is_labelled)
        if example.id < self.highest:
            self.some[example.id] = example
            if len(self.some) == 2 * SAMPLED:
                self.some = {each.id: each for each in self.sample()}
                self.highest = max(self.some)

    def sample(self) -> tuple[Example, ...]:
        """Return the rows with the lowest ids."""
        return tuple(self.some[id] for id in sorted(self.some)[:SAMPLED])

    def reject(self, reject: Reject) -> None:
        """Count and list a row that is left out."""
        self.rejected += 1
        self.rejects.write(reject)

    def refuse_leaks(self) -> None:
        """Refuse dev or test texts in train unless the configuration drops or allows them."""
        if self.leaked and self.data.on_leak == "fail":
            more = f"; and {self.leaked - len(self.named):,} more" if self.leaked > len(self.named) else ""
            raise QualityError(
                "no text of dev or test among the training rows",
                f"{'; '.join(self.named)}{more}",
                "set `data.on_leak: drop` to leave them out of training, or `data.on_leak: allow` to keep them",
            )

    def distinct(self) -> tuple[int, int, int]:
        """Return how many rows are distinct, how many of those share texts but not the label, how many have none."""
        _, first = np.unique(np.frombuffer(self.ids, np.uint64), return_index=True)
        labelled = np.frombuffer(self.labelled, np.uint8)[first].astype(bool)
        _, alike = np.unique(np.frombuffer(self.texts, np.uint64)[first][labelled], return_counts=True)
        return len(first), int(alike[alike > 1].sum()), int((~labelled).sum())


def scan_evaluation(
    configuration: Configuration, pattern: str | None, limit: int | None, rejects: Rejects, texts: set[int]
) -> tuple[int, int]:
    """Add the digests of a split's texts; return how many of its rows are good and how many rejected."""
    kept = rejected = 0
    for found in evaluation_rows(configuration, pattern, limit) if pattern else ():
        if isinstance(found, Reject):
            rejected += 1
            rejects.write(found)
        else:
            kept += 1
            texts.add(texts_digest(found))
    return kept, rejected


def training_examples(configuration: Configuration, scan: Scan, limit: int | None) -> Iterator[Example]:
    """Read the rows to train on: what was not rejected, held out or dropped; identical rows are not merged yet."""
    for found in training_rows(configuration, limit):
        if isinstance(found, Reject) or found[1].id in scan.dropped:
            continue
        if configuration.data.dev is not None or not is_held_out(found[1]):
            yield found[1]


def training_rows(configuration: Configuration, limit: int | None) -> Iterator[tuple[Record, Example] | Reject]:
    """Read the rows of the training files, then those without labels; the limit is for each."""
    data = configuration.data
    yield from located_examples(configuration.name, configuration.task, data, files(data.train), limit)
    if data.transfer:
        yield from transfer_rows(configuration, limit)


def held_out(configuration: Configuration, split: Literal["dev", "test"], limit: int | None) -> list[Example]:
    """Return the rows of a split for evaluation; without files of its own test is dev, and dev is part of train."""
    data = configuration.data
    pattern = data.test if split == "test" and data.test else data.dev
    if pattern:
        found = [row for row in evaluation_rows(configuration, pattern, limit) if not isinstance(row, Reject)]
        where = pattern
    else:
        rows = examples(configuration.name, configuration.task, data, files(data.train), limit)
        kept = (row for row in rows if not isinstance(row, Reject) and is_held_out(row))
        found = [row for row in kept if row.is_labelled]
        where = f"{', '.join(data.train)}, of which one text in {HELD_OUT_IN} is held out"
    if not found:
        raise DataError(f"labelled rows for {split}", f"{where}: none", f"name a file of them as `data.{split}`")
    return found


def evaluation_rows(configuration: Configuration, pattern: str, limit: int | None) -> Iterator[Example | Reject]:
    """Read dev or test rows; one without a label is an error, as nothing could be measured on it."""
    # Held-out rows have no copies to protect anything from.
    task = configuration.task.model_copy(update={"protected": None})
    for found in located_examples(configuration.name, task, configuration.data, files([pattern]), limit):
        if isinstance(found, Reject):
            yield found
            continue
        record, example = found
        if not example.is_labelled:
            raise DataError(
                "a label on every dev and test row",
                f"{record.where}:{task.label}: {shown(record.fields.get(task.label or ''))}",
                "label the row or leave it out, or name another file",
            )
        yield example


def is_held_out(example: Example) -> bool:
    """Whether a row of the training files serves as dev where no dev file is named.

    The texts alone decide, so that no text is on both sides, whatever its label, file or place.
    """
    return texts_digest(example) % HELD_OUT_IN == 0


def texts_digest(example: Example) -> int:
    """Return 64 bits that name a row's texts as a model sees them: no tokenizer tells kinds of white space apart."""
    return identity(*(" ".join(text.split()) for text in example.texts))
