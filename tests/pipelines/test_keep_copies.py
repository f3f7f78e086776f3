"""Filters of copies: a run that leaves some out says how many, and is another run."""

from pathlib import Path

import pytest
from conftest import cache_hashes, run_yaml
from verbs import distill, good, report_of


def printed_by(*arguments: object) -> str:
    """Run a verb that must succeed; return what it printed, as one line."""
    return " ".join(good(*arguments).split())


@pytest.fixture(scope="module")
def run(masked_language_model_folder, vectors_file, tmp_path_factory) -> Path:
    """A run whose teacher knows good from bad, and so says another thing of some copies."""
    path = run_yaml(
        tmp_path_factory.mktemp("keep"),
        f"finetune {masked_language_model_folder}",
        masked_language_model_folder,
        vectors_file,
        rows=40,
        fine_tuning={"epochs": 60, "learning_rate": 3e-3},
        train={"arms": ["distilled", "distilled+augmented"], "recipe": "hinton", "steps": 6},
    )
    good("run", path)
    return path


def test_the_default_keeps_every_copy(run):
    assert all("copies" not in arm for arm in report_of(run)["arms"])
    printed = printed_by("report", run)
    assert "train.keep_copies" not in printed
    for line in ("Copies: ", "Words: ", "Variety: ", "The teacher says another thing of "):
        assert line in printed


def test_copies_that_are_left_out_are_counted_and_nothing_is_asked(run):
    cache, quality = run.parent / "run/cache", report_of(run)["quality"]
    before = cache_hashes(cache)
    students = run.parent / "run/students"
    times = {
        name: (students / name / "result.json").stat().st_mtime_ns for name in ("distilled", "distilled+augmented")
    }
    printed = printed_by("train", run, "train.keep_copies.agreement=true")
    *others, augmented = report_of(run)["arms"]
    counts = augmented["copies"]
    assert counts["disagreeing"] == round(quality["teacher"]["flips"] * quality["copies"]) > 0
    assert counts["copies"] == counts["kept"] + counts["disagreeing"] == quality["copies"]
    assert f"learnt from {counts['kept']} of {counts['copies']} copies: {counts['disagreeing']} have" in printed
    assert all("copies" not in arm for arm in others)
    assert cache_hashes(cache) == before
    # The arm is trained anew, the one without copies is not.
    now = {name: (students / name / "result.json").stat().st_mtime_ns for name in times}
    assert now["distilled"] == times["distilled"]
    assert now["distilled+augmented"] > times["distilled+augmented"]
    assert "have another verdict" in printed_by("report", run, "train.keep_copies.agreement=true")


def test_rows_of_labels_alone_are_chosen_by_the_cached_answers_too(run):
    good("train", run, "train.recipe=finetune", "train.keep_copies.confidence=1.0")
    counts = report_of(run)["arms"][-1]["copies"]
    assert (counts["kept"], counts["unsure"]) == (0, counts["copies"])


def test_a_report_writes_the_page_that_is_missing(run):
    page = run.parent / "run/report.html"
    page.unlink()
    assert str(page) in printed_by("report", run)
    assert '<h2 id="copies">' in page.read_text()


def test_numbers_cannot_agree(run):
    done = distill("plan", run, "task.kind=regression", "task.labels=[]", "train.keep_copies.agreement=true")
    assert done.exit_code == 2
    assert "keep_copies" in done.output
