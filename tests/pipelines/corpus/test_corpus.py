"""Runs over raw text, through the command line."""

import json
import random
import re
import subprocess
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
import torch
from conftest import cache_hashes
from corpora import corpus_yaml, some_documents, write_text
from transformers import AutoModel, AutoModelForSequenceClassification
from verbs import DISTILL, distill, good

from distill.tokens import Tokenizer
from distill.training_rows import TrainingRows
from pipelines.planner import Planner
from pipelines.run import Run
from schemas import rows, tokens
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.load_configuration import load_configuration
from schemas.task import Kind, Task


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write_text(tmp_path_factory.mktemp("corpus") / "wiki.txt", some_documents(40))


def accounting(path: Path) -> dict:
    return json.loads((path.parent / "run/run.json").read_text())["stages"]["augment"]["accounting"]


def test_a_run_over_raw_text_ends_in_a_student(text, masked_language_model_folder, tmp_path):
    path = corpus_yaml(tmp_path, masked_language_model_folder, str(text), student={"layers": 1})
    planned = good("plan", path)
    assert "40 read = 40 kept" in planned
    printed = good("run", path)
    counts = accounting(path)
    assert counts["documents_read"] == counts["documents_kept"] == 40
    assert counts["rows"] == counts["kept"]
    assert f"{counts['rows']:,} rows" in printed
    assert "students/general, 6 steps" in printed
    student = AutoModel.from_pretrained(tmp_path / "run/students/general")
    assert student.config.num_hidden_layers == 1
    lines = (tmp_path / "run/students/general/losses.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert "done" in good("plan", path)
    assert "rows" in good("inspect", path)
    assert "good: rows" in good("verify", path)
    assert "losses.jsonl" in distill("report", path).output


def test_what_a_student_of_raw_text_learnt_begins_a_student_of_a_task(text, masked_language_model_folder, tmp_path):
    path = corpus_yaml(tmp_path, masked_language_model_folder, str(text), student={"layers": 1}, train={"steps": 2})
    good("run", path)
    student = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run/students/general", num_labels=2)
    body = AutoModel.from_pretrained(tmp_path / "run/students/general")
    weights = body.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in student.bert.state_dict().items())


