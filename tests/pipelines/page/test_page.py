"""The page, as a browser shows it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from conftest import run_yaml, write_rows, write_tsv
from playwright.sync_api import Browser, Page, sync_playwright
from verbs import distill, good

from pipelines.page.sample import Sample
from pipelines.page.template import write_filled
from schemas.cache import Cache
from schemas.example import Change, Example
from schemas.task import Task

LABELS = ('</script><b>"no"  sir', "positive \u202e")
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
    path = run_yaml(folder, teacher_folder, masked_language_model_folder, vectors_file, rows=40)
    train = (folder / "train.tsv").read_text().splitlines()[1:]
    rows = [(text, int(label)) for text, label in (line.rsplit("\t", 1) for line in train)]
    write_tsv(folder / "train.tsv", [*rows, *HOSTILE])
    configuration = json.loads(path.read_text())
    configuration["task"]["labels"] = LABELS
    # A teacher that knows good from bad changes its mind where a copy changes such a word.
    configuration |= {"teacher": f"finetune {teacher_folder}", "fine_tuning": {"epochs": 60, "learning_rate": 3e-3}}
    path.write_text(json.dumps(configuration))
    printed = good("run", path, "train.arms=[scratch,distilled,distilled+augmented]")
    assert str(folder / "run/report.html") in printed
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
    """The page of the report, opened."""
    with opened(browser, report) as page:
        yield page


@pytest.fixture(scope="module")
def rows(report: Path) -> Path:
    """The page of the same run's rows."""
    path = report.parents[1] / "rows.html"
    printed = good("inspect", report.parents[1] / "run.yaml", "--originals=100", f"--html={path}")
    assert printed.strip() == str(path)
    return path


@contextmanager
def opened(browser: Browser, path: Path) -> Iterator[Page]:
    """Open a page; anything the browser complains of fails the test."""
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else complaints.append(request.url))
    page.goto(path.as_uri())
    yield page
    page.close()
    assert complaints == []


