import base64
import json
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.read import (
    examples,
    files,
    held_out,
    is_held_out,
    scan,
    training_examples,
)
from pipelines.record import Reject
from schemas.configuration import Configuration, Data
from schemas.errors import DataError, QualityError
from schemas.example import Example
from schemas.task import Task

CLASSES = {"texts": ["text"], "label": "label", "labels": ["bad", "good"]}


def run(folder: Path, task: dict | None = None, **data: object) -> Configuration:
    return Configuration.model_validate(
        {"name": "test", "task": task or CLASSES, "data": {"train": str(folder / "train.tsv"), **data}, "teacher": "x"}
    )


def write_tsv(path: Path, rows: list[tuple[object, ...]], header: tuple[str, ...] = ("text", "label")) -> str:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in [header, *rows]), encoding="utf-8")
    return str(path)


def write_jsonl(path: Path, rows: list[object]) -> str:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def read(configuration: Configuration, limit: int | None = None) -> list[Example | Reject]:
    data = configuration.data
    return list(examples(configuration.name, configuration.task, data, files(data.train), limit))


def rejects(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# Files


def test_patterns_and_folders_stand_for_files_in_order(tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in ("b.tsv", "a.tsv", "c.tsv"):
        (parts / name).write_text("x")
    for name in ("_SUCCESS", ".hidden"):
        (parts / name).touch()
    assert [p.name for p in files([str(parts)])] == ["a.tsv", "b.tsv", "c.tsv"]
    assert [p.name for p in files([str(parts / "[bc].tsv")])] == ["b.tsv", "c.tsv"]
    assert [p.name for p in files([str(parts / "c.tsv"), str(parts)])] == ["c.tsv", "a.tsv", "b.tsv"]
    odd = tmp_path / "[odd].tsv"
    odd.write_text("x")
    assert files([str(odd)]) == [odd]


def test_what_stands_for_nothing_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.tsv").touch()
    for pattern in ("missing.tsv", "*.csv", "empty", "zero.tsv"):
        with pytest.raises(DataError, match=str(tmp_path / pattern).replace("*", r"\*")):
            files([str(tmp_path / pattern)])


@pytest.mark.parametrize(("name", "content"), [("a.tsv", "text\tlabel\n"), ("a.csv", "text,label\n")])
def test_a_header_alone_is_no_data(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="none beside a header"):
        read(run(tmp_path, train=str(tmp_path / name)))


# Rows


def test_the_same_rows_have_the_same_ids_in_every_format(tmp_path):
    rows = [
        ("a 'text'", "good"),
        ("NA", "bad"),
        ("é 🎉 العربية", "good"),
        ("nul \0 inside", "bad"),
        (" spaces ", "good"),
    ]
    write_tsv(tmp_path / "a.tsv", rows)
    (tmp_path / "b.tsv").write_text("".join(f"{label}\t{text}\n" for text, label in rows), encoding="utf-8")
    (tmp_path / "a.csv").write_text("label,text\n" + "".join(f'{label},"{text}"\n' for text, label in rows), "utf-8")
    write_jsonl(tmp_path / "a.jsonl", [{"more": 1, "text": text, "label": label} for text, label in rows])
    columns = {"text": [text for text, _ in rows], "label": [["bad", "good"].index(label) for _, label in rows]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    expected = [Example.original("test", (text,), ["bad", "good"].index(label)) for text, label in rows]
    for name in ("a.tsv", "a.csv", "a.jsonl", "a.parquet"):
        assert read(run(tmp_path, train=str(tmp_path / name))) == expected
    positions = {**CLASSES, "texts": [1], "label": 0}
    assert read(run(tmp_path, positions, train=str(tmp_path / "b.tsv"), header=False)) == expected


def test_pairs_and_numbers(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"a": "x", "b": "y", "score": 4.5}, {"a": "x", "b": "z", "score": None}])
    found = read(run(tmp_path, {"kind": "regression", "texts": ["a", "b"], "label": "score"}, train=path))
    assert [(e.texts, e.label) for e in found] == [(("x", "y"), 4.5), (("x", "z"), None)]


@pytest.mark.parametrize(
    ("row", "field", "expected", "value"),
    [
        ({"text": 3, "label": "good"}, "text", "a text", "3, a number"),
        ({"text": None, "label": "good"}, "text", "a text", "None, nothing"),
        ({"text": ["a"], "label": "good"}, "text", "a text", "['a'], a list"),
        ({"text": {"a": 1}, "label": "good"}, "text", "a text", "{'a': 1}, an object"),
        ({"txt": "a", "label": "good"}, "text", "a text", "no such field among ['txt', 'label']"),
        ({"text": "", "label": "good"}, "text", "a text that is not empty", "''"),
        ({"text": " \t\u00a0", "label": "good"}, "text", "a text that is not empty", r"' \t\xa0'"),
        ('{"text": "a \\ud800 b", "label": "good"}', "text", "Unicode text", "at character 3"),
        ({"text": "a", "label": "great"}, "label", "one of bad, good, or its index 0 to 1", "'great'"),
        ({"text": "a", "label": 2}, "label", "one of bad, good", "2, a number"),
        ({"text": "a", "label": 1.0}, "label", "one of bad, good", "1.0, a number"),
        ({"text": "a", "label": ["good"]}, "label", "a label", "['good'], a list"),
        ({"text": "a" * 1000, "label": "g" * 1000}, "label", "one of bad, good", "'" + "g" * 80 + "'…"),
        ('{"text": "a"', None, "a JSON object", "column 13"),
    ],
)
def test_a_bad_row_fails_by_name_or_is_listed(tmp_path, row, field, expected, value):
    good = {"text": "fine", "label": "good"}
    path = write_jsonl(tmp_path / "a.jsonl", [good, row, {**good, "text": "also fine"}])
    with pytest.raises(DataError) as caught:
        read(run(tmp_path, train=path))
    assert caught.value.found.startswith(f"{path}:2:{field}: " if field else f"{path}:2: ")
    assert value in caught.value.found
    assert expected in caught.value.expected
    assert len(caught.value.found) < len(path) + 250
    found = read(run(tmp_path, train=path, on_bad_row="reject"))
    assert [type(each).__name__ for each in found] == ["Example", "Reject", "Example"]
    counts = scan(run(tmp_path, train=path, on_bad_row="reject", dev=path_of_dev(tmp_path)), None, tmp_path / "r.jsonl")
    assert (counts.read, counts.kept, counts.rejected) == (3, 2, 1)
    (entry,) = rejects(tmp_path / "r.jsonl")
    assert (entry["path"], entry["line"], entry["field"]) == (path, 2, field)
    raw = base64.b64decode(entry["raw"])
    assert Path(path).read_bytes()[entry["offset"] :].startswith(raw)
    assert raw.count(b"\n") == 1


def path_of_dev(folder: Path) -> str:
    return write_jsonl(folder / "dev.jsonl", [{"text": "for dev", "label": "good"}])


def test_nested_columns_of_parquet_are_bad(tmp_path):
    pq.write_table(pa.table({"text": pa.array([["a"]]), "label": ["good"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet:1:text: .*list"):
        read(run(tmp_path, train=str(tmp_path / "a.parquet")))


def test_a_missing_column_is_refused_before_the_rows_are_read(tmp_path):
    path = write_tsv(tmp_path / "train.tsv", [("a", "good"), ("ragged",)], ("Texts", "label"))
    with pytest.raises(DataError) as caught:
        read(run(tmp_path, on_bad_row="reject"))
    assert caught.value.found == f"{path}: Texts, label"
    assert caught.value.remedy == "did you mean `Texts`?"
    with pytest.raises(DataError, match="first line is a row"):
        read(run(tmp_path, {**CLASSES, "texts": [0]}))
    with pytest.raises(DataError, match="2 columns, known as 0 to 1"):
        read(run(tmp_path, {**CLASSES, "texts": [2], "label": 1}, header=False))
    with pytest.raises(DataError, match="2 columns, known as 0 to 1"):
        read(run(tmp_path, header=False))


def test_a_label_column_may_begin_late_in_json_lines_but_not_never(tmp_path):
    rows = [{"text": f"row {i}"} for i in range(50)]
    path = write_jsonl(tmp_path / "a.jsonl", [*rows, {"text": "labelled", "label": "good"}])
    assert [e.label for e in read(run(tmp_path, train=path))] == [None] * 50 + [1]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    with pytest.raises(DataError, match="a column `label`"):
        read(run(tmp_path, train=path))


def test_the_limit_counts_rows_over_all_files(tmp_path):
    one = write_tsv(tmp_path / "1.tsv", [(f"a{i}", "good") for i in range(3)])
    two = write_tsv(tmp_path / "2.tsv", [(f"b{i}", "good") for i in range(3)] + [("bad row", "unknown")])
    configuration = run(tmp_path, train=[one, two])
    assert [e.texts[0] for e in read(configuration, 4)] == ["a0", "a1", "a2", "b0"]
    assert len(read(configuration, 6)) == 6
    with pytest.raises(DataError):
        read(configuration, 7)


# Scan


def splits(folder: Path, **data: object) -> Configuration:
    write_tsv(
        folder / "train.tsv",
        [
            ("same", "good"),
            ("same", "good"),
            ("conflict", "good"),
            ("conflict", "bad"),
            ("nothing said", ""),
            ("leak  ed", "good"),
            ("from the test", "bad"),
            ("from the test", "bad"),
            ("odd", "odd"),
        ],
    )
    dev = write_tsv(folder / "dev.tsv", [("leak ed ", "good"), ("other", "bad")])
    test = write_tsv(folder / "test.tsv", [("from the test", "good"), ("odd", "odd")])
    return run(folder, **{"dev": dev, "test": test, "on_bad_row": "reject", "on_leak": "drop", **data})


def test_every_row_is_accounted_for(tmp_path):
    configuration = splits(tmp_path)
    found = scan(configuration, None, tmp_path / "out" / "rejects.jsonl")
    assert found.accounting() == {
        "read": 9,
        "kept": 4,
        "merged": 1,
        "rejected": 4,
        "held_out": 0,
        "conflicting": 2,
        "unlabelled": 1,
        "leaked": 3,
        "dev": 2,
        "test": 1,
        "dev_rejected": 0,
        "test_rejected": 1,
    }
    entries = rejects(tmp_path / "out" / "rejects.jsonl")
    assert [(Path(e["path"]).name, e["line"]) for e in entries] == [
        ("test.tsv", 3),
        ("train.tsv", 7),
        ("train.tsv", 8),
        ("train.tsv", 9),
        ("train.tsv", 10),
    ]
    assert "dev or test" in entries[1]["reason"]
    rows = list(training_examples(configuration, pickle.loads(pickle.dumps(found)), None))
    assert [row.texts[0] for row in rows] == ["same", "same", "conflict", "conflict", "nothing said"]
    assert {row.id for row in found.sample} == {row.id for row in rows}
    assert [row.id for row in found.sample] == sorted({row.id for row in rows})
    assert [row.texts[0] for row in held_out(configuration, "dev", None)] == ["leak ed ", "other"]
    assert [row.texts[0] for row in held_out(configuration, "test", None)] == ["from the test"]


def test_a_second_pass_replaces_the_rejects_and_a_clean_one_removes_them(tmp_path):
    path = tmp_path / "rejects.jsonl"
    configuration = splits(tmp_path)
    scan(configuration, None, path)
    before = path.read_bytes()
    scan(configuration, None, path)
    assert path.read_bytes() == before
    write_tsv(tmp_path / "train.tsv", [("clean", "good")])
    write_tsv(tmp_path / "test.tsv", [("also clean", "good")])
    scan(configuration, None, path)
    assert not path.exists()
    assert not list(tmp_path.glob("*.tmp"))


def test_leaks_fail_by_name_unless_dropped_or_allowed(tmp_path):
    configuration = splits(tmp_path, on_leak="fail")
    with pytest.raises(QualityError) as caught:
        scan(configuration, None, tmp_path / "rejects.jsonl")
    assert caught.value.code == 6
    for line in (7, 8, 9):
        assert f"train.tsv:{line}: " in caught.value.found
    assert "data.on_leak: drop" in caught.value.remedy
    assert not list(tmp_path.glob("*rejects*"))
    allowed = scan(splits(tmp_path, on_leak="allow"), None, None)
    assert (allowed.kept, allowed.merged, allowed.rejected, allowed.leaked) == (6, 2, 1, 3)
    assert len(list(training_examples(configuration, allowed, None))) == 8


def test_many_leaks_are_counted_and_three_named(tmp_path):
    rows = [(f"text {i}", "good") for i in range(20)]
    write_tsv(tmp_path / "train.tsv", rows)
    with pytest.raises(QualityError, match="and 17 more"):
        scan(run(tmp_path, dev=write_tsv(tmp_path / "dev.tsv", rows)), None, None)


def test_the_first_bad_row_of_any_split_fails(tmp_path):
    configuration = splits(tmp_path, on_bad_row="fail")
    with pytest.raises(DataError, match=r"test\.tsv:3:label: 'odd'"):
        scan(configuration, None, None)


def test_nothing_left_is_no_success(tmp_path):
    write_tsv(tmp_path / "train.tsv", [("a", "odd"), ("b", "odd")])
    dev = write_tsv(tmp_path / "dev.tsv", [("c", "good")])
    with pytest.raises(DataError, match="2 rejected"):
        scan(run(tmp_path, dev=dev, on_bad_row="reject"), None, tmp_path / "r.jsonl")
    assert len(rejects(tmp_path / "r.jsonl")) == 2


def test_without_a_dev_file_a_tenth_of_the_texts_is_held_out(tmp_path):
    rows = [(f"text {i % 800}", ("good", "bad")[i % 3 == 0]) for i in range(1000)]
    rows += [(f"unlabelled {i}", "") for i in range(100)]
    write_tsv(tmp_path / "train.tsv", rows)
    configuration = run(tmp_path)
    found = scan(configuration, None, None)
    dev = held_out(configuration, "dev", None)
    train = list(training_examples(configuration, found, None))
    assert 60 < found.held_out < 140
    assert found.held_out > found.dev == len(dev)
    assert found.read == len(train) == 1100 - found.held_out
    assert found.unlabelled == 100 - (found.held_out - found.dev)
    assert not {row.texts for row in dev} & {row.texts for row in train}
    assert all(map(is_held_out, dev))
    assert held_out(configuration, "test", None) == dev
    write_tsv(tmp_path / "train.tsv", rows[::-1])
    assert {row.id for row in held_out(configuration, "dev", None)} == {row.id for row in dev}


def test_too_few_rows_to_hold_out_are_an_error(tmp_path):
    write_tsv(tmp_path / "train.tsv", [("text 1", "")])
    with pytest.raises(DataError, match=r"data\.dev"):
        held_out(run(tmp_path), "dev", None)


@pytest.mark.parametrize("on_bad_row", ["fail", "reject"])
def test_an_unlabelled_row_to_evaluate_on_is_an_error(tmp_path, on_bad_row):
    write_tsv(tmp_path / "train.tsv", [("a", "good")])
    dev = write_tsv(tmp_path / "dev.tsv", [("b", "good"), ("c", "")])
    configuration = run(tmp_path, dev=dev, on_bad_row=on_bad_row)
    with pytest.raises(DataError, match=r"dev\.tsv:3:label: ''"):
        held_out(configuration, "dev", None)
    with pytest.raises(DataError, match="a label on every"):
        scan(configuration, None, None)


def test_the_limit_holds_for_every_split(tmp_path):
    write_tsv(tmp_path / "train.tsv", [(f"a{i}", "good") for i in range(9)])
    dev = write_tsv(tmp_path / "dev.tsv", [(f"b{i}", "good") for i in range(9)])
    found = scan(run(tmp_path, dev=dev), 4, None)
    assert (found.read, found.dev) == (4, 4)
    assert len(held_out(run(tmp_path, dev=dev), "dev", 4)) == 4
    assert len(list(training_examples(run(tmp_path, dev=dev), found, 4))) == 4


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_file_that_is_parted_otherwise_is_refused_with_the_key(tmp_path, delimiter):
    path = tmp_path / "a.csv"
    path.write_text(f"text{delimiter}label\na, b{delimiter}1\n")
    task = Task(texts=("text",), label="label", labels=("0", "1"))
    with pytest.raises(DataError) as caught:
        list(examples("n", task, Data(train=(str(path),)), [path]))
    assert caught.value.remedy.startswith(f"set `data.delimiter: {json.dumps(delimiter)}`")
    assert caught.value.found == f"{path}:1: one column, {f'text{delimiter}label'!r}"
    (row,) = examples("n", task, Data(train=(str(path),), delimiter=delimiter), [path])
    assert not isinstance(row, Reject)
    assert (row.texts, row.label) == (("a, b",), 1)
