"""Small corpora: documents of short sentences, and runs over them."""

import json
import random
from pathlib import Path

from conftest import FILLER, GOOD, OTHER, cache_hashes, sentences

from pipelines.corpus.documents import Document, documents
from pipelines.corpus.rows import RowMaker
from pipelines.corpus.scan import scan_corpus
from pipelines.corpus.store import Store, build_store
from pipelines.corpus.units import Cutter
from schemas.configuration import Configuration


def some_documents(count: int, seed: int = 0) -> list[list[str]]:
    """Distinct documents of one to twelve sentences."""
    draw = random.Random(seed)
    every = iter(sentences(count * 12, seed))
    found = []
    for number in range(count):
        lines = [next(every)[0].capitalize() for _ in range(draw.randrange(1, 13))]
        lines[0] = f"{draw.choice(GOOD)} {draw.choice(OTHER)} {draw.choice(FILLER)} {number} ."
        found.append(lines)
    return found


def write_text(path: Path, found: list[list[str]]) -> Path:
    """Write documents as plain text."""
    path.write_text("\n\n".join("\n".join(lines) for lines in found) + "\n", encoding="utf-8")
    return path


def configuration(*paths: Path, teacher: Path = Path("teacher"), **corpus: object) -> Configuration:
    """A run over a corpus of short rows."""
    return Configuration.model_validate(
        {
            "name": "wiki",
            "data": {"corpus": [str(path) for path in paths]},
            "corpus": {"pieces": 24, "passes": 2, **corpus},
            "teacher": str(teacher),
        }
    )


def make_store(folder: Path, found: Configuration, cutter: Cutter, limit: int | None = None) -> Store:
    """Scan a corpus and build its store."""
    scan = scan_corpus(found, limit, None)
    every = (each for each in documents(found, limit) if isinstance(each, Document))
    return build_store(folder, every, scan.documents, scan.counts, cutter, "input")


def make_rows(folder: Path, found: Configuration, cutter: Cutter, limit: int | None = None) -> list:
    """Return all rows of a corpus with the numbers they are found again by, in any order."""
    store = make_store(folder, found, cutter, limit)
    maker = RowMaker(found.name, store, cutter, found.corpus, found.seed)
    return list(maker.rows(range(store.note.documents)))


def corpus_yaml(folder: Path, teacher: Path, data: object, **sections: object) -> Path:
    """Write the configuration of a run over a corpus; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "name": "wiki",
        "output": str(folder / "run"),
        "shards": 4,
        "data": {"corpus": data},
        "corpus": {"pieces": 24, "passes": 2},
        "teacher": str(teacher),
        "student": {"layers": 2},
        "teach": {"max_length": 24, "batch_tokens": 512},
        "train": {"steps": 6, "batch": 8},
        "workers": {"count": 1},
    }
    for name, section in sections.items():
        old = values.get(name, {})
        values[name] = {**old, **section} if isinstance(section, dict) and isinstance(old, dict) else section
    path = folder / "run.yaml"
    path.write_text(json.dumps(values, indent=1), encoding="utf-8")
    return path


def row_hashes(cache: Path) -> dict[str, str]:
    """Return the digests of the rows' shards."""
    return {name: found for name, found in cache_hashes(cache).items() if name.startswith("rows/") and "0" in name}
