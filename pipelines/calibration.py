"""Calibration: a small sample of rows and the teacher as workers load it, by which a plan knows what rows cost."""

import resource
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig

from distill.batch import Batch
from distill.encoder import Encoder, are_of_pieces, load_model
from distill.shape import ModelShape
from distill.tokens import Encoded, Tokenizer
from distill.words import Words
from pipelines.corpus.sample import CorpusSample, corpus_sample
from pipelines.corpus.scan import CorpusScan
from pipelines.read import first_examples
from pipelines.run import Run
from schemas.answers import Answers
from schemas.checkpoint import Checkpoint
from schemas.example import Example
from schemas.signal import Signal

SAMPLE = 64
ROWS_PER_BATCH = 16


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
            return corpus_sample(self.configuration, scan, self.run.limit, SAMPLE)
        return None

    @cached_property
    def sample(self) -> list[Example]:
        """Rows from the head of the data."""
        if self.corpus:
            return self.corpus.examples
        assert not isinstance(self.run.scan, CorpusScan)
        return first_examples(self.configuration, self.run.scan, SAMPLE)

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
    def encoder(self) -> Encoder:
        """The teacher as workers load it."""
        if self.configuration.base_teacher is None or self.name != self.configuration.teacher_name:
            return Encoder.load(self.checkpoint, self.configuration.task)
        model, _ = load_model(self.checkpoint, self.kind, **self.configuration.task.model_labels())
        return Encoder(model.eval(), self.kind)

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
        return [
            Batch.of(
                rows,
                [ids[i] for i in rows],
                [segments[i] for i in rows],
                padding=self.tokenizer.padding,
                masked=Words.of(self.encoded.masked_positions, self.encoded.masked_ids),
            )
            for rows in np.array_split(by_length, -(-len(ids) // ROWS_PER_BATCH))
        ]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row of the sample."""
        return self.encoded.lengths

    @property
    def text_bytes(self) -> float:
        """Bytes of a row's texts."""
        return sum(len(text.encode()) for example in self.sample for text in example.texts) / len(self.sample)

    def forward_seconds(self, signals: set[Signal]) -> float:
        """Time the teacher on the sample, after a warm-up; return the seconds a row takes."""
        encoder = self.encoder
        if are_of_pieces(signals):
            encoder = Encoder.load(self.checkpoint, self.configuration.task, signals)
        with torch.inference_mode():
            encoder.read(self.batches[0], signals)
            seconds, _ = timed(lambda: [encoder.read(batch, signals) for batch in self.batches])
        return seconds / len(self.sample)

    def reading_seconds(self, groups: Sequence[Answers]) -> float:
        """Time copying and widening as many numbers as the sample's answers have; return the seconds a row takes."""
        seconds = 0.0
        for answers in groups:
            sizes = answers.size(self.encoded.lengths_at(answers.family.at))
            numbers = np.zeros(int(sizes.sum()) * len(answers.asked), answers.codec.dtype)
            seconds += min(timed(lambda numbers=numbers: torch.from_numpy(numbers.copy()).float())[0] for _ in range(2))
        return seconds / len(self.sample)


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds something took, and what it gave."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
