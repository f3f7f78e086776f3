"""The page, as a browser shows it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import run_yaml, write_tsv
from playwright.sync_api import Browser, Page, sync_playwright
from typer.testing import CliRunner

from pipelines.command import app

HOSTILE = [
    ('<script>document.title = "taken"</script> a good film', 1),
    ('a " onmouseover="alert(1) bad film', 0),
    ("</li></ul><h1>dull</h1> & the &amp; plot", 0),
    ("a fine film \u202etxt.exe", 1),
    ("a very-long-word-" + "x" * 300, 1),
]


@pytest.fixture(scope="module")
def report(teacher_folder, masked_language_model_folder, vectors_file, tmp_path_factory) -> Path:
    """The page of a run over texts that mean harm."""
    folder = tmp_path_factory.mktemp("page")
    path = run_yaml(folder, teacher_folder, masked_language_model_folder, vectors_file, rows=20)
    train = (folder / "train.tsv").read_text().splitlines()[1:]
    rows = [(text, int(label)) for text, label in (line.rsplit("\t", 1) for line in train)]
    write_tsv(folder / "train.tsv", [*rows, *HOSTILE])
    done = CliRunner().invoke(app, ["run", str(path), "train.arms=[scratch,distilled,distilled+augmented]"])
    assert done.exit_code == 0, done.output
    assert str(folder / "run/report.html") in done.output
    return folder / "run/report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser without a window."""
    executable = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    if executable is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The page, opened; anything the browser complains of fails the test."""
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else complaints.append(request.url))
    page.goto(report.as_uri())
    yield page
    page.close()
    assert complaints == []


def test_every_section_is_there(page, report):
    headings = page.locator("h2").all_inner_texts()
    assert headings == [
        "Arms", "Cost against quality", "Training", "Rows and their copies", "Accounting", "Provenance",
    ]  # fmt: skip
    arms = json.loads(report.with_suffix(".json").read_text())["arms"]
    assert page.locator("table").first.locator("tbody th").all_inner_texts() == [arm["name"] for arm in arms]
    assert page.locator("svg circle").count() >= len(arms)


def test_text_from_data_is_only_text(page):
    assert page.title() == "reviews: distillation report"
    assert page.locator("h1").count() == 1
    assert page.locator("script").count() == 1
    shown = page.locator("#families").inner_text()
    assert "<script>document.title" in shown
    assert "\u202e" not in shown


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_filter_is_worked_by_keyboard(page):
    copies = page.locator(".copy:visible")
    every = copies.count()
    flips = page.locator(".copy[data-flip=yes]").count()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("select[name=flip]").focus()
    page.keyboard.press("ArrowDown")
    assert copies.count() == flips
    assert page.locator("output").inner_text() == f"{flips} of {every} copies"
    page.keyboard.press("ArrowDown")
    assert copies.count() == every - flips
    page.locator("select[name=flip]").select_option("")
    page.locator("select[name=source]").select_option("word vectors")
    assert copies.count() == page.locator(".copy[data-source*='word vectors']").count() < every


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out_from_paper(browser, report, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.goto(report.as_uri())
    read = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    paper = brightness(page.evaluate(read, "--paper"))
    for name in ("--ink", "--quiet", "--flip", "--arm0", "--arm1", "--arm2", "--arm3"):
        ink = brightness(page.evaluate(read, name))
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5, f"{name} on {scheme} paper"
    page.close()


def brightness(colour: str) -> float:
    """Relative luminance of a colour in hexadecimal (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
