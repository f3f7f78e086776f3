"""Runs over masked text whose student learns what a teacher says at the masks."""

import json
from pathlib import Path

import pytest
from conftest import cache_hashes
from corpora import corpus_yaml, some_documents, write_text
from transformers import AutoModelForMaskedLM
from verbs import distill, good

RECIPE = """
from distill.losses import mse, top_cross_entropy
from distill.recipe import Recipe, Stage, Term, from_teacher
from schemas.signal import hidden, masked_logits


def recipe(student, teacher, *, top: int = 8):
    says = Term(top_cross_entropy, masked_logits(), from_teacher(masked_logits(top)))
    return Recipe(Stage("masks", (says, Term(mse, hidden(1), from_teacher(hidden(1)))), 1.0, 5e-4))
"""


@pytest.fixture
def path(tmp_path, monkeypatch, masked_language_model_folder) -> Path:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "learn.py").write_text(RECIPE)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = write_text(tmp_path / "wiki.txt", some_documents(30))
    return corpus_yaml(
        tmp_path,
        masked_language_model_folder,
        str(text),
        student={"layers": 1},
        corpus={"mask": 0.15},
        teach={"codec": "f32"},
        train={"recipe": "masks.learn", "steps": 6, "teacher": "cached"},
    )


def losses(path: Path) -> list[float]:
    lines = (path.parent / "run/students/general/losses.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def test_cached_and_live_teachers_teach_the_same_at_masks(path, tmp_path):
    assert "masked_logits" in good("plan", path)
    good("run", path)
    cached = losses(path)
    assert "good: teacher.masked_logits-top8.f32" in good("verify", path)
    assert "live: teacher.masked_logits-top8.f32: 9 rows" in good("verify", path, "--live", "9")
    student = AutoModelForMaskedLM.from_pretrained(tmp_path / "run/students/general")
    assert student.config.num_hidden_layers == 1
    before = cache_hashes(tmp_path / "run/cache")
    good("run", path, "train.teacher=live")
    assert losses(path) == pytest.approx(cached, rel=1e-4)
    assert cache_hashes(tmp_path / "run/cache") == before


@pytest.mark.parametrize("said", ["corpus.mask=0", "train.dials={top: 0}", "train.dials={top: 1000000}"])
def test_what_cannot_be_learnt_at_masks_is_refused_before_anything_is_written(path, tmp_path, said):
    for verb in ("plan", "run"):
        done = distill(verb, path, said)
        assert done.exit_code == 2, done.output
        assert "corpus.mask=0.15" in done.output if said == "corpus.mask=0" else "masked_logits(top=64)" in done.output
    assert not list((tmp_path / "run").rglob("*.arrow"))
