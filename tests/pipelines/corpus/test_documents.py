"""Every document is read or rejected, in every format, and errors say where."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from corpora import configuration

from pipelines.corpus.documents import Document, documents
from pipelines.corpus.scan import scan_corpus
from pipelines.record import Reject
from schemas.configuration import Configuration
from schemas.errors import ConfigurationError, DataError, DistillError, ResourceError

TEXTS = ["One. Two.\nThree.", "Four.", "Five\nsix"]
SENTENCES = [("One.", "Two.", "Three."), ("Four.",), ("Five", "six")]


def rejecting(found: Configuration, **data: object) -> Configuration:
    return found.model_copy(update={"data": found.data.model_copy(update={"on_bad_row": "reject", **data})})


def read(found: Configuration, limit: int | None = None) -> list[tuple[str, ...]]:
    return [each.sentences for each in documents(found, limit) if isinstance(each, Document)]


def rejects(found: Configuration) -> list[Reject]:
    return [each for each in documents(found) if isinstance(each, Reject)]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".txt"):
        path.write_text("\n\n" + "\n \n\n".join(TEXTS) + "\n\n\n", encoding="utf-8")
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps({"id": 3, "text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    elif name.endswith(".csv"):
        path.write_text("text\n" + "".join(f'"{text}"\n' for text in TEXTS), encoding="utf-8")
    elif name.endswith(".parquet"):
        parquet.write_table(pa.table({"text": TEXTS, "id": [1, 2, 3]}), path)
    elif name == "saved":
        datasets.Dataset.from_dict({"text": TEXTS, "id": [1, 2, 3]}).save_to_disk(path)
    else:
        found = datasets.Dataset.from_dict({"text": TEXTS})
        datasets.DatasetDict({"train": found, "test": found}).save_to_disk(path)
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.parquet", "saved", "splits"])
def test_every_format_has_the_same_documents(tmp_path, name):
    found = configuration(written(tmp_path, name))
    assert read(found) == SENTENCES
    assert read(found, 2) == SENTENCES[:2]
    other = configuration(written(tmp_path, "b.txt"))
    assert [each.id for each in documents(found)] == [each.id for each in documents(other)]


def test_lines_may_be_sentences(tmp_path):
    assert read(configuration(written(tmp_path, "a.txt"), sentences="lines"))[0] == ("One. Two.", "Three.")


def test_a_file_that_two_patterns_name_is_read_once(tmp_path):
    path = written(tmp_path, "a.txt")
    assert read(configuration(path, tmp_path / "*.txt")) == SENTENCES


def test_a_name_that_says_nothing_needs_a_format(tmp_path):
    path = written(tmp_path, "a.txt").rename(tmp_path / "wiki")
    found = configuration(path)
    with pytest.raises(ConfigurationError, match=r"\.txt") as caught:
        read(found)
    assert "data.format" in caught.value.remedy
    assert read(rejecting(found, format="text")) == SENTENCES


def test_a_bad_line_spoils_its_document_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"good one\n\ngood line\nbad \xe9 line\nnever read\n\ngood two\n")
    found = configuration(path)
    with pytest.raises(DataError, match=r"a\.txt:4: byte 0xE9"):
        read(found)
    found = rejecting(found)
    assert read(found) == [("good one",), ("good two",)]
    (reject,) = rejects(found)
    assert (reject.where.line, reject.raw) == (4, b"bad \xe9 line\n")
    scan = scan_corpus(found, None, tmp_path / "rejects.jsonl")
    assert (scan.read, scan.kept, scan.merged, scan.rejected) == (3, 2, 0, 1)
    assert json.loads((tmp_path / "rejects.jsonl").read_text())["line"] == 4


def test_an_empty_document_is_rejected_and_a_missing_text_too(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "good"}\n{"text": " "}\n{"text": null}\n{"text": "good"}\n{"text": "fine"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2:text"):
        read(configuration(path))
    found = rejecting(configuration(path))
    assert [reject.where.line for reject in rejects(found)] == [2, 3]
    scan = scan_corpus(found, None, None)
    assert (scan.read, scan.kept, scan.merged, scan.rejected, scan.sentences) == (5, 2, 1, 2, 2)
    assert scan.counts.tolist() in ([1, 2], [2, 1])


def test_a_document_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.plain_text.LONGEST", 100)
    path = tmp_path / "a.txt"
    path.write_text("a line\n" * 30 + "\nanother\n")
    with pytest.raises(DataError, match=r"a\.txt:1: more without a blank line"):
        read(configuration(path))
    assert read(rejecting(configuration(path))) == [("another",)]


@pytest.mark.parametrize("name", ["a.jsonl", "saved"])
def test_a_missing_column_suggests_the_nearest(tmp_path, name):
    with pytest.raises(DataError, match="did you mean `text`") as caught:
        read(configuration(written(tmp_path, name), column="txt"))
    assert "`txt`" in caught.value.expected


@pytest.mark.parametrize("name", ["missing.txt", "owner/data", "owner/data:part@1"])
def test_what_is_nowhere_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DistillError) as caught:
        read(configuration(Path(name)))
    assert name in caught.value.found
    assert isinstance(caught.value, ResourceError if "/" in name else DataError)


def test_pairs_need_two_documents(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a line\nanother\n")
    with pytest.raises(DataError, match="two documents"):
        scan_corpus(configuration(path), None, None)
    assert scan_corpus(configuration(path, segments="single"), None, None).kept == 1


def test_a_corpus_without_documents_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n \n")
    with pytest.raises(DataError, match=r"a\.txt: none"):
        read(configuration(path))
