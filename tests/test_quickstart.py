"""The demo: what it is made of, and, among the slow tests, the whole of it with the README's screenshot."""

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "examples/quickstart"
SCREENSHOT = os.environ.get("SCREENSHOT")


def texts(part: str) -> list[tuple[str, str]]:
    with (DEMO / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def test_few_rows_to_learn_from_and_many_to_be_judged_on():
    counts = {part: len(texts(part)) for part in ("train", "dev", "test")}
    assert counts == {"train": 300, "dev": 200, "test": 663}
    for part in counts:
        labels = Counter(label for _, label in texts(part))
        assert len(labels) == 8
        assert max(labels.values()) - min(labels.values()) <= 8


def test_no_row_resembles_one_of_another_part():
    rows = [(part, text) for part in ("train", "dev", "test") for text, _ in texts(part)]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4)).fit_transform([text for _, text in rows])
    likeness = (vectors @ vectors.T).tocoo()
    alike = [
        (rows[i], rows[j])
        for i, j, value in zip(likeness.row, likeness.col, likeness.data, strict=True)
        if rows[i][0] < rows[j][0] and value >= 0.5
    ]
    assert alike == []


def test_the_models_are_small():
    assert (DEMO / "model/model.safetensors").stat().st_size <= 8_000_000
    assert (DEMO / "vectors.txt.gz").stat().st_size <= 3_000_000
    with gzip.open(DEMO / "vectors.txt.gz", "rt", encoding="utf-8") as lines:
        widths = {len(line.split(" ")) for line in lines}
    assert widths == {51}


@pytest.mark.slow
def test_the_whole_demo_shows_what_distillation_and_augmentation_add(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    command = [Path(sys.executable).parent / "distill", "run", "examples/quickstart/run.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("runs/quickstart/report.json\nruns/quickstart/report.html\n")
    report = json.loads((tmp_path / "runs/quickstart/report.json").read_text())
    better = {(each["name"], each["against"]): each["interval"] for each in report["comparisons"]}
    assert better["distilled", "scratch"][0] > 0
    assert better["distilled+augmented", "scratch"][0] > 0
    take_screenshot(tmp_path / "runs/quickstart/report.html", Path(SCREENSHOT or tmp_path / "report.png"))


def take_screenshot(page: Path, target: Path) -> None:
    """Picture the head of a page, as the README shows it: `SCREENSHOT=docs/report.png make test-all`."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1000, "height": 1180})
        shown.goto(page.as_uri())
        shown.screenshot(path=target)
        browser.close()
    assert target.stat().st_size > 10_000
