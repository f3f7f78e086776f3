"""Runs from files to report, through the command line."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from conftest import cache_hashes, configuration, run_yaml, save, sentences, write_tsv
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForMaskedLM,
    BertForSequenceClassification,
)
from verbs import DISTILL, distill, good, report_of

from distill.loss_log import LossLog


@pytest.fixture(scope="module")
def models(teacher_folder, masked_language_model_folder, vectors_file):
    return teacher_folder, masked_language_model_folder, vectors_file


@pytest.fixture(scope="module")
def finished(models, tmp_path_factory):
    """A run that was carried out whole; read it, do not change it."""
    path = run_yaml(tmp_path_factory.mktemp("finished"), *models)
    return path, good("run", path)


def test_the_report_compares_four_arms_at_equal_steps(finished):
    path, printed = finished
    report = report_of(path)
    assert [arm["name"] for arm in report["arms"]] == ["teacher", "scratch", "distilled", "distilled+augmented"]
    for arm in report["arms"]:
        low, high = arm["interval"]
        assert arm["metric"] == "accuracy"
        assert 0 <= low <= arm["value"] <= high <= 1
        assert arm["bytes"] == 4 * arm["parameters"]
        assert arm["seconds_per_row"] > 0
    assert [arm["steps"] for arm in report["arms"]] == [0, 24, 24, 24]
    teacher, *students = report["arms"]
    assert all(student["parameters"] < teacher["parameters"] for student in students)
    counts = report["accounting"]
    assert counts["read"] == counts["kept"] + counts["merged"] + counts["rejected"] == 60
    assert counts["rows"] == counts["kept"] + counts["copies"]
    for name in ("teacher", "scratch", "distilled", "distilled+augmented", "60 read"):
        assert name in printed


@pytest.mark.parametrize("arm", ["scratch", "distilled", "distilled+augmented"])
def test_a_student_loads_with_transformers(finished, arm):
    folder = finished[0].parent / "run/students" / arm
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        assert model(**tokenizer("a good film", return_tensors="pt")).logits.shape == (1, 2)
    assert model.config.id2label == {0: "negative", 1: "positive"}


def test_a_second_run_does_nothing_again(finished):
    path, _ = finished
    before = cache_hashes(path.parent / "run/cache")
    students = {p: p.stat().st_mtime_ns for p in (path.parent / "run/students").rglob("*") if p.is_file()}
    printed = good("run", path)
    assert "taught: 0 rows asked, 0 copied" in printed
    assert cache_hashes(path.parent / "run/cache") == before
    assert students == {p: p.stat().st_mtime_ns for p in (path.parent / "run/students").rglob("*") if p.is_file()}


def test_one_stage_at_a_time_is_the_same_as_all(finished, models, tmp_path):
    path = run_yaml(tmp_path, *models)
    for verb in ("plan", "augment", "teach", "train"):
        good(verb, path)
    assert cache_hashes(tmp_path / "run/cache") == cache_hashes(finished[0].parent / "run/cache")
    values = [[arm["value"] for arm in report_of(each)["arms"]] for each in (path, finished[0])]
    assert values[0] == values[1]


def test_other_verbs_read_a_run(finished):
    path, _ = finished
    assert "distilled+augmented" in good("report", path)
    inspected = good("inspect", path, "--originals", 3)
    assert "teacher.hidden" in inspected
    assert "  + " in inspected
    verified = good("verify", path).splitlines()
    assert len(verified) == 6
    assert all(line.startswith("good: ") for line in verified)


@pytest.mark.parametrize("group", ["rows", "teacher.logits.f32", "teacher.hidden.0-2-4.f16"])
def test_one_flipped_byte_is_named_and_only_its_shard_made_anew(models, tmp_path, group):
    path = run_yaml(tmp_path, *models)
    good("augment", path)
    good("teach", path)
    before = cache_hashes(tmp_path / "run/cache")
    folder = tmp_path / "run/cache" / group
    shard = next(folder.glob("00002-*.arrow"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    for verb in ("verify", "augment", "teach", "train") if group == "rows" else ("verify", "teach", "train"):
        done = distill(verb, path)
        assert done.exit_code == 5, (verb, done.output)
        assert shard.name in done.output
        assert f"delete {folder / '00002.json'} and {folder / 'manifest.json'}" in done.output
    (folder / "00002.json").unlink()
    (folder / "manifest.json").unlink()
    good("augment", path)
    printed = good("teach", path)
    assert cache_hashes(tmp_path / "run/cache") == before
    asked = int(re.search(r"taught: (\d+) rows asked", printed)[1])  # type: ignore[index]
    rows = json.loads((tmp_path / "run/cache/rows/manifest.json").read_text())["shards"]
    assert asked == (0 if group == "rows" else rows[2]["rows"])


@pytest.mark.parametrize("stranger", ["00009.json", "00009-0123456789abcdef0123456789abcdef.arrow", "notes.txt"])
def test_what_no_manifest_knows_is_found(models, tmp_path, stranger):
    path = run_yaml(tmp_path, *models)
    good("augment", path)
    (tmp_path / "run/cache/rows" / stranger).write_text("{}")
    done = distill("verify", path)
    assert done.exit_code == 5
    assert f"{stranger}: in no manifest" in done.output


def test_a_side_file_that_is_gone_is_found(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    good("augment", path)
    (tmp_path / "run/cache/rows/00001.json").unlink()
    done = distill("verify", path)
    assert done.exit_code == 5
    assert "00001.json: missing" in done.output


def test_rows_that_other_models_made_are_refused(models, tmp_path):
    _, masked_language_model, _ = models
    other = shutil.copytree(masked_language_model, tmp_path / "other")
    path = run_yaml(tmp_path, models[0], other, models[2], train={"arms": ["distilled"]})
    good("augment", path)
    good("teach", path)
    for override in ("augment.vectors=none", "augment.vectors_rows=5", f"augment.masked_language_model={models[0]}"):
        for verb in ("teach", "train"):
            done = distill(verb, path, override)
            assert done.exit_code == 5, done.output
            assert "distill augment" in done.output
    torch.manual_seed(7)
    save(BertForMaskedLM(configuration(num_hidden_layers=2)), other)
    assert distill("teach", path).exit_code == 5
    shutil.rmtree(other)
    assert "taken on trust" in good("train", path)


def test_the_plan_says_what_is_done(models, tmp_path):
    path = run_yaml(tmp_path, *models)

    def states() -> list[str]:
        lines = [line for line in good("plan", path).splitlines() if line.startswith("│")]
        cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
        return [cell[-1] for cell in cells if cell[0]]

    assert states() == ["to do", "to do", "0 of 3 trained before"]
    good("augment", path)
    assert states()[:2] == ["done", "to do"]
    good("teach", path)
    assert states()[:2] == ["done", "done"]
    good("augment", path, "augment.copies=3")
    assert "done" not in states()[1]


def test_evaluation_rows_without_labels_are_found_before_anything_is_paid(models, tmp_path):
    path = run_yaml(tmp_path, *models, data={"dev": None, "test": None})
    texts = [text for text, _ in sentences(40)]
    (tmp_path / "train.tsv").write_text("".join(f"{line}\n" for line in ["sentence", *texts]), encoding="utf-8")
    for verb in ("plan", "run"):
        done = distill(verb, path, "task.label=null")
        assert done.exit_code == 3, done.output
        assert "labelled rows for dev" in done.output
    assert not (tmp_path / "run/cache/rows").exists()


def test_runner_options_that_nobody_knows(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    done = subprocess.run([DISTILL, "augment", path, "--", "--runner=Nope"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Nope" in done.stderr
    done = subprocess.run([DISTILL, "augment", path, "--", "--direct_workers=2"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "Beam does not know --direct_workers" in done.stderr


def test_a_reader_that_goes_away_has_an_exit_code(finished):
    path, _ = finished
    for verb in ("report", "plan", "inspect"):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {DISTILL} {verb} {path} | true"], capture_output=True, text=True
        )
        assert done.returncode == 141, done.stderr


def test_only_new_rows_and_their_copies_are_asked_for(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    good("augment", path)
    good("teach", path)
    before = json.loads((tmp_path / "run/cache/rows/manifest.json").read_text())
    with (tmp_path / "train.tsv").open("a", encoding="utf-8") as file:
        file.writelines(f"{text} again\t{label}\n" for text, label in sentences(10, seed=9))
    good("augment", path)
    printed = good("teach", path)
    after = json.loads((tmp_path / "run/cache/rows/manifest.json").read_text())
    rows = [sum(shard["rows"] for shard in manifest["shards"]) for manifest in (before, after)]
    assert f"taught: {rows[1] - rows[0]} rows asked, " in printed
    assert rows[1] - rows[0] > 10
    stages = json.loads((tmp_path / "run/run.json").read_text())["stages"]
    assert stages["augment"]["asked"] == 10


def test_limit_leaves_the_whole_run_alone(finished):
    path, _ = finished
    before = cache_hashes(path.parent / "run/cache")
    for verb in ("plan", "augment", "teach", "train", "run", "report", "verify"):
        good(verb, path, "--limit", 20)
    assert cache_hashes(path.parent / "run/cache") == before
    report = json.loads((path.parent / "run.limit-20/report.json").read_text())
    assert report["accounting"]["read"] == 20


def test_overrides_are_taken_by_every_stage(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    printed = good("run", path, "augment.copies=0", "train.recipe=hinton", "train.arms=[distilled]")
    assert "distilled+augmented" not in printed
    assert [arm["name"] for arm in report_of(path)["arms"]] == ["teacher", "distilled"]
    groups = {p.name for p in (tmp_path / "run/cache").iterdir() if p.name.startswith("teacher")}
    assert groups == {"teacher.logits.f32"}
    assert "quality" not in report_of(path), "there are no copies"
    assert 'id="copies"' not in (tmp_path / "run/report.html").read_text()


def test_a_teacher_is_made_from_a_base_model(models, tmp_path):
    _, base, vectors = models
    path = run_yaml(tmp_path, f"finetune {base}", base, vectors, fine_tuning={"epochs": 2, "batch": 8})
    good("run", path)
    teacher = tmp_path / "run/teacher"
    assert AutoModelForSequenceClassification.from_pretrained(teacher).config.id2label[1] == "positive"
    made = (teacher / "model.safetensors").stat().st_mtime_ns
    good("run", path)
    assert (teacher / "model.safetensors").stat().st_mtime_ns == made


def test_pairs_and_regression_in_json_lines(models, tmp_path):
    _, base, vectors = models
    draw = random.Random(1)
    texts = [text for text, _ in sentences(80)]
    for split, count in (("train", 50), ("dev", 15), ("test", 15)):
        rows = [{"a": draw.choice(texts), "b": draw.choice(texts), "score": draw.random() * 5} for _ in range(count)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = run_yaml(
        tmp_path,
        f"finetune {base}",
        base,
        vectors,
        task={"kind": "regression", "texts": ["a", "b"], "label": "score", "labels": []},
        data={split: str(tmp_path / f"{split}.jsonl") for split in ("train", "dev", "test")} | {"on_leak": "drop"},
    )
    good("run", path)
    report = report_of(path)
    assert {arm["metric"] for arm in report["arms"]} == {"pearson_spearman"}
    assert (
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "run/students/distilled").config.num_labels == 1
    )
    assert report["accounting"]["copies"] > 0
    assert report["quality"]["teacher"]["difference"] > 0
    assert report["quality"]["change_rate"] > 0
    assert "teacher's shift" in (tmp_path / "run/report.html").read_text().replace("&#39;", "'")


def test_parquet_and_csv_give_the_cache_that_tsv_gives(finished, models, tmp_path):
    rows = [line.split("\t") for line in (finished[0].parent / "train.tsv").read_text().splitlines()[1:]]
    table = pa.table({"sentence": [row[0] for row in rows], "label": [int(row[1]) for row in rows]})
    for suffix in ("parquet", "csv"):
        folder = tmp_path / suffix
        path = run_yaml(folder, *models, data={"train": str(folder / f"train.{suffix}")})
        if suffix == "parquet":
            parquet.write_table(table, folder / "train.parquet")
        else:
            lines = [f'"{text}",{label}' for text, label in rows]
            (folder / "train.csv").write_text("\n".join(["sentence,label", *lines]) + "\n")
        good("augment", path)
        expected = {k: v for k, v in cache_hashes(finished[0].parent / "run/cache").items() if k.startswith("rows/")}
        found = {k: v for k, v in cache_hashes(folder / "run/cache").items() if k.startswith("rows/")}
        assert found == expected


def test_live_and_cached_teachers_train_the_same_student(models, tmp_path):
    path = run_yaml(tmp_path, *models, teach={"codec": "f32"}, train={"arms": ["distilled"]})
    losses = []
    for teacher in ("cached", "live"):
        good("run", path, f"train.teacher={teacher}")
        log = LossLog(tmp_path / "run/students/distilled/losses.jsonl")
        losses.append([entry["loss"] for entry in log.entries() if "loss" in entry])
    assert losses[0][:20] == pytest.approx(losses[1][:20], rel=1e-5)


def test_training_needs_no_beam(finished):
    path, _ = finished
    code = (
        "import sys\n"
        "sys.modules['apache_beam'] = sys.modules['gensim'] = None\n"
        "from pipelines.command import main\n"
        "sys.argv[0] = 'distill'\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "train", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([sys.executable, "-c", code, "teach", path], capture_output=True, text=True)
    assert done.returncode == 2
    assert "offline-distill[pipelines]" in done.stderr


def other_teacher(tmp_path: Path, **changes: object) -> Path:
    return save(BertForSequenceClassification(configuration(**changes)), tmp_path / "other")


@pytest.mark.parametrize(
    ("key", "value", "code", "said"),
    [
        ("data.train", "nowhere.tsv", 3, "nowhere.tsv"),
        ("data.trian", "x", 2, "did you mean `data.train`?"),
        ("task.texts", "[sentnce]", 3, "did you mean `sentence`?"),
        ("task.labels", "[positive, negative]", 4, "labels: [negative, positive]"),
        ("task.labels", "[a, b, c]", 4, "outputs"),
        ("teacher", "no/such/teacher/here", 4, "no/such/teacher/here"),
        ("augment.vectors", "missing.txt", 4, "missing.txt"),
        ("augment.strategy", "eda", 2, "tinybert"),
        ("train.recipe", "tinybrt", 2, "finetune, hinton, tinybert"),
        ("train.dials", "{temprature: 2}", 2, "temprature"),
        ("student.layers", "9", 2, "at most 4 blocks"),
        ("teach.max_length", "100", 4, "64"),
        ("shards", "3", 2, "power of two"),
    ],
)
def test_what_cannot_be_done_is_refused_with_one_message(models, tmp_path, key, value, code, said):
    path = run_yaml(tmp_path, *models)
    done = distill("run", path, f"{key}={value}")
    assert done.exit_code == code, done.output
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "run/report.json").exists()


def test_a_random_head_is_refused(models, tmp_path):
    model = BertForSequenceClassification(configuration())
    save(model.bert, tmp_path / "headless")
    path = run_yaml(tmp_path, tmp_path / "headless", *models[1:])
    done = distill("run", path)
    assert done.exit_code == 4
    assert "finetune" in done.output


def test_a_bad_row_stops_the_run_or_is_set_aside(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    with (tmp_path / "train.tsv").open("a", encoding="utf-8") as file:
        file.write("fine\tmaybe\n")
    done = distill("augment", path)
    assert done.exit_code == 3
    assert "train.tsv:62:label: 'maybe'" in done.output
    printed = good("augment", path, "data.on_bad_row=reject")
    assert "61 read = 60 kept + 0 merged + 1 rejected" in printed
    reject = json.loads((tmp_path / "run/rejects.jsonl").read_text())
    assert (reject["line"], reject["field"]) == (62, "label")


def test_leaks_stop_the_run(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    with (tmp_path / "train.tsv").open("a", encoding="utf-8") as file:
        file.write((tmp_path / "dev.tsv").read_text().splitlines()[1] + "\n")
    done = distill("augment", path)
    assert done.exit_code == 6
    assert "train.tsv:62" in done.output
    assert "1 rejected" in good("augment", path, "data.on_leak=drop")


def test_stages_out_of_order_say_what_to_do_first(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    done = distill("teach", path)
    assert (done.exit_code, "distill augment" in done.output) == (2, True)
    good("augment", path)
    done = distill("train", path)
    assert (done.exit_code, "distill teach" in done.output) == (2, True)
    assert "token ids of the rows" in done.output
    done = distill("report", path)
    assert (done.exit_code, "distill train" in done.output) == (2, True)


def test_another_name_needs_another_cache(models, tmp_path):
    path = run_yaml(tmp_path, *models)
    good("augment", path)
    done = distill("augment", path, "name=other")
    assert done.exit_code == 2
    assert "name another `cache`" in done.output


def test_a_second_run_in_the_same_folder_is_refused(models, tmp_path):
    from schemas.store import locked

    path = run_yaml(tmp_path, *models)
    with locked(tmp_path / "run"):
        code = "import sys\nfrom pipelines.command import main\nsys.argv[0] = 'distill'\nmain()\n"
        done = subprocess.run([sys.executable, "-c", code, "augment", path], capture_output=True, text=True)
    assert done.returncode == 7
    assert f"process {os.getpid()}" in done.stderr


def test_unlabelled_rows_are_labelled_by_the_teacher(models, tmp_path):
    path = run_yaml(tmp_path, *models, train={"recipe": "hinton"})
    rows = [(text, "" if i % 3 else label) for i, (text, label) in enumerate(sentences(120)[60:])]
    write_tsv(tmp_path / "train.tsv", rows)
    good("run", path)
    assert report_of(path)["accounting"]["unlabelled"] == 40


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from pipelines.command import app\n"
        "assert CliRunner().invoke(app, ['run', '--help']).exit_code == 0\n"
        "heavy = ('torch', 'transformers', 'apache_beam', 'pyarrow', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
