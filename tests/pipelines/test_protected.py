import json
from pathlib import Path

import pytest

from pipelines.examples import examples, files
from pipelines.protected import protected_of
from pipelines.read import held_out
from pipelines.record import Record, Reject, Where
from schemas.configuration import Configuration, Data
from schemas.errors import DataError
from schemas.example import Span
from schemas.task import Task

ONE = Task(texts=("text",), label="label", labels=("bad", "good"), protected="keep")
TWO = Task(texts=("a", "b"), label="label", labels=("bad", "good"), protected="keep")


def found(task: Task, keep: object, texts=("a good film",)):
    return protected_of(Record(Where(Path("f.jsonl"), 3, 0), {"keep": keep}, b""), task, texts)


@pytest.mark.parametrize("keep", [[[2, 6]], "[[2, 6]]", "[[2,6]]"])
def test_parts_are_lists_or_json(keep):
    assert found(ONE, keep) == (Span(0, 2, 6),)


def test_parts_of_pairs_name_their_text():
    assert found(TWO, [[1, 0, 3], [0, 0, 1]], ("a b", "plot")) == (Span(0, 0, 1), Span(1, 0, 3))


@pytest.mark.parametrize("keep", [None, "", [], "[]"])
def test_nothing_protects_nothing(keep):
    assert found(ONE, keep) == ()


@pytest.mark.parametrize(
    "keep",
    [
        "2-6",
        "{",
        7,
        {"a": 1},
        [2, 6],
        [[2]],
        [[2, 6, 7]],
        [[6, 2]],
        [[2, 2]],
        [[-1, 2]],
        [[0, 12]],
        [["0", 2]],
        [[0.0, 2]],
    ],
)
def test_anything_else_is_refused_by_its_line(keep):
    refused = found(ONE, keep)
    assert isinstance(refused, Reject)
    error = str(refused.error())
    assert "f.jsonl:3:keep" in error
    assert "[start, end]" in error


def test_rows_of_files_have_their_parts(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text('text,label,keep\na good film,good,"[[2, 6]]"\na bad one,bad,\n')
    rows = list(examples("d", ONE, Data(train=(str(path),)), files([str(path)])))
    assert [row.spans for row in rows if not isinstance(row, Reject)] == [(Span(0, 2, 6),), ()]


def test_a_file_without_the_column_is_refused_and_held_out_rows_need_none(tmp_path):
    rows = [{"text": f"a good film {i}", "label": "good"} for i in range(4)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"train": str(path), "dev": str(path)}
    with pytest.raises(DataError, match="a column `keep`"):
        list(examples("d", ONE, Data(train=(str(path),)), files([str(path)])))
    configuration = Configuration.model_validate({"name": "d", "task": ONE.model_dump(), "data": data, "teacher": "x"})
    assert len(held_out(configuration, "dev", None)) == 4
