"""The run of docs/corpora.md does what the page says; and real text, where it lies beside the checkout."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import SHARED, sentences
from verbs import DISTILL

from pipelines.corpus.documents import Document, documents
from pipelines.corpus.rows import RowMaker
from pipelines.corpus.scan import scan_corpus
from pipelines.corpus.store import build_store
from pipelines.corpus.units import Cutter
from schemas.configuration import Configuration

PAGE = (Path(__file__).parents[1] / "docs/corpora.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WIKIPEDIA = SHARED / "data/text/wiki_en_2021.txt.gz"
LANGUAGE_MODEL = SHARED / "models/minilm-mlm"


def test_the_page_does_what_it_says(masked_language_model_folder, tmp_path):
    (configuration,) = [block for kind, block in BLOCKS if kind == "yaml"]
    (commands,) = [block for kind, block in BLOCKS if kind == ""]
    path = configuration.replace("path/or/hub-id", str(masked_language_model_folder))
    # With several, each stage starts processes, which takes most of the time.
    (tmp_path / "wiki.yaml").write_text(path + "workers: {count: 1}\n")
    lines = [text for text, _ in sentences(200)]
    (tmp_path / "wiki.txt").write_text("\n\n".join("\n".join(lines[i : i + 20]) for i in range(0, 200, 20)) + "\n")
    for command in commands.splitlines():
        _, *arguments = shlex.split(command, comments=True)
        done = subprocess.run([DISTILL, *arguments], cwd=tmp_path, env=os.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/wiki/students/general/model.safetensors").is_file()


@pytest.mark.shared
@pytest.mark.skipif(not (WIKIPEDIA.exists() and LANGUAGE_MODEL.exists()), reason="needs data beside the checkout")
@pytest.mark.parametrize("segments", ["pairs", "single"])
def test_rows_of_wikipedia_fit_and_are_its_text(tmp_path, segments):
    found = Configuration.model_validate(
        {
            "name": "wiki",
            "data": {"corpus": [str(WIKIPEDIA)]},
            "corpus": {"passes": 1, "segments": segments},
            "teacher": str(LANGUAGE_MODEL),
        }
    )
    scan = scan_corpus(found, 300, None)
    cutter = Cutter.load(LANGUAGE_MODEL)
    every = (each for each in documents(found, 300) if isinstance(each, Document))
    store = build_store(tmp_path, every, scan.documents, scan.counts, cutter, "input")
    rows = list(RowMaker("wiki", store, cutter, found.corpus, 0).rows(range(store.note.documents)))
    lengths = [len(each.ids) for each in cutter.encode([row.texts for row, _ in rows])]
    assert max(lengths) == 128
    assert sum(length == 128 for length in lengths) > len(rows) / 4
    for row, located in rows:
        assert row.texts[0] in store.text(located[0])
        if segments == "pairs":
            assert row.texts[1] in store.text(located[3])
    if segments == "single":
        # Nothing is lost but what rows that are too long are cut by.
        assert sum(lengths) - 2 * len(rows) > 0.8 * store.note.pieces
