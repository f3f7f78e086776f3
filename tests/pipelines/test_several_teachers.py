"""Several teachers: by name in one cache, learnt from together or one after the other."""

import json
from pathlib import Path

import pytest
import torch
from conftest import cache_hashes, configuration, labelled, run_yaml, save
from tiny_tokenizers import ROBERTA, byte_level
from transformers import BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification
from verbs import distill, good, report_of

from pipelines.planner import Planner
from pipelines.run import Run
from schemas.load_configuration import load_configuration


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A teacher of more layers."""
    torch.manual_seed(5)
    shape = configuration(num_hidden_layers=5, **labelled(("negative", "positive")))
    return save(BertForSequenceClassification(shape), tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Path:
    """A teacher with a tokenizer of its own."""
    torch.manual_seed(6)
    folder, tokenizer = tmp_path_factory.mktemp("foreign"), byte_level(True, ROBERTA)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 32}
    shape |= {"max_position_embeddings": 66, "type_vocab_size": 1, **labelled(("negative", "positive"))}
    RobertaForSequenceClassification(RobertaConfig(vocab_size=len(tokenizer), **shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def run(tmp_path, teacher_folder, masked_language_model_folder):
    """Makes a run that learns answers from some teachers beside its own."""

    def make(recipe: str = "hinton", **teachers: Path) -> Path:
        path = run_yaml(tmp_path, teacher_folder, masked_language_model_folder, "none", train={"recipe": recipe})
        found = json.loads(path.read_text())
        found["teachers"] = {name: str(folder) for name, folder in teachers.items()}
        found["train"]["arms"] = ["distilled"]
        path.write_text(json.dumps(found))
        return path

    return make


def groups(path: Path) -> list[str]:
    return sorted(each.name for each in (path.parent / "run/cache").iterdir() if each.name[-4:] in (".f32", ".f16"))


def losses(path: Path) -> list[dict]:
    lines = (path.parent / "run/students/distilled/losses.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if "loss" in entry]


def test_a_student_learns_from_two_teachers_of_one_cache(run, large, foreign):
    path = run(large=large, foreign=foreign)
    planned = good("plan", path)
    assert "teach large" in planned
    assert "large.logits.f32" in planned
    good("run", path)
    assert groups(path) == ["foreign.logits.f32", "large.logits.f32", "teacher.logits.f32"]
    cached = losses(path)
    assert {f"logits<{name}.logits" for name in ("teacher", "large", "foreign")} < cached[0]["terms"].keys()
    verified = good("verify", path, "--live", "5")
    for name in ("teacher", "large", "foreign"):
        assert f"good: {name}.logits.f32" in verified
        assert f"live: {name}.logits.f32: 5 rows" in verified
    before = cache_hashes(path.parent / "run/cache")
    good("run", path)
    assert cache_hashes(path.parent / "run/cache") == before
    good("run", path, "train.teacher=live")
    assert [each["loss"] for each in losses(path)] == pytest.approx([each["loss"] for each in cached], rel=1e-3)


def test_token_ids_of_another_tokenizer_are_planned_though_the_runs_own_are_there(run, foreign):
    for verb in ("augment", "teach"):
        good(verb, run())
    planner = Planner(Run(load_configuration(run(foreign=foreign))))
    sizes = {line.stage: line.bytes for line in planner.plan().lines}
    assert sizes["teach"] == 0
    assert sizes["teach foreign"] > planner.volume.token_bytes


def test_a_live_teacher_of_another_tokenizer_is_planned_to_keep_nothing(run, foreign):
    planner = Planner(Run(load_configuration(run(foreign=foreign), ["train.teacher=live"])))
    sizes = {line.stage: line.bytes for line in planner.plan().lines}
    assert sizes["teach"] >= planner.volume.token_bytes > 0
    assert sizes["teach foreign"] == 0


def test_each_of_several_teachers_may_be_the_runs_own_and_none_overwrites_another(run, large):
    path = run("tinybert")
    other = f"teachers={{large: {large}}}"
    good("run", path)
    before = cache_hashes(path.parent / "run/cache")
    good("run", path, "teacher=large", other)
    assert {"large.logits.f32", "teacher.logits.f32", "large.hidden.0-2-5.f16"} <= set(groups(path))
    after = cache_hashes(path.parent / "run/cache")
    assert {name: content for name, content in after.items() if name in before} == before
    # The fifth layer's answers are the large teacher's, so it is what the report is about.
    assert (
        report_of(path)["arms"][0]["parameters"]
        == BertForSequenceClassification.from_pretrained(large).num_parameters()
    )
    good("run", path)
    assert cache_hashes(path.parent / "run/cache") == after


def test_a_teacher_asked_for_nothing_or_named_by_nobody_is_refused(run, large, foreign, tmp_path, monkeypatch):
    refused = distill("plan", run("tinybert", large=large))
    assert refused.exit_code == 2
    assert "asks nothing of large" in refused.output
    (tmp_path / "theirs.py").write_text(
        "from distill.losses import mse\n"
        "from distill.recipe import Recipe, Stage, Term, from_teacher\n"
        "from schemas.signal import hidden\n"
        "def recipe(student, teacher):\n"
        "    term = Term(mse, hidden(1), from_teacher(hidden(1), 'huge'), project='width')\n"
        "    return Recipe(Stage('only', (term,), 1.0, 1e-3))\n"
    )
    (tmp_path / "by").mkdir()
    (tmp_path / "theirs.py").rename(tmp_path / "by/them.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    refused = distill("plan", run("by.them"))
    assert refused.exit_code == 2
    assert "teachers: {huge: path/or/hub-id}" in refused.output
    refused = distill("plan", run("by.them", huge=foreign))
    assert refused.exit_code == 4
    assert "tokenizer of its own" in refused.output
    good("run", run("by.them", huge=large), "train.steps=4")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("teachers={teacher: somewhere}", "another name than `teacher`"),
        ("teachers={Large: somewhere}", "Large"),
        ("teachers={large: finetune somewhere}", "still to be made"),
    ],
)
def test_names_that_cannot_be_are_refused(run, said, found):
    refused = distill("plan", run(), said)
    assert refused.exit_code == 2
    assert found in refused.output
