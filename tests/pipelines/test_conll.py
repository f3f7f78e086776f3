import gzip
import os
from pathlib import Path

import pytest
from conftest import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.examples import examples
from pipelines.readers import conll
from pipelines.record import Record, Reject
from schemas.configuration import Data
from schemas.errors import DataError
from schemas.task import Kind, Task

TAGS = ("O", "B-x", "I-x")
TASK = Task(kind=Kind.TOKEN_CLASSIFICATION, texts=("tokens",), label="tags", labels=TAGS)


def write(folder: Path, content: str, name: str = "a.conll") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


def read(path: Path) -> tuple[list[Record], list[Reject]]:
    found = list(conll.records(path, header=True))
    return [r for r in found if isinstance(r, Record)], [r for r in found if isinstance(r, Reject)]


def sentences(path: Path) -> list[tuple[list[str], list[str] | None]]:
    good, bad = read(path)
    assert not bad
    return [(record.fields["tokens"], record.fields["tags"]) for record in good]


@pytest.mark.parametrize("name", ["a.conll", "a.conll.gz"])
@pytest.mark.parametrize("between", ["\t", " ", "   "])
@pytest.mark.parametrize("blank", ["", "\t", " ", "\n\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_blank_line_ends_a_sentence(tmp_path, name, between, blank, end):
    lines = [f"a{between}O", f"b{between}B-x", blank, f"c{between}O"]
    path = write(tmp_path, "\n".join(lines) + end, name)
    assert sentences(path) == [(["a", "b"], ["O", "B-x"]), (["c"], ["O"])]


def test_the_first_column_is_the_word_and_the_last_the_tag(tmp_path):
    path = write(tmp_path, "-DOCSTART- -X- O O\n\nEU NNP I-NP B-x\nrejects VBZ I-VP O\n\n")
    (record,), bad = read(path)
    assert not bad
    assert record.fields["tokens"] == record.fields[0] == ["EU", "rejects"]
    assert record.fields["tags"] == record.fields[3] == ["B-x", "O"]
    assert record.fields[1] == ["NNP", "VBZ"]
    assert str(record.where) == f"{path}:3"


def test_a_number_sign_begins_a_comment_unless_it_is_a_word(tmp_path):
    tabs = write(tmp_path, "# about this\n#photography\tO\n# newdoc\n#\tB-x\nb\tO\n")
    assert sentences(tabs) == [(["#photography", "#", "b"], ["O", "B-x", "O"])]
    spaces = write(tmp_path, "# id = 1\na O\n#b O\n# text = a b\n")
    assert sentences(spaces) == [(["a", "#b"], ["O", "O"])]


def test_only_words_are_sentences_without_tags(tmp_path):
    assert sentences(write(tmp_path, "a\nb\n\nc\n")) == [(["a", "b"], None), (["c"], None)]
    assert sentences(write(tmp_path, "-DOCSTART-\n\n")) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("b", "1 at line 5: 'b'"),
        ("b\tO\tO", "3 at line 5: 'b\\tO\\tO'"),
        ("\tO", "2 at line 5"),
        ("\udcff\tO", "UTF-8"),
    ],
)
def test_a_bad_line_is_one_bad_sentence(tmp_path, line, reason):
    path = tmp_path / "a.conll"
    path.write_bytes(f"a\tO\n\nz\tO\na\tO\n{line}\nc\tO\n\nd\tO\n".encode(errors="surrogateescape"))
    good, bad = read(path)
    assert [record.fields["tokens"] for record in good] == [["a"], ["d"]]
    assert [str(reject.where) for reject in bad] == [f"{path}:3"]
    assert reason in bad[0].reason
    assert path.read_bytes()[bad[0].where.offset :].startswith(bad[0].raw)
    assert bad[0].raw.count(b"\n") == 4


def test_a_sentence_without_end_is_bad_and_its_head_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(conll, "LONGEST", 100)
    path = write(tmp_path, "a\tO\n" * 1000 + "\nb\tO\n")
    good, bad = read(path)
    assert [record.fields["tokens"] for record in good] == [["b"]]
    assert "a sentence of at most 100 bytes" in bad[0].reason
    assert len(bad[0].raw) <= 100


