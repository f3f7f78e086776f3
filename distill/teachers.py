"""The teachers of a run, by the names under which a cache keeps what they say; the run's own is the first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from distill.encoder import Encoder
from distill.needs import check_failed, identity_of, open_readers, usable_groups
from distill.shape import ModelShape
from distill.student import vocabulary_of
from distill.teacher import CachedTeacher, LiveTeacher, Teacher
from distill.tokens import Tokenizer
from distill.training_rows import TrainingRows
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.signal import Column, Signal


@dataclass(frozen=True)
class Teachers:
    """Where the teachers of a configuration lie."""

    configuration: Configuration
    checkpoints: Mapping[str, Checkpoint]

    @classmethod
    def of(cls, configuration: Configuration, own: Checkpoint) -> "Teachers":
        """Find the teachers beside the run's own, which may have had to be made."""
        others = {name: Checkpoint.find(configuration.model_of(name)) for name in configuration.other_teachers}
        return cls(configuration, {configuration.teacher_name: own, **others})

    @property
    def own(self) -> Checkpoint:
        """The run's own teacher."""
        return self.checkpoints[self.configuration.teacher_name]

    @cached_property
    def shapes(self) -> dict[str, ModelShape]:
        """Shapes of all teachers."""
        kind = self.configuration.task.kind
        return {name: ModelShape.of_checkpoint(found, kind) for name, found in self.checkpoints.items()}

    @cached_property
    def identities(self) -> dict[str, dict[str, Any]]:
        """What the answers of each depend on beside rows, layers and codec."""
        teach, threads = self.configuration.teach, self.configuration.workers.threads
        return {name: identity_of(found, teach, threads) for name, found in self.checkpoints.items()}

    def cached(self, columns: Collection[Column], cache: Cache, rows: TrainingRows) -> dict[str, Teacher]:
        """Return the teachers as a cache holds what they said of its rows, as the run's own read them."""
        teaching, found = self.configuration.teach, dict[str, Teacher]()
        for name, signals in by_teacher(columns).items():
            readers = open_readers(cache, name, signals, rows, teaching.codec, self.identities[name])
            for reader in readers:
                check_failed(reader.manifest, teaching)
            found[name] = CachedTeacher(readers)
        return found

    def sources(self, columns: Collection[Column], cache: Cache) -> dict[str, Any]:
        """Return what the answers in some columns come from: teachers, and the groups of a cache unless they are live.

        A group's name says in which codec and form it holds them: what students learn differs by both.
        """
        asked, groups = by_teacher(columns), dict[str, list[str]]()
        if self.configuration.train.teacher == "cached":
            for name, signals in asked.items():
                usable = usable_groups(cache, name, signals, self.configuration.teach.codec, self.identities[name])
                groups[name] = [answers.name for answers in usable]
        return {"identities": {name: self.identities[name] for name in asked}, "groups": groups}

    def live(self, columns: Collection[Column], cache: Cache, students: Checkpoint) -> dict[str, Teacher]:
        """Return the teachers themselves; one whose pieces are not the students' reads the rows in its own."""
        task, found = self.configuration.task, dict[str, Teacher]()
        for name, signals in by_teacher(columns).items():
            checkpoint = self.checkpoints[name]
            rows = None
            if checkpoint != students and vocabulary_of(checkpoint) != vocabulary_of(students):
                tokenizer = Tokenizer.load(checkpoint, self.configuration.teach.max_length)
                rows = TrainingRows.tokenised(cache, tokenizer, task)
            found[name] = LiveTeacher(Encoder.load_accelerated(checkpoint, task, signals), rows)
        return found


def by_teacher(columns: Collection[Column]) -> dict[str, set[Signal]]:
    """Return what is asked of each teacher."""
    found: dict[str, set[Signal]] = {}
    for column in sorted(columns):
        found.setdefault(column.teacher, set()).add(column.signal)
    return found
