"""Runs in which teacher or student is of another family: what is refused, by name and before anything is written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TAGGING, TAGS, cache_hashes, labelled, run_yaml, tagged, write_conll
from tiny_tokenizers import ROBERTA, byte_level, unigram
from transformers import (
    AutoTokenizer,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaForTokenClassification,
)
from verbs import distill, good, report_of

SMALL = {
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "hidden_size": 32,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
    **labelled(("negative", "positive")),
}


def saved(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def deberta(tmp_path_factory) -> Path:
    """A teacher that gives no attention scores."""
    torch.manual_seed(1)
    tokenizer = unigram()
    model = DebertaV2ForSequenceClassification(DebertaV2Config(vocab_size=len(tokenizer), **SMALL))
    return saved(model, tokenizer, tmp_path_factory.mktemp("deberta"))


@pytest.fixture(scope="module")
def roberta(tmp_path_factory) -> Path:
    """A student with a tokenizer of its own."""
    torch.manual_seed(2)
    tokenizer = byte_level(True, ROBERTA)
    model = RobertaForSequenceClassification(RobertaConfig(vocab_size=len(tokenizer), type_vocab_size=1, **SMALL))
    return saved(model, tokenizer, tmp_path_factory.mktemp("roberta"))


@pytest.fixture
def configured(tmp_path, masked_language_model_folder):
    """Makes a run over labelled rows and their copies."""

    def make(teacher: Path, student: Path | None = None, **sections: dict) -> Path:
        started = {"student": {"start": str(student), "layers": None}} if student else {}
        return run_yaml(tmp_path, teacher, masked_language_model_folder, "none", **{**started, **sections})

    return make


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_attention_that_a_teacher_does_not_give_is_refused_by_name(configured, deberta, tmp_path, verb):
    path = configured(deberta)
    done = distill(verb, path)
    assert done.exit_code == 4, done.output
    assert "DebertaV2ForSequenceClassification gives none" in done.output
    assert "attention: false" in done.output
    assert not list((tmp_path / "run").rglob("*.arrow"))


def test_the_same_teacher_teaches_without_attention(configured, deberta, tmp_path):
    path = configured(deberta)
    good("augment", path)
    done = distill("teach", path)
    assert done.exit_code == 4
    assert not list((tmp_path / "run/cache").glob("teacher.*"))
    good("run", path, "train.dials={attention: false}", "train.steps=6")
    assert [group.name for group in sorted((tmp_path / "run/cache").glob("teacher.*"))] == [
        "teacher.hidden.0-1-2.f16",
        "teacher.logits.f32",
    ]
    assert [arm["steps"] for arm in report_of(path)["arms"]][:2] == [0, 6]


def test_a_student_with_another_tokenizer_learns_what_is_said_of_rows(configured, teacher_folder, roberta, tmp_path):
    path = configured(teacher_folder, roberta, train={"recipe": "hinton", "steps": 12, "batch": 8})
    good("run", path)
    arms = {arm["name"]: arm for arm in report_of(path)["arms"]}
    assert arms["distilled"]["parameters"] == arms["scratch"]["parameters"] != arms["teacher"]["parameters"]
    assert all(arm["seconds_per_row"] > 0 for arm in arms.values())
    student = AutoTokenizer.from_pretrained(tmp_path / "run/students/distilled")
    assert student.get_vocab() == AutoTokenizer.from_pretrained(roberta).get_vocab()
    taught = cache_hashes(tmp_path / "run/cache")
    cached = np.load(tmp_path / "run/students/distilled/predictions.npy")
    losses = (tmp_path / "run/students/distilled/losses.jsonl").read_text()
    good("train", path, "train.teacher=live")
    assert cache_hashes(tmp_path / "run/cache") == taught
    assert np.array_equal(np.load(tmp_path / "run/students/distilled/predictions.npy"), cached)
    assert (tmp_path / "run/students/distilled/losses.jsonl").read_text().count("\n") == losses.count("\n")


def test_a_student_learns_anew_from_answers_kept_in_another_form(configured, teacher_folder, tmp_path):
    inputs = []
    for form in ("scores", "input", "input"):
        path = configured(teacher_folder, train={"steps": 4, "batch": 8}, teach={"codec": "int8", "attention": form})
        good("run", path)
        inputs.append(json.loads((tmp_path / "run/students/distilled/result.json").read_text())["input"])
        for group in (tmp_path / "run/cache").glob("teacher.attention.*"):
            shutil.rmtree(group)
    assert inputs[0] != inputs[1] == inputs[2]


def test_what_is_said_of_tokens_is_refused_for_a_student_with_other_tokens(
    configured, teacher_folder, roberta, tmp_path
):
    path = configured(teacher_folder, roberta)
    done = distill("run", path)
    assert done.exit_code == 4, done.output
    for said in ("a tokenizer of its own", "attention.2", "hidden.0", str(roberta), "hinton"):
        assert said in done.output.replace("\n", " "), said
    assert not list((tmp_path / "run").rglob("*.arrow"))


def test_a_student_of_words_with_other_tokens_learns_from_labels_only(
    configured, token_teacher_folder, tmp_path, tmp_path_factory
):
    torch.manual_seed(3)
    tokenizer = byte_level(True, ROBERTA)
    shape = RobertaConfig(vocab_size=len(tokenizer), type_vocab_size=1, **{**SMALL, **labelled(TAGS)})
    student = saved(RobertaForTokenClassification(shape), tokenizer, tmp_path_factory.mktemp("words"))
    path = configured(
        token_teacher_folder,
        student,
        task=TAGGING,
        data={split: str(tmp_path / f"{split}.conll") for split in ("train", "dev", "test")},
        augment={"replace_entities": True},
        train={"recipe": "finetune", "steps": 6, "keep_copies": {"agreement": True}},
    )
    rows = tagged(60)
    for split, part in {"train": rows[:30], "dev": rows[30:45], "test": rows[45:]}.items():
        write_conll(tmp_path / f"{split}.conll", part)
    done = distill("run", path, "train.recipe=hinton")
    assert done.exit_code == 4, done.output
    assert "wants token_logits" in done.output
    good("run", path)
    arms = {arm["name"]: arm for arm in report_of(path)["arms"]}
    assert arms["distilled+augmented"]["steps"] == 6