# As a file of sentences has them: no white space in a word, and no blank word.
word = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=6)
sentence = st.lists(st.tuples(word, st.sampled_from(TAGS)), min_size=1, max_size=5)


@settings(max_examples=60)
@given(found=st.lists(sentence, min_size=1, max_size=5), ending=st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(tmp_path_factory, found, ending):
    path = tmp_path_factory.mktemp("conll") / "a.conll"
    blocks = [ending.join(f"{word}\t{tag}" for word, tag in each) for each in found]
    path.write_bytes((ending * 2).join(blocks).encode())
    expected = [([word for word, _ in each], [tag for _, tag in each]) for each in found]
    assert sentences(path) == expected
    rows = list(examples("n", TASK, Data(train=(str(path),)), [path]))
    for row, (words, tags) in zip(rows, expected, strict=True):
        assert not isinstance(row, Reject)
        assert row.texts == (" ".join(words),)
        assert [row.texts[0][span.start : span.end] for span in row.spans] == words
        assert [TAGS[span.label or 0] for span in row.spans] == tags


@pytest.mark.parametrize(
    ("row", "expected", "found"),
    [
        ('{"tokens": ["a", "b"], "tags": ["O"]}', "a list of 2 tags, one a word", "1: ['O']"),
        ('{"tokens": ["a", "b"], "tags": ["O", "B-y"]}', "one of O, B-x, I-x", "'B-y' for the word 2, 'b'"),
        ('{"tokens": ["a", ""], "tags": ["O", "O"]}', "none of them empty", "'', the word 2"),
        ('{"tokens": ["a", "\\ud800"], "tags": ["O", "O"]}', "none of them empty", "the word 2"),
        ('{"tokens": "a b", "tags": ["O", "O"]}', "a list of words", "'a b'"),
        ('{"tokens": [], "tags": []}', "a list of words", "[]"),
        ('{"tokens": ["\\u00a0"], "tags": ["O"]}', "a text that is not empty", "\\xa0"),
        ('{"tokens": ["a"], "tags": "O"}', "a list of 1 tags", "'O'"),
    ],
)
def test_bad_sentences_of_json_lines_are_named(tmp_path, row, expected, found):
    path = write(tmp_path, f'{{"tokens": ["a"], "tags": ["O"]}}\n{row}\n', "a.jsonl")
    with pytest.raises(DataError) as caught:
        list(examples("n", TASK, Data(train=(str(path),)), [path]))
    assert expected in caught.value.expected
    assert caught.value.found.startswith(f"{path}:2:")
    assert found in caught.value.found


def test_sentences_of_all_formats_are_the_same_rows(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    words, tags = [["a", "b"], ["c"]], [["B-x", "O"], None]
    columns = write(tmp_path, "a B-x\nb O\n")
    only_words = write(tmp_path, "c\n", "b.conll")
    lines = write(tmp_path, '{"tokens":["a","b"],"tags":["B-x",0]}\n{"tokens":["c"],"tags":null}\n', "a.jsonl")
    pq.write_table(pa.table({"tokens": words, "tags": tags}), tmp_path / "a.parquet")
    every = [
        [row.id for row in examples("n", TASK, Data(train=("-",)), paths) if not isinstance(row, Reject)]
        for paths in ([columns, only_words], [lines], [tmp_path / "a.parquet"])
    ]
    assert every[0] == every[1] == every[2]
    assert len(every[0]) == 2


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "count"),
    [("wnut17train.conll", 3394), ("emerging.dev.conll", 1009), ("emerging.test.annotated", 1287)],
)
def test_real_sentences_are_all_there(name, count):
    path = SHARED / "data" / "wnut17" / name
    good, bad = read(path)
    assert (len(good), bad) == (count, [])
    words = sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").split("\n"))
    assert sum(len(record.fields["tokens"]) for record in good) == words
    # Nothing but blank lines stands between the sentences.
    left = os.path.getsize(path) - sum(len(record.raw) for record in good)
    assert left == sum(len(line) for line in path.read_bytes().splitlines(keepends=True) if not line.strip())
