"""What a masked language model says at masked tokens: read off any family, cut to the largest, learnt."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_teacher_families import FAMILIES, configuration_of
from torch.nn import functional
from transformers import AutoModelForMaskedLM

from distill.batch import Batch
from distill.encoder import Encoder
from distill.losses import top_cross_entropy
from distill.words import Words
from schemas.checkpoint import Checkpoint
from schemas.errors import ModelError
from schemas.signal import hidden, masked_logits
from schemas.task import Kind, Task

TASK = Task(kind=Kind.NONE, texts=("one",))
PLACES = [[1, 3], [], [2]]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("masked")
    return {family: saved(folder / family, family) for family in FAMILIES}


def saved(folder: Path, family: str) -> Checkpoint:
    torch.manual_seed(7)
    vocabulary = FAMILIES[family][0]()
    AutoModelForMaskedLM.from_config(configuration_of(family, vocabulary)).save_pretrained(folder)
    vocabulary.save_pretrained(folder)
    return Checkpoint.find(str(folder))


@pytest.fixture
def batch() -> Batch:
    rows = [np.arange(5, 5 + length) for length in (5, 3, 4)]
    return Batch.of(
        np.arange(3),
        rows,
        [np.zeros_like(row) for row in rows],
        padding=0,
        masked=Words.of(PLACES, [[7] * len(each) for each in PLACES]),
    )


def plain_logits(checkpoint: Checkpoint, batch: Batch) -> torch.Tensor:
    """Ask the library's own model about each row without padding."""
    model: Any = AutoModelForMaskedLM.from_pretrained(checkpoint.path, attn_implementation="eager").eval()
    found = []
    for row, places in enumerate(PLACES):
        with torch.no_grad():
            logits = model(input_ids=batch.input_ids[row : row + 1, : int(batch.lengths[row])]).logits
        found.append(logits[0, places])
    return torch.cat(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_logits_at_masked_tokens_alone(checkpoints, batch, family):
    encoder = Encoder.load(checkpoints[family], TASK, [masked_logits()])
    with torch.no_grad():
        answers = encoder.read(batch, [masked_logits(), masked_logits(3), hidden(1)])
    expected = plain_logits(checkpoints[family], batch)
    torch.testing.assert_close(answers[masked_logits()], expected, rtol=1e-4, atol=1e-5)
    values, total, pieces = answers[masked_logits(3)].split([3, 1, 3], dim=1)
    torch.testing.assert_close(values, expected.topk(3).values, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(total.squeeze(1), expected.logsumexp(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(expected.gather(1, pieces.long()), values, rtol=1e-4, atol=1e-5)


def test_a_model_without_the_head_is_refused_by_name(teacher_folder, batch):
    with pytest.raises(ModelError, match="no weights for cls"):
        Encoder.load(Checkpoint.find(str(teacher_folder)), TASK, [masked_logits()])
    body = Encoder.load(Checkpoint.find(str(teacher_folder)), TASK)
    with pytest.raises(ModelError, match="a model that gives masked-LM logits"):
        body.read(batch, [masked_logits(3)])


def cut(logits: torch.Tensor, top: int) -> torch.Tensor:
    values, pieces = logits.topk(top)
    return torch.cat([values, logits.logsumexp(1, keepdim=True), pieces.float()], 1)


def test_with_all_logits_the_loss_is_the_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(6, 11, generator=generator) * 3 for _ in range(2))
    expected = functional.cross_entropy(student, teacher.softmax(1))
    torch.testing.assert_close(top_cross_entropy(student, cut(teacher, 11)), expected)


@pytest.mark.parametrize("top", [1, 3, 10])
def test_the_rest_counts_as_one_piece(top):
    generator = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(6, 11, generator=generator) * 3 for _ in range(2))
    order = teacher.argsort(1, descending=True)
    said, wanted = (each.softmax(1).gather(1, order) for each in (student, teacher))
    said, wanted = (torch.cat([p[:, :top], p[:, top:].sum(1, keepdim=True)], 1) for p in (said, wanted))
    expected = -(wanted * said.log()).sum(1).mean()
    torch.testing.assert_close(top_cross_entropy(student, cut(teacher, top)), expected)


def test_nothing_is_left_to_learn_from_oneself_and_nothing_masked_costs_nothing():
    logits = (torch.randn(4, 9, generator=torch.Generator().manual_seed(2)) * 3).requires_grad_()
    top_cross_entropy(logits, cut(logits.detach(), 4)).backward()
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), rtol=0, atol=1e-6)
    assert top_cross_entropy(torch.empty(0, 9), torch.empty(0, 9)) == 0