def test_every_section_is_there(page, report):
    headings = page.locator("h2").all_inner_texts()
    assert headings == [
        "Arms", "Cost against quality", "Training", "Copies", "Rows and their copies", "Accounting", "Provenance",
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


@pytest.mark.parametrize("width", [320, 390, 1000])
def test_it_fits_any_screen(page, width):
    page.set_viewport_size({"width": width, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for table in page.locator("table.stacks").all():
        for cell in table.locator("td:not(:empty)").all():
            box = cell.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width, cell.inner_text()


def test_on_a_phone_every_number_says_what_it_is(page):
    page.set_viewport_size({"width": 320, "height": 740})
    cells = page.locator("table.stacks").first.locator("tbody tr").first.locator("td")
    names = page.locator("table.stacks").first.locator("thead th").all_text_contents()[1:]
    read = "cell => getComputedStyle(cell, '::before').content"
    assert [cell.evaluate(read).strip('"') for cell in cells.all()] == [f"{name}: " for name in names]


def test_every_number_of_the_copies_says_what_it_means(page, report):
    table = page.locator("section[aria-labelledby=copies] table").first
    quality = json.loads(report.with_suffix(".json").read_text())["quality"]
    found = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()
    }
    assert found["copies"][0] == f"{quality['copies']:,}"
    assert found["label flips"][0] == f"{quality['teacher']['flips']:.1%}"
    assert {"yield", "unique", "change rate", "by masked LM", "by word vectors", "without candidates"} <= found.keys()
    assert all(len(cells) == 2 and len(cells[1].split()) > 3 for cells in found.values())
    page.locator("section[aria-labelledby=copies] summary").click()
    changes = page.locator("section[aria-labelledby=copies] table").nth(1).locator("tbody tr")
    assert changes.count() == len(quality["substitutions"]) > 0


@pytest.mark.parametrize("width", [320, 1000])
def test_the_rows_of_a_cache_are_a_page_of_their_own(browser, rows, width):
    assert "src=" not in rows.read_text()
    with opened(browser, rows) as page:
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.title() == "reviews: rows of a cache"
        assert page.locator("h1").count() == page.locator("script").count() == 1
        shown = page.locator("#families").inner_text()
        assert "<script>document.title" in shown
        assert "\u202e" not in shown
        every = page.locator(".copy").evaluate_all("all => all.map(one => ({...one.dataset}))")
        assert page.locator("#families > li").count() == 45
        page.locator("select[name=source]").select_option("word vectors")
        left = sum("word vectors" in copy["source"].split("\n") for copy in every)
        assert 0 < page.locator(".copy:visible").count() == left < len(every)
        assert page.locator("mark.vectors").count() > 0


def test_a_page_of_rows_is_written_only_where_one_may_lie(report, tmp_path):
    path = report.parents[1] / "run.yaml"
    for page, said in ((path, ".html"), (tmp_path / "nowhere/rows.html", "folder")):
        done = distill("inspect", path, "--html", page)
        assert done.exit_code == 2, done.output
        assert said in done.output


STRANGE = Example.original("test", ("a fine film",))
CHANGES = {
    "shears": ("a film", Change(0, 2, 2, "fine ", "shears"), "… (cut: fine)"),
    "adverbs": ("a very fine film", Change(0, 2, 7, "", "adverbs"), "very  (added)"),
    "mask": ("a fine film", Change(0, 2, 6, "fine", "mask"), "fine (mask)"),
    "<b>own</b>": ("a dull film", Change(0, 2, 6, "fine", "<b>own</b>"), "dull (was fine)"),
}


def test_changes_of_any_source_can_be_read(browser, tmp_path):
    copies = [
        STRANGE.copy((text,), strategy="own", draw=number, changes=(change,))
        for number, (text, change, _) in enumerate(CHANGES.values())
    ]
    write_rows(Cache(tmp_path / "cache"), [STRANGE, *copies], shards=1)
    task = Task(texts=("text",), labels=("bad", "good"))
    sample = Sample.of(Cache(tmp_path / "cache"), task, None, 5)
    path = tmp_path / "rows.html"
    write_filled(path, "inspect.html", name="own", cache="", groups=[], sample=sample)
    with opened(browser, path) as page:
        assert values(page, "source") == ["", "mask", "<b>own</b>", "adverbs", "shears"]
        assert page.locator("section p mark").all_inner_texts() == ["mask", "<b>own</b>", "adverbs", "shears"]
        for source, (_, _, expected) in CHANGES.items():
            page.locator("select[name=source]").select_option(source)
            assert expected.replace("  ", " ") in page.locator(".copy:visible").inner_text().replace("  ", " ")


FILTERS = ("verdict", "source", "flip")


def values(page: Page, name: str) -> list[str]:
    """What can be chosen in a filter."""
    return page.locator(f"select[name={name}] option").evaluate_all("all => all.map(one => one.value)")


def fits(copy: dict[str, str], wanted: dict[str, str]) -> bool:
    """What the filter is to do, said once more."""
    return (
        wanted["verdict"] in ("", *copy["classes"].split("\n"))
        and (not wanted["source"] or wanted["source"] in copy["source"].split("\n"))
        and wanted["flip"] in ("", copy["flip"])
    )


def test_filters_combine(page):
    every = page.locator(".copy").evaluate_all("all => all.map(one => ({...one.dataset}))")
    assert {copy["flip"] for copy in every} == {"yes", "no"}, "no copy changes the teacher's mind"
    assert set(values(page, "verdict")) == {"", LABELS[0], LABELS[1]}
    for wanted in product(*(values(page, name) for name in FILTERS)):
        for name, value in zip(FILTERS, wanted, strict=True):
            page.locator(f"select[name={name}]").select_option(value)
        left = sum(fits(copy, dict(zip(FILTERS, wanted, strict=True))) for copy in every)
        assert page.locator(".copy:visible").count() == left
        assert page.locator("output").inner_text() == f"{left} of {len(every)} copies"


def test_everything_is_reached_by_keyboard(page):
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
    assert page.evaluate("document.activeElement") is not None
    assert reached[0] == "A", "first the way past the head"
    assert set(reached) >= {"A", "DIV", "SUMMARY", *FILTERS}
    assert [name for name in reached if name in FILTERS][:3] == list(FILTERS)


def test_a_filter_is_worked_by_keyboard(page):
    flips = page.locator(".copy[data-flip=yes]").count()
    while page.evaluate("document.activeElement.name") != "flip":
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.locator(".copy:visible").count() == flips > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ink_stands_out_from_paper(browser, report, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.goto(report.as_uri())
    read = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    paper = page.evaluate(read, "--paper")
    for name in ("--ink", "--quiet", "--flip", "--arm0", "--arm1", "--arm2", "--arm3"):
        assert contrast(page.evaluate(read, name), paper) >= 4.5, f"{name} on {scheme} paper"
    for name in ("--panel", "--changed", "--model", "--vectors", "--speech", "--gram", "--mask"):
        assert contrast(page.evaluate(read, "--ink"), page.evaluate(read, name)) >= 4.5, f"ink on {scheme} {name}"
    page.close()


def contrast(one: str, other: str) -> float:
    """Contrast of two colours (WCAG 2.2)."""
    dark, light = sorted(map(brightness, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def brightness(colour: str) -> float:
    """Relative luminance of a colour in hexadecimal (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
