"""Runs from files to report for every kind of task that is not of one class or number a row."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TAGGING, TAGS, TOPICS, run_yaml, sentences, tagged, topics, write_conll
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
from verbs import distill, good, report_of

from pipelines.initialise import initialise
from schemas import rows as rows_group
from schemas.cache import Cache
from schemas.configuration import PLACEHOLDER

SPLITS = {"train": slice(60, 120), "dev": slice(0, 30), "test": slice(30, 60)}


def examples_of(path: Path) -> list:
    group = Cache(path.parent / "run/cache").group(rows_group.NAME)
    return [each for side in group.manifest().shards for each in rows_group.examples(group.read_shard(side))]


def check_report(path: Path, metric: str) -> None:
    """What every report holds, whatever the kind."""
    report = report_of(path)
    assert [arm["name"] for arm in report["arms"]] == ["teacher", "scratch", "distilled", "distilled+augmented"]
    for arm in report["arms"]:
        assert arm["metric"] == metric
        low, high = arm["interval"]
        assert arm["value"] is None or 0 <= low <= arm["value"] <= high <= 1
    counts = report["accounting"]
    assert counts["read"] == counts["kept"] + counts["merged"] + counts["rejected"] == 60
    assert counts["copies"] > 0
    said = report["quality"]["teacher"]
    assert said["compared"] >= counts["copies"] == report["quality"]["copies"]
    assert 0 <= said["flips"] <= 1
    assert 0 < said["divergence"] < 1
    assert len(report["comparisons"]) == 3
    page = (path.parent / "run/report.html").read_text()
    assert f"{metric}, with 95 % bootstrap intervals" in page


@pytest.fixture(scope="module")
def topics_run(multi_label_teacher_folder, masked_language_model_folder, vectors_file, tmp_path_factory):
    """A run over reviews with any number of labels, in three formats."""
    folder = tmp_path_factory.mktemp("topics")
    path = run_yaml(
        folder,
        multi_label_teacher_folder,
        masked_language_model_folder,
        vectors_file,
        task={"kind": "multi_label", "texts": ["text"], "label": "topics", "labels": TOPICS},
        data={"train": str(folder / "train.jsonl"), "dev": str(folder / "dev.csv"), "test": str(folder / "test.tsv")},
    )
    texts = [(text, topics(text)) for text, _ in sentences(120)]
    train = [{"text": text, "topics": names} for text, names in texts[SPLITS["train"]]]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in train))
    for split, separator in (("dev", ","), ("test", "\t")):
        lines = [separator.join([text, "|".join(names) or "|"]) for text, names in texts[SPLITS[split]]]
        name = f"{split}.{'csv' if separator == ',' else 'tsv'}"
        (folder / name).write_text("\n".join([f"text{separator}topics", *lines]) + "\n")
    return path, good("run", path)


@pytest.fixture(scope="module")
def tags_run(token_teacher_folder, masked_language_model_folder, vectors_file, tmp_path_factory):
    """A run over sentences in columns, some of them without tags."""
    folder = tmp_path_factory.mktemp("tags")
    path = run_yaml(
        folder,
        token_teacher_folder,
        masked_language_model_folder,
        vectors_file,
        task=TAGGING,
        data={split: str(folder / f"{split}.conll") for split in ("dev", "test")}
        | {"train": str(folder / "train.jsonl")},
    )
    every = tagged(120)
    for split in ("dev", "test"):
        write_conll(folder / f"{split}.conll", every[SPLITS[split]])
    train = [{"tokens": words, "tags": tags if i % 4 else None} for i, (words, tags) in enumerate(every[60:])]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in train))
    return path, good("run", path)


def test_sets_of_labels_from_file_to_report(topics_run):
    path, _ = topics_run
    check_report(path, "micro_f1")
    expected = {text: tuple(TOPICS.index(name) for name in topics(text)) for text, _ in sentences(120)}
    originals = [each for each in examples_of(path) if each.is_original]
    assert {each.texts[0]: each.label for each in originals} == {
        each.texts[0]: expected[each.texts[0]] for each in originals
    }
    assert {len(each.label) for each in originals} >= {1, 2}
    predictions = np.load(path.parent / "run/students/distilled/predictions.npy")
    assert predictions.shape == (30, 3)
    assert set(np.unique(predictions)) <= {0, 1}


def test_a_student_of_sets_of_labels_loads_with_transformers(topics_run):
    folder = topics_run[0].parent / "run/students/distilled"
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert model.config.problem_type == "multi_label_classification"
    assert tuple(model.config.id2label.values()) == TOPICS
    # The library's own loss for such a model takes the labels as we store them.
    batch = AutoTokenizer.from_pretrained(folder)("a good film", return_tensors="pt")
    with torch.no_grad():
        assert model(**batch, labels=torch.tensor([[1.0, 0.0, 1.0]])).loss > 0


def test_pages_and_lists_name_sets_of_labels(topics_run):
    path, _ = topics_run
    page = (path.parent / "run/report.html").read_text()
    assert "label praise, craft" in page or "label blame, craft" in page
    assert any(f'<option value="{name}">{name}</option>' in page for name in TOPICS)
    assert "label praise" in good("inspect", path, "--originals", 20)
    assert "done" in good("plan", path)
    assert all(line.startswith("good: ") for line in good("verify", path).splitlines())


def test_words_and_tags_from_file_to_report(tags_run):
    path, printed = tags_run
    check_report(path, "entity_f1")
    assert "without a label" in printed
    cache = path.parent / "run/cache"
    assert (cache / "teacher.token_logits.f32").is_dir()
    assert not (cache / "teacher.logits.f32").exists()
    examples = examples_of(path)
    assert sum(not each.is_labelled for each in examples if each.is_original) == 15
    for example in examples:
        assert example.label is None
        for span in example.spans:
            word = example.texts[0][span.start : span.end]
            assert word == word.strip() != ""
    predictions = np.load(path.parent / "run/students/distilled/predictions.npy")
    assert predictions.shape == (sum(len(words) for words, _ in tagged(120)[SPLITS["test"]]),)


def test_a_student_of_words_loads_with_transformers(tags_run):
    folder = tags_run[0].parent / "run/students/distilled"
    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    batch = AutoTokenizer.from_pretrained(folder)("a good film", return_tensors="pt")
    with torch.no_grad():
        assert model(**batch).logits.shape == (1, 5, len(TAGS))
    assert tuple(model.config.id2label.values()) == TAGS


def test_pages_and_lists_name_entities(tags_run):
    path, _ = tags_run
    page = (path.parent / "run/report.html").read_text()
    assert ": verdict" in page
    assert any(f'<option value="{name}">{name}</option>' in page for name in ("verdict", "thing"))
    inspected = good("inspect", path, "--originals", 20)
    assert ": verdict" in inspected
    assert "no label" in inspected
    assert "done" in good("plan", path)
    assert all(line.startswith("good: ") for line in good("verify", path).splitlines())


def test_a_second_run_of_words_asks_nothing(tags_run):
    path, _ = tags_run
    assert "taught: 0 rows asked, 0 copied" in good("run", path)


@pytest.mark.parametrize("recipe", ["finetune", "hinton"])
@pytest.mark.parametrize("kind", ["topics", "tags"])
def test_other_recipes_learn_from_a_live_teacher_too(kind, recipe, topics_run, tags_run):
    path, _ = topics_run if kind == "topics" else tags_run
    arguments = ["train.arms=[distilled]", f"train.recipe={recipe}", "train.steps=4"]
    values = []
    for teacher in ("cached", "live"):
        output = path.parent / f"{recipe}-{teacher}"
        more = [f"output={output}", f"cache={path.parent / 'run/cache'}", f"train.teacher={teacher}"]
        good("train", path, *arguments, *more)
        values.append(json.loads((output / "report.json").read_text())["arms"][1]["value"])
    assert values[0] == values[1]


@pytest.mark.parametrize("kind", ["topics", "tags"])
def test_a_teacher_is_made_for_the_kind(kind, topics_run, tags_run, masked_language_model_folder):
    path, _ = topics_run if kind == "topics" else tags_run
    output = path.parent / "made"
    arguments = ["augment.copies=0", "train.arms=[distilled]", "train.steps=4", "fine_tuning.learning_rate=0.003"]
    good("run", path, f"output={output}", f"teacher=finetune {masked_language_model_folder}", *arguments)
    teacher = json.loads((output / "report.json").read_text())["arms"][0]
    assert teacher["value"] > 0
    architecture = json.loads((output / "teacher/config.json").read_text())["architectures"]
    suffix = "ForSequenceClassification" if kind == "topics" else "ForTokenClassification"
    assert architecture == [f"Bert{suffix}"]


def test_teachers_of_another_kind_are_refused(topics_run, tags_run, token_teacher_folder, teacher_folder):
    for (path, _), teacher, message in (
        (tags_run, teacher_folder, "token classification"),
        (topics_run, token_teacher_folder, "head"),
    ):
        done = distill("plan", path, f"teacher={teacher}", f"output={path.parent / 'other'}")
        assert done.exit_code == 4
        assert message in done.output


@pytest.mark.parametrize("kind", ["topics", "tags", "conll"])
def test_a_first_configuration_runs(kind, topics_run, tags_run, tmp_path, masked_language_model_folder):
    path, _ = topics_run if kind == "topics" else tags_run
    data = path.parent / "train.jsonl" if kind != "conll" else write_conll(tmp_path / "train.conll", tagged(60))
    text, assumptions = initialise(data)
    said = " ".join(assumptions)
    assert ("any number a row" if kind == "topics" else "tags of the words") in said
    text = text.replace(PLACEHOLDER, str(masked_language_model_folder))
    text = text.replace("\nteacher: ", "\nteacher: finetune ").replace("  layers: 4", "  layers: 2")
    (tmp_path / "run.yaml").write_text(text)
    settings = ["augment.copies=1", "train.steps=3", "train.arms=[distilled]", "fine_tuning.epochs=0.2", "shards=1"]
    settings += ["workers.count=1"]
    good("run", tmp_path / "run.yaml", f"output={tmp_path / 'run'}", "teach.max_length=32", *settings)
    arms = json.loads((tmp_path / "run/report.json").read_text())["arms"]
    assert {arm["metric"] for arm in arms} == {"micro_f1" if kind == "topics" else "entity_f1"}
