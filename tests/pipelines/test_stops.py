"""What stops the teach stage through its verb: no room, no knowledge, too many rows without an answer."""

import shutil
from pathlib import Path

import pytest
import torch
from conftest import run_yaml
from transformers import BertForSequenceClassification
from verbs import distill, good

from schemas.cache import Cache


@pytest.fixture
def path(tmp_path, teacher_folder, masked_language_model_folder) -> Path:
    """A run whose teacher has random weights."""
    path = run_yaml(tmp_path, teacher_folder, masked_language_model_folder, "none", train={"recipe": "hinton"})
    good("augment", path)
    return path


def taught(path: Path) -> list[str]:
    return sorted(each.name for each in (path.parent / "run/cache").iterdir() if each.name.startswith("teacher"))


@pytest.mark.parametrize("verb", ["teach", "run"])
def test_over_the_budget_nothing_starts(path, verb):
    stopped = distill(verb, path, "teach.budget=200")
    assert stopped.exit_code == 7, stopped.output
    assert "`teach.budget` says" in stopped.output
    assert taught(path) == []
    good(verb, path, "teach.budget=1MB", "train.steps=2")
    assert taught(path) == ["teacher.logits.f32"]


@pytest.mark.parametrize("verb", ["teach", "run"])
def test_a_teacher_at_chance_stops_before_anything_is_kept(path, verb):
    stopped = distill(verb, path, "teach.at_chance=fail", "teach.max_length=31")
    assert stopped.exit_code == 6, stopped.output
    assert "better than chance" in stopped.output
    assert "teach.at_chance=allow" in stopped.output
    assert taught(path) == []


def test_more_rows_without_an_answer_than_allowed_end_the_run_and_are_counted(path):
    leave = ("teach.longer=leave", "teach.max_length=9")
    stopped = distill("teach", path, *leave)
    assert stopped.exit_code == 6, stopped.output
    (accounting,) = (
        group.manifest().accounting for group in Cache(path.parent / "run/cache").groups() if "logits" in group.name
    )
    assert 0 < accounting["too_long"] < accounting["rows"]
    assert (
        f"{accounting['too_long']:,} of {accounting['rows']:,}: {accounting['too_long']:,} too long" in stopped.output
    )
    good("teach", path, *leave, "teach.max_failed=1")


@pytest.fixture
def loud(tmp_path, teacher_folder) -> Path:
    """A teacher whose hidden states are too large for f16, all of them."""
    model = BertForSequenceClassification.from_pretrained(teacher_folder)
    with torch.no_grad():
        model.bert.embeddings.LayerNorm.weight.mul_(1e6)
    folder = shutil.copytree(teacher_folder, tmp_path / "loud")
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_no_row_has_a_usable_answer_it_is_said_with_counts_and_what_holds_them(path, loud, allowed):
    settings = (f"teacher={loud}", "train.recipe=tinybert", f"teach.max_failed={allowed}", "train.arms=[distilled]")
    done = distill("teach", path, *settings)
    assert done.exit_code == 6, done.output
    (manifest,) = (
        manifest
        for group in Cache(path.parent / "run/cache").groups()
        if (manifest := group.manifest()).settings.get("family") == "hidden"
    )
    rows = f"{manifest.rows:,}"
    assert f"none: {manifest.group}: {rows} of {rows}: {rows} overflow" in done.output
    assert "teach.codec=bf16 or f32" in done.output
    trained = distill("train", path, *settings)
    assert trained.exit_code == 6, trained.output
    assert f"none: {manifest.group}" in trained.output
    assert "label some rows" not in trained.output
    good("teach", path, *settings, "teach.codec=bf16")
