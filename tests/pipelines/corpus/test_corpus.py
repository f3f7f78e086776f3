"""Runs over raw text, through the command line."""

import json
from pathlib import Path

import pytest
from corpora import corpus_yaml, some_documents, write_text
from transformers import AutoModel
from typer.testing import CliRunner

from pipelines.command import app


def distill(*arguments: object):
    return CliRunner().invoke(app, list(map(str, arguments)))


def good(*arguments: object) -> str:
    done = distill(*arguments)
    assert done.exit_code == 0, done.output
    return done.output


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
