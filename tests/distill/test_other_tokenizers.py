"""Students with a tokenizer of their own: the rows of a cache as they read them, and who answers for those."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from conftest import configuration, save
from test_teach import TASK
from test_train import Bench
from tiny_tokenizers import word_piece
from transformers import BertForSequenceClassification

from distill.encoder import Encoder
from distill.student import reads_other_ids, tokenizer_source
from distill.teacher import LiveTeacher
from distill.tokens import Tokenizer
from distill.training_rows import TrainingRows
from schemas.checkpoint import Checkpoint
from schemas.configuration import Student
from schemas.signal import logits


@pytest.fixture(scope="module")
def bench(tmp_path_factory, teacher_folder) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), teacher_folder)


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Checkpoint:
    """A model of the teacher's family with another vocabulary."""
    folder = tmp_path_factory.mktemp("other")
    save(BertForSequenceClassification(configuration(vocab_size=150)), folder)
    word_piece().save_pretrained(folder)
    return Checkpoint.find(str(folder))


def test_rows_tokenised_again_are_the_rows_of_the_cache(bench):
    again = TrainingRows.tokenised(bench.cache, bench.teacher.tokenizer, TASK)
    for field in fields(TrainingRows):
        one, other = getattr(again, field.name), getattr(bench.rows, field.name)
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other, field.name


def test_cached_and_live_teachers_answer_by_row_whatever_the_student_reads(bench, other):
    rows = TrainingRows.tokenised(bench.cache, Tokenizer.load(other, 32), TASK)
    assert np.array_equal(rows.ids, bench.rows.ids)
    assert not np.array_equal(rows.lengths, bench.rows.lengths)
    batch = rows.batch(np.array([3, 0, 50, 7]))
    live = LiveTeacher(Encoder.load(bench.checkpoint, TASK), bench.rows)
    cached, asked = bench.cached().answer(batch, [logits()]), live.answer(batch, [logits()])
    torch.testing.assert_close(cached[logits()], asked[logits()])


def test_a_student_reads_as_its_teacher_wherever_it_can(bench, teacher_folder, other):
    teacher = bench.checkpoint
    for start in ("teacher", "random", str(teacher_folder)):
        assert not reads_other_ids(Student(start=start), teacher)
        assert tokenizer_source(Student(start=start), teacher) is teacher
    assert reads_other_ids(Student(start=str(other.path)), teacher)
    assert tokenizer_source(Student(start=str(other.path)), teacher) == other