def test_answers_may_be_kept(text, teacher_folder, tmp_path):
    """A classifier serves as well as a plain model, and what is kept gives the losses of the live teacher."""
    losses = []
    for teacher in ("cached", "live"):
        sections = {"corpus": {"mask": 0.15}, "train": {"teacher": teacher}, "teach": {"codec": "f32"}}
        path = corpus_yaml(tmp_path / teacher, teacher_folder, str(text), **sections)
        good("run", path)
        lines = (tmp_path / teacher / "run/students/general/losses.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    groups = {group.name: group.manifest() for group in Cache(tmp_path / "cached/run/cache").groups()}
    # Of rows of this length the inputs of blocks take less than their scores.
    hidden, attention = "teacher.hidden.0-2-4.f32", "teacher.attention_input.2-4.f32"
    assert {name for name in groups if name.startswith("teacher")} == {hidden, attention}
    assert "good: teacher.hidden" in good("verify", tmp_path / "cached/run.yaml")


def test_the_bytes_of_masked_token_ids_are_foretold(text, teacher_folder, tmp_path):
    path = corpus_yaml(tmp_path, teacher_folder, str(text), corpus={"mask": 0.15})
    good("augment", path)
    of_rows = Planner(Run(load_configuration(path))).volume.token_bytes
    good("teach", path)
    (tokens_group,) = [each for each in Cache(tmp_path / "run/cache").groups() if each.name.startswith("tokens")]
    assert of_rows == pytest.approx(tokens_group.manifest().bytes, rel=0.1)
    known = Planner(Run(load_configuration(path))).volume.token_bytes
    assert known == pytest.approx(tokens_group.manifest().bytes, rel=0.02)


def test_teacher_and_student_read_the_same_masked_ids(text, teacher_folder, tmp_path):
    path = corpus_yaml(tmp_path, teacher_folder, str(text), corpus={"mask": 0.15})
    for verb in ("augment", "teach"):
        good(verb, path)
    cache = Cache(tmp_path / "run/cache")
    (group,) = [each for each in cache.groups() if each.name.startswith("tokens")]
    found = TrainingRows.of(cache, group.name, 0, Task(kind=Kind.NONE, texts=("text",)))
    tokenizer = Tokenizer.load(Checkpoint(teacher_folder), 24)
    examples = [
        e for side in cache.group("rows").manifest().shards for e in rows.examples(cache.group("rows").read_shard(side))
    ]
    encoded = tokenizer.encode_rows(examples)
    assert found.input_ids.tolist() == [id for ids in encoded.input_ids for id in ids]
    assert tokenizer.backend.mask_token_id in found.input_ids
    table = pa.concat_tables([group.read_shard(side) for side in group.manifest().shards])
    assert table.schema.equals(tokens.schema(Kind.NONE, masked=True))
    assert table.column("masked_positions").to_pylist() == encoded.masked_positions
    assert group.manifest().settings["masking"] == 1
    assert accounting(path)["masked"] == sum(map(len, encoded.masked_positions))
    assert "(mask)" in good("inspect", path, "--originals", 20)


@pytest.mark.parametrize("how", ["again", "two workers", "shuffled", "dataset"])
def test_the_same_text_gives_the_same_bytes(text, teacher_folder, tmp_path, how):
    first = corpus_yaml(tmp_path / "first", teacher_folder, str(text), corpus={"mask": 0.1})
    good("augment", first)
    other, options = str(text), []
    if how == "two workers":
        options = ["--", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    elif how != "again":
        every = some_documents(40)
        random.Random(5).shuffle(every)
        other = str(write_text(tmp_path / "other.txt", every))
        if how == "dataset":
            texts = ["\n".join(lines) for lines in every]
            datasets.Dataset.from_dict({"text": texts}).save_to_disk(tmp_path / "saved")
            other = str(tmp_path / "saved")
    second = corpus_yaml(tmp_path / "second", teacher_folder, other, corpus={"mask": 0.1})
    if options:
        subprocess.run([DISTILL, "augment", second, *options], check=True, capture_output=True)
    else:
        good("augment", second)
    if how == "again":
        good("augment", second)
    assert cache_hashes(tmp_path / "first/run/cache") == cache_hashes(tmp_path / "second/run/cache")


def test_a_limit_counts_documents(text, teacher_folder, tmp_path):
    path = corpus_yaml(tmp_path, teacher_folder, str(text))
    assert "7 read = 7 kept" in good("augment", path, "--limit", 7)
    assert (tmp_path / "run.limit-7/cache/rows/manifest.json").exists()


def test_other_text_or_settings_ask_for_new_rows(text, teacher_folder, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text(text.read_text())
    path = corpus_yaml(tmp_path, teacher_folder, str(own))
    good("augment", path)
    assert "corpus.passes" not in good("teach", path)
    refused = distill("teach", path, "corpus.passes=1")
    assert refused.exit_code == 5
    assert "passes" in refused.output
    own.write_text(text.read_text() + "\n\nOne more .\n")
    assert distill("teach", path).exit_code == 5
    assert "41 read" in good("augment", path)
    good("teach", path)
    assert "good: rows" in good("verify", path)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (["task.texts=[a]"], "task"),
        (["augment.copies=2", "augment.masked_language_model=m"], "augment.copies"),
        (["teacher=finetune x"], "teacher"),
        (["train.arms=[scratch]"], "train.arms"),
        (["teach.max_length=16"], "teach.max_length"),
        (["data.dev=dev.tsv"], "`corpus` alone"),
        (["data.train=[a.tsv]"], "data"),
        (["train.recipe=tinybert"], "tinybert_general"),
        (["train.recipe=hinton"], "tinybert_general"),
        (["corpus.pieces=2"], "corpus.pieces"),
        (["corpus.mask=2"], "corpus.mask"),
        (["corpus.segments=triples"], "corpus.segments"),
    ],
)
def test_what_raw_text_cannot_have_is_refused(text, teacher_folder, tmp_path, changes, word):
    path = corpus_yaml(tmp_path, teacher_folder, str(text))
    refused = distill("plan", path, *changes)
    assert refused.exit_code == 2, refused.output
    assert word in refused.output


def test_a_plan_says_why_the_teacher_is_live(text, teacher_folder, tmp_path):
    path = corpus_yaml(tmp_path, teacher_folder, str(text))
    printed = " ".join(good("plan", path).split())
    assert "the teacher is live: its answers would take" in printed
    planned = int(re.search(r"about ([\d,]+) rows", printed).group(1).replace(",", ""))
    good("augment", path)
    assert planned == pytest.approx(accounting(path)["rows"], rel=0.2)
    assert "teacher.hidden" in good("plan", path, "train.teacher=cached")
