"""Calibration: a small sample of rows and the teacher as workers load it, by which a plan knows what rows cost."""

import resource
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoConfig

from distill.batch import Batch
from distill.encoder import Encoder, accelerator, are_of_pieces, load_model
from distill.packed import PackedReader
from distill.prepare import prepared
from distill.shape import ModelShape
from distill.teach import ShardTeacher, blocks, settings_of
from distill.teacher import CachedTeacher
from distill.tokens import Encoded, Tokenizer
from distill.training_rows import TrainingRows
from distill.words import Words
from pipelines.corpus.sample import CorpusSample, corpus_sample
from pipelines.corpus.scan import CorpusScan
from pipelines.run import Run
from pipelines.volume import LOOKED_AT, rows_of
from schemas import rows
from schemas.answers import Answers
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.digest import digest
from schemas.errors import ConfigurationError, IntegrityError
from schemas.example import Example
from schemas.lengths import Lengths
from schemas.manifest import Manifest
from schemas.signal import Signal

SAMPLE = 64
ROWS_PER_BATCH = 16


class Costs(NamedTuple):
    """Seconds a token takes to be taught, and to be read from a cache."""

    teaching: float
    reading: float


class Calibration:
    """Loads and reads what it is asked for of one teacher, once."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name
        self.configuration = run.configuration
        self.kind = run.configuration.task.kind

    @cached_property
    def corpus(self) -> CorpusSample | None:
        """What is known of the rows of a corpus, `None` where the data are rows."""
        scan = self.run.scan
        if isinstance(scan, CorpusScan):
            return corpus_sample(self.configuration, scan, self.run.limit, LOOKED_AT)
        return None

    @cached_property
    def made(self) -> Manifest | None:
        """The manifest of the rows, copies among them, where they are in the cache."""
        try:
            return self.run.rows_manifest()
        except (ConfigurationError, IntegrityError):
            return None

    @cached_property
    def looked_at(self) -> list[Example]:
        """Rows of which the tokens are counted: of those that were made if they are there, else of those read."""
        if self.made:
            return rows_of(Cache(self.configuration.cache_path), self.made)
        if self.corpus:
            return self.corpus.examples
        assert not isinstance(self.run.scan, CorpusScan)
        return list(self.run.scan.sample)

    @cached_property
    def sample(self) -> list[Example]:
        """The few of them that models are asked for, short and long ones in the proportion of all."""
        by_length = sorted(self.looked_at, key=lambda example: example.order)
        share = len(by_length) / min(SAMPLE, len(by_length))
        return [by_length[int((i + 0.5) * share)] for i in range(min(SAMPLE, len(by_length)))]

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The teacher, or the model it is to be made from, which costs the same."""
        base = self.configuration.base_teacher if self.name == self.configuration.teacher_name else None
        return Checkpoint.find(base or self.configuration.model_of(self.name))

    @cached_property
    def shape(self) -> ModelShape:
        """The teacher's shape in the end: with the task's outputs."""
        labels = self.configuration.task.model_labels()
        return ModelShape.of(
            AutoConfig.from_pretrained(self.checkpoint.path, trust_remote_code=False, **labels), self.kind
        )

    @cached_property
    def loading_seconds(self) -> float:
        """What a worker spends on loading a model, and so before its first row."""
        return timed(lambda: load_model(self.checkpoint, self.kind))[0]

    @cached_property
    def encoder(self) -> Encoder:
        """The teacher as workers load it."""
        if self.configuration.base_teacher is None or self.name != self.configuration.teacher_name:
            return Encoder.load_accelerated(self.checkpoint, self.configuration.task)
        model, _ = load_model(self.checkpoint, self.kind, **self.configuration.task.model_labels())
        return Encoder(model.eval().to(accelerator()), self.kind)

    def encoder_for(self, signals: Collection[Signal]) -> Encoder:
        """Return the teacher with the head that the signals need beside the task's."""
        if not are_of_pieces(signals):
            return self.encoder
        return Encoder.load_accelerated(self.checkpoint, self.configuration.task, signals)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The teacher's tokenizer."""
        return Tokenizer.load(self.checkpoint, self.configuration.teach.max_length)

    @cached_property
    def encoded(self) -> Encoded:
        """The sample's tokens."""
        return self.tokenizer.encode_rows(self.sample)

    @cached_property
    def batches(self) -> list[Batch]:
        """The sample as the teacher reads it, rows of similar length together."""
        parts = (self.encoded.input_ids, self.encoded.token_type_ids)
        ids, segments = ([np.array(row) for row in part] for part in parts)
        by_length = np.argsort([len(row) for row in ids], kind="stable")
        padding, device = self.tokenizer.padding, self.encoder.device
        return [
            Batch.of(
                some,
                [ids[i] for i in some],
                [segments[i] for i in some],
                padding=padding,
                device=device,
                masked=Words.of(self.encoded.masked_positions, self.encoded.masked_ids),
            )
            for some in np.array_split(by_length, -(-len(ids) // ROWS_PER_BATCH))
        ]

    @property
    def lengths(self) -> Lengths:
        """Those of the rows of the sample."""
        return self.encoded.lengths

    @property
    def middling(self) -> tuple[list[Example], int]:
        """A batch of rows of middling length, as workers will cut it, and its tokens; none where all are too long."""
        by_length = sorted(self.looked_at, key=lambda example: example.order)
        encoded, teaching = self.tokenizer.encode_rows(by_length), self.configuration.teach
        asked = np.flatnonzero(~np.array(encoded.was_cut, np.bool_) | (not teaching.leaves_out))
        lengths = encoded.lengths.tokens
        cut = [asked[block] for block in blocks(lengths[asked], teaching.batch_tokens)] or [asked]
        middle = cut[(len(cut) - 1) // 2]
        return [by_length[row] for row in middle], int(lengths[middle].sum())

    @property
    def text_bytes(self) -> float:
        """Bytes of a row's texts."""
        return sum(len(text.encode()) for example in self.sample for text in example.texts) / len(self.sample)

    def forward_seconds(self, signals: set[Signal]) -> float:
        """Time the teacher on the sample, after a warm-up; return the seconds a row takes."""
        encoder = self.encoder_for(signals)
        with torch.inference_mode():
            encoder.read(self.batches[0], signals)
            seconds, _ = timed(lambda: [answered(encoder.read(batch, signals)) for batch in self.batches])
        return seconds / len(self.sample)

    def costs(
        self, groups: Sequence[Answers], left: Collection[Answers], signals: set[Signal], identity: dict[str, Any]
    ) -> Costs:
        """Teach what is left for rows of middling length, in a folder of its own, and read signals from there.

        It is a batch as large as workers will ask for: larger ones are slower where a processor's cache does not hold
        them.
        """
        some, count = self.middling
        if not some:
            return Costs(0.0, 0.0)
        masked = any(example.masks for example in some)
        budget = self.configuration.teach.batch_tokens
        with TemporaryDirectory() as folder:
            cache = Cache(Path(folder))
            encoder = self.encoder_for({signal for answers in groups for signal in answers.asked})
            # Weights that groups have in the cache are not in this folder.
            bare = tuple(replace(answers, weights=()) for answers in groups)
            teacher = ShardTeacher(cache, encoder, self.tokenizer, bare, identity, budget, masked)
            label_type = self.configuration.task.label_type
            with cache.group(rows.NAME).writer(0, rows.schema(label_type)) as writer:
                writer.write(rows.to_batch(some, label_type))
                side = writer.commit(settings=digest("sample"), input=digest("sample"), accounting={})
            with torch.inference_mode():
                encoder.read(self.batches[0], signals)
            teacher = replace(teacher, groups=prepared(teacher, [side]))
            # What is there is asked for again beside what is left, and not written.
            there = [ready for ready, answers in zip(teacher.groups, groups, strict=True) if answers not in left]
            if there:
                replace(teacher, groups=tuple(there)).teach(side)
            seconds, _ = timed(lambda: teacher.teach(side))
            return Costs(seconds / count, self.reading_seconds(teacher, signals))

    def reading_seconds(self, teacher: ShardTeacher, signals: set[Signal]) -> float:
        """Read what a teacher has kept of a shard as training does, after a warm-up; return seconds a token."""
        teacher.cache.group(rows.NAME).publish_manifest({}, 1)
        teacher.token_group.publish_manifest(teacher.token_settings, 1)
        task, size = self.configuration.task, self.configuration.train.batch
        taught = TrainingRows.of(teacher.cache, teacher.token_group.name, self.tokenizer.padding, task)
        readers = []
        for answers in teacher.groups:
            teacher.group(answers).publish_manifest(settings_of(answers, teacher.identity), 1)
            readers.append(PackedReader(teacher.group(answers), taught.all_lengths.at(answers.family.at)))
        cached = CachedTeacher(readers)
        kept = np.flatnonzero(cached.kept(signals, len(taught.ids)))
        parts = [kept[start : start + size] for start in range(0, len(kept), size)]
        if not parts:
            return 0.0
        batches = [taught.batch(part, teacher.encoder.device) for part in parts]
        cached.answer(batches[0], signals)
        seconds, _ = timed(lambda: [answered(cached.answer(batch, signals)) for batch in batches])
        return seconds / int(taught.lengths[kept].sum())


def answered(answers: Mapping[Signal, Any]) -> None:
    """Wait for what a model says: a device works on while nobody looks at its numbers."""
    for values in answers.values():
        values.flatten()[:1].cpu()


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds something took, and what it gave."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
