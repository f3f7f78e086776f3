"""Rows without labels beside labelled ones: read, counted, taught, and learnt from by distillation alone."""

import json
from pathlib import Path

import pytest
from conftest import run_yaml, sentences
from verbs import good, report_of

from distill.arms import Arms, Splits
from distill.teachers import Teachers
from distill.training_rows import TrainingRows
from pipelines.read import scan, training_examples
from schemas import rows, tokens
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.errors import ConfigurationError, DataError, QualityError
from schemas.load_configuration import load_configuration

LABELLED = [(f"a labelled text {number}", number % 2) for number in range(30)]
FREE = [f"a free text {number}" for number in range(20)]


def made(folder: Path, transfer: object, **data: object) -> Configuration:
    lines = ["sentence\tlabel", *(f"{text}\t{label}" for text, label in LABELLED)]
    (folder / "train.tsv").write_text("\n".join(lines) + "\n")
    (folder / "dev.tsv").write_text("sentence\tlabel\na dev text\t1\n")
    splits = {"train": str(folder / "train.tsv"), "dev": str(folder / "dev.tsv")}
    return Configuration.model_validate(
        {
            "name": "reviews",
            "task": {"texts": ["sentence"], "label": "label", "labels": ["no", "yes"]},
            "data": {**splits, "transfer": transfer, **data},
            "teacher": "teacher",
        }
    )


def written(folder: Path, name: str, texts: list[str] = FREE) -> str:
    path = folder / name
    if name.endswith(".txt"):
        path.write_text("\n".join(texts) + "\n\n")
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps({"sentence": text}) + "\n" for text in texts))
    else:
        path.write_text("label\tsentence\n" + "".join(f"nonsense\t{text}\n" for text in texts))
    return str(path)


@pytest.mark.parametrize("name", ["free.txt", "free.jsonl", "free.tsv"])
def test_rows_without_labels_are_read_beside_the_others(tmp_path, name):
    found = made(tmp_path, written(tmp_path, name))
    counts = scan(found, None, None)
    assert (counts.read, counts.kept, counts.unlabelled) == (50, 50, 20)
    every = list(training_examples(found, counts, None))
    assert [row.texts[0] for row in every if row.label is None] == FREE
    assert all(row.id in {each.id for each in every} for row in every)


def test_the_format_makes_no_difference(tmp_path):
    digests = {scan(made(tmp_path, written(tmp_path, name)), None, None).ids for name in ("a.txt", "a.jsonl", "a.tsv")}
    assert len(digests) == 1


def test_a_text_that_is_labelled_too_is_another_row_and_one_that_is_not_is_merged(tmp_path):
    texts = [LABELLED[0][0], FREE[0], FREE[0]]
    counts = scan(made(tmp_path, written(tmp_path, "free.txt", texts)), None, None)
    assert (counts.read, counts.kept, counts.merged, counts.unlabelled) == (33, 32, 1, 2)


def test_a_limit_is_for_each_kind(tmp_path):
    counts = scan(made(tmp_path, written(tmp_path, "free.txt")), 5, None)
    assert (counts.read, counts.unlabelled) == (10, 5)


def test_leaks_are_found(tmp_path):
    path = written(tmp_path, "free.txt", [*FREE, "a dev text"])
    with pytest.raises(QualityError, match=r"free\.txt:21"):
        scan(made(tmp_path, path), None, None)
    counts = scan(made(tmp_path, path, on_leak="drop"), None, None)
    assert (counts.leaked, counts.rejected, counts.unlabelled) == (1, 1, 20)


def test_no_text_is_on_both_sides_where_dev_is_held_out(tmp_path):
    path = written(tmp_path, "free.txt", [text for text, _ in LABELLED])
    found = made(tmp_path, path, dev=None)
    counts = scan(found, None, None)
    every = list(training_examples(found, counts, None))
    labelled = {row.texts for row in every if row.label is not None}
    assert labelled == {row.texts for row in every if row.label is None}
    assert counts.held_out == 2 * (len(LABELLED) - len(labelled))


def test_plain_text_has_no_pairs(tmp_path):
    found = made(tmp_path, written(tmp_path, "free.txt"))
    found = found.model_copy(update={"task": found.task.model_copy(update={"texts": ("sentence", "label")})})
    with pytest.raises(ConfigurationError, match="pairs"):
        scan(found, None, None)


@pytest.mark.parametrize(("name", "text"), [("free.jsonl", '{"other": "a"}\n'), ("free.txt", "\n\n"), ("free.tsv", "")])
def test_files_without_the_texts_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="free"):
        scan(made(tmp_path, str(tmp_path / name)), None, None)


def test_distillation_learns_from_them_and_scratch_does_not(
    teacher_folder, masked_language_model_folder, vectors_file, tmp_path
):
    models = (teacher_folder, masked_language_model_folder, vectors_file)
    path = run_yaml(tmp_path, *models, rows=24, train={"steps": 4}, augment={"copies": 2})
    known = {text for text, _ in sentences(24 + 60)}
    free = [text for text, _ in sentences(60, seed=9) if text not in known][:12]
    (tmp_path / "free.txt").write_text("\n".join(free) + "\n")
    printed = good("run", path, f"data.transfer={tmp_path / 'free.txt'}")
    report = report_of(path)
    assert report["accounting"]["unlabelled"] == 12
    assert "(12 without a label)" in printed
    cache = Cache(tmp_path / "run/cache")
    group = cache.group(rows.NAME)
    found = [row for side in group.manifest().shards for row in rows.examples(group.read_shard(side))]
    assert any(row.label is None and not row.is_original for row in found)
    # What arms choose from: scratch the labelled originals, distilled all of them.
    configuration = load_configuration(path)
    teachers = Teachers.of(configuration, Checkpoint(teacher_folder))
    arms = Arms(configuration, teachers, Splits((), ()), lambda name: print)
    read = TrainingRows.of(
        cache, tokens.name(arms.tokenizer.fingerprint, arms.tokenizer.max_length), 0, arms.configuration.task
    )
    recipes = {name: arms.recipe_of(name) for name in ("scratch", "distilled")}
    chosen = {name: arms.choose(name, recipe, read, arms.teachers_for(recipe)) for name, recipe in recipes.items()}
    assert len(chosen["scratch"]) == sum(row.is_original and row.label is not None for row in found)
    assert len(chosen["distilled"]) == len(chosen["scratch"]) + 12
