import gzip
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel
from verbs import distill, good

from pipelines.initialise import initialise
from pipelines.read import scan
from schemas.configuration import PLACEHOLDER, Configuration
from schemas.errors import ConfigurationError, DataError
from schemas.load_configuration import load_configuration
from schemas.task import Kind, Metric

MODEL = "a/model"
SHARED = Path(__file__).parents[2].parent / "shared"


def load(folder: Path, data: Path) -> tuple[Configuration, str, list[str]]:
    text, assumptions = initialise(data)
    assert text.count(PLACEHOLDER) == 4
    text = text.replace(PLACEHOLDER, MODEL)
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return load_configuration(path), text, assumptions


def write(path: Path, rows: Sequence[tuple[object, ...]], separator: str = "\t") -> Path:
    path.parent.mkdir(exist_ok=True)
    content = "".join(separator.join(map(str, row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


REVIEWS = [(f"a review with number {i} in it", i % 2) for i in range(40)]


def test_a_named_column_and_its_siblings_are_found(tmp_path):
    folder = tmp_path / "My data!"
    for name in ("train", "dev", "test"):
        write(folder / f"{name}.tsv", [("sentence", "label"), *[(f"{name} {text}", label) for text, label in REVIEWS]])
    configuration, text, assumptions = load(tmp_path, folder / "train.tsv")
    assert configuration.name == "My-data"
    assert configuration.task.texts == ("sentence",)
    assert configuration.task.label == "label"
    assert configuration.task.labels == ("0", "1")
    assert configuration.task.metric is Metric.ACCURACY
    assert configuration.data.train == (str(folder / "train.tsv"),)
    assert configuration.data.dev == str(folder / "dev.tsv")
    assert configuration.data.test == str(folder / "test.tsv")
    assert configuration.teacher == MODEL
    assert configuration.augment.masked_language_model == MODEL
    assert configuration.augment.vectors == "none"
    assert f"# teacher: finetune {MODEL}" in text
    assert scan(configuration, None, None).kept == 40
    said = " ".join(assumptions)
    for word in ("names the columns", "column sentence", "2 classes (0, 1)", "accuracy", "dev.tsv", "test.tsv"):
        assert word in said


def test_every_key_is_there_and_every_comment_is_a_key(tmp_path):
    _, text, _ = load(tmp_path, write(tmp_path / "train.tsv", [("text", "label"), *REVIEWS]))

    def keys(section: type[BaseModel]) -> set[str]:
        inner = [f.annotation for f in section.model_fields.values() if isinstance(f.annotation, type)]
        return set(section.model_fields).union(*(keys(each) for each in inner if issubclass(each, BaseModel)))

    for key in keys(Configuration):
        assert f"{key}: " in text or f"{key}:\n" in text, key


def test_what_is_commented_out_is_the_default(tmp_path):
    before, text, _ = load(tmp_path, write(tmp_path / "train.tsv", [("text", "label"), *REVIEWS]))
    lines = [line for line in text.splitlines() if not line.startswith(("# A run", "# What", "# teacher:"))]
    uncommented = [line.replace("# ", "", 1) if line.lstrip().startswith("#") else line for line in lines]
    path = tmp_path / "all.yaml"
    path.write_text("\n".join(uncommented) + "\n", encoding="utf-8")
    after = load_configuration(path)
    assert after == before


@pytest.mark.parametrize(
    "names",
    [("premise", "hypothesis"), ("Question1", "Question2"), ("sentence1", "sentence2"), ("#1 String", "#2 String")],
)
def test_well_known_pairs(tmp_path, names):
    rows = [(i, f"the longer of two texts {i}", f"short {i}", i % 3) for i in range(30)]
    configuration, _, _ = load(tmp_path, write(tmp_path / "pairs.tsv", [("id", *names, "gold_label"), *rows]))
    assert configuration.task.texts == names
    assert configuration.task.label == "gold_label"
    assert configuration.task.labels == ("0", "1", "2")
    assert configuration.name == "pairs"


def test_a_file_without_header_has_positions(tmp_path):
    rows = [("gj04", i % 2, "", f"the sailors rode the breeze {i} .") for i in range(30)]
    configuration, _, assumptions = load(tmp_path, write(tmp_path / "train.tsv", rows))
    assert configuration.data.header is False
    assert configuration.task.texts == (3,)
    assert configuration.task.label == 1
    assert any("is a row" in each for each in assumptions)
    found = scan(configuration, None, None)
    assert found.read + found.held_out == 30


def test_unknown_names_are_told_by_their_values(tmp_path):
    rows = [(i, f"what the customer wrote, case {i}", ("refund", "delivery", "other")[i % 3]) for i in range(60)]
    content = [{"number": a, "said": b, "what": c} for a, b, c in rows]
    path = tmp_path / "tickets.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    configuration, _, _ = load(tmp_path, path)
    assert configuration.task.texts == ("said",)
    assert configuration.task.label == "what"
    assert configuration.task.labels == ("delivery", "other", "refund")


def test_many_fractions_are_a_regression(tmp_path):
    rows = [(f"one text {i}", f"another text {i}", f"{i / 7:.3f}") for i in range(36)]
    configuration, _, _ = load(tmp_path, write(tmp_path / "a.csv", [("sentence1", "sentence2", "score"), *rows], ","))
    assert configuration.task.kind is Kind.REGRESSION
    assert configuration.task.metric is Metric.PEARSON_SPEARMAN


def test_parquet(tmp_path):
    columns = {"text": [f"text {i}" for i in range(20)], "label": [i % 2 for i in range(20)], "v": [[1.0]] * 20}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    configuration, _, _ = load(tmp_path, tmp_path / "a.parquet")
    assert (configuration.task.texts, configuration.task.label) == (("text",), "label")


@pytest.mark.parametrize(("separator", "format"), [("\t", "tsv"), (",", "csv")])
def test_content_tells_the_format_where_the_name_does_not(tmp_path, separator, format):
    path = write(tmp_path / "train.txt", [("text", "label"), *REVIEWS], separator)
    configuration, _, assumptions = load(tmp_path, path)
    assert configuration.data.format == format
    assert any(format.upper() in each for each in assumptions)


def test_labels_are_those_of_the_whole_file_in_order(tmp_path):
    rows = [(f"text number {i}", f"class {i // 200}") for i in range(3000)]
    configuration, _, _ = load(tmp_path, write(tmp_path / "a.tsv.gz", [("text", "intent"), *rows]))
    assert configuration.task.labels == tuple(sorted(f"class {i}" for i in range(15)))
    numbers = [(f"text number {i}", i % 12) for i in range(300)]
    configuration, _, _ = load(tmp_path, write(tmp_path / "b.tsv", [("text", "label"), *numbers]))
    assert configuration.task.labels == tuple(map(str, range(12)))


@pytest.mark.parametrize(
    "label", ["yes: no", "#1", '"quoted"', "back\\slash", "é", "🎉", "null", "1e3", "[x]", "a\x07b", "'"]
)
def test_odd_names_survive_the_file(tmp_path, label):
    rows = [(f"text number {i}", ("plain", label)[i % 2]) for i in range(20)]
    folder = tmp_path / f"odd {label.replace('/', '')}"
    configuration, _, _ = load(tmp_path, write(folder / "train.tsv", [("text", "label"), *rows]))
    assert set(configuration.task.labels) == {"plain", label}
    assert configuration.data.train == (str(folder / "train.tsv"),)


def test_siblings_without_labels_or_with_other_columns_are_left_out(tmp_path):
    write(tmp_path / "train.tsv", [("text", "label"), *REVIEWS])
    write(tmp_path / "test.tsv", [("index", "text"), (0, "unlabelled")])
    write(tmp_path / "valid.tsv", [("text", "label"), ("a review", "7")])
    configuration, _, assumptions = load(tmp_path, tmp_path / "train.tsv")
    assert configuration.data.dev is None
    assert configuration.data.test is None
    said = " ".join(assumptions)
    assert "test.tsv does not" in said
    assert "valid.tsv does not" in said
    assert "held out" in said


@pytest.mark.parametrize(
    "rows", [[("text",), *[(f"only a text {i}",) for i in range(9)]], [("text", "label"), ("a b", 1)]]
)
def test_too_few_labels_are_said_and_still_load(tmp_path, rows):
    configuration, _, assumptions = load(tmp_path, write(tmp_path / "a.tsv", rows))
    assert configuration.task.labels == ("negative", "positive")
    assert any("corrected" in each for each in assumptions)


@pytest.mark.parametrize("content", ["", "\ufeff", "text\tlabel\n", "1\t2\n3\t4\n"])
def test_what_holds_no_rows_of_text_is_refused(tmp_path, content):
    path = tmp_path / "a.tsv"
    path.write_text(content)
    with pytest.raises(DataError):
        initialise(path)
    with pytest.raises(DataError):
        initialise(tmp_path / "missing.tsv")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "texts", "label", "dev", "test"),
    [
        ("SST-2", ("sentence",), "label", "dev.tsv", "test_labelled.tsv"),
        ("CoLA", (3,), 1, "dev.tsv", None),
        ("MRPC", ("#1 String", "#2 String"), "Quality", "dev.tsv", None),
        ("STS-B", ("sentence1", "sentence2"), "score", "dev.tsv", None),
    ],
)
def test_real_data(tmp_path, name, texts, label, dev, test):
    folder = SHARED / "data" / "glue" / name
    configuration, _, _ = load(tmp_path, folder / "train.tsv")
    assert (configuration.name, configuration.task.texts, configuration.task.label) == (name, texts, label)
    assert configuration.data.dev == str(folder / dev)
    assert configuration.data.test == (test and str(folder / test))


@pytest.mark.parametrize("teacher", [PLACEHOLDER, "finetune", "finetune path/or/hub-id"])
def test_a_model_that_is_not_named_yet_is_refused_by_line(tmp_path, teacher):
    text, _ = initialise(write(tmp_path / "train.tsv", [("text", "label"), *REVIEWS]))
    path = tmp_path / "run.yaml"
    path.write_text(text.replace(f"teacher: {PLACEHOLDER}", f"teacher: {teacher}", 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    line = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith("teacher:"))
    assert f"{path}:{line}: teacher: '{teacher}'" in caught.value.found
    assert "the folder or hub id of a model" in caught.value.expected


def test_a_few_bad_rows_mislead_nobody(tmp_path):
    rows = [{"label": "good" if i % 2 else "bad", "text": f"a film number {i}"} for i in range(40)]
    pq.write_table(pa.Table.from_pylist([*rows, {"label": "good", "text": None}]), tmp_path / "train.parquet")
    configuration, _, _ = load(tmp_path, tmp_path / "train.parquet")
    assert configuration.task.texts == ("text",)
    scores = [("text", "score"), *((f"a film number {i}", f"{i / 7:.3f}") for i in range(60)), ("odd", "nan")]
    configuration, _, _ = load(tmp_path, write(tmp_path / "scores/train.tsv", scores))
    assert configuration.task.kind is Kind.REGRESSION


TAGGED = "U.N. B-org\nofficial O\nEkeus B-per\n\nheads O\nfor O\nNew B-loc\nYork I-loc\n\n"


@pytest.mark.parametrize("name", ["train.conll", "train.txt", "train.conll.gz"])
def test_sentences_in_columns(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(TAGGED.encode()) if name.endswith(".gz") else TAGGED.encode())
    path.with_name(name.replace("train", "dev")).write_bytes(path.read_bytes())
    configuration, text, assumptions = load(tmp_path, path)
    assert configuration.task.kind is Kind.TOKEN_CLASSIFICATION
    assert (configuration.task.texts, configuration.task.label) == (("tokens",), "tags")
    assert configuration.task.labels == ("O", "B-loc", "I-loc", "B-org", "B-per")
    assert configuration.task.metric is Metric.ENTITY_F1
    assert configuration.data.format == ("conll" if name == "train.txt" else "auto")
    assert configuration.data.dev is not None
    assert "# metric: entity_f1  # entity_f1 or accuracy" in text
    said = " ".join(assumptions)
    assert "The words are in column tokens" in said
    assert "5 classes (O, B-loc, I-loc, B-org, B-per)" in said
    assert "entity_f1" in said


def json_lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_lists_of_words_and_of_numbered_tags(tmp_path):
    rows = [{"id": i, "tokens": ["a", "b", "c"], "ner_tags": [i % 3, 0, 1]} for i in range(20)]
    configuration, _, assumptions = load(tmp_path, json_lines(tmp_path / "a.jsonl", rows))
    assert (configuration.task.kind, configuration.task.label) == (Kind.TOKEN_CLASSIFICATION, "ner_tags")
    assert configuration.task.labels == ("0", "1", "2")
    assert configuration.task.metric is Metric.ACCURACY
    assert any("accuracy" in each for each in assumptions)


def test_lists_of_words_alone(tmp_path):
    configuration, _, assumptions = load(tmp_path, json_lines(tmp_path / "a.jsonl", [{"tokens": ["a", "b"]}] * 3))
    assert configuration.task.kind is Kind.TOKEN_CLASSIFICATION
    assert configuration.task.label is None
    assert any("the teacher labels the rows" in each for each in assumptions)


def test_words_beside_a_text_are_no_sentences(tmp_path):
    rows = [{"text": f"a review {i}", "tokens": ["a", "review", str(i)], "label": i % 2} for i in range(30)]
    configuration, _, _ = load(tmp_path, json_lines(tmp_path / "a.jsonl", rows))
    assert configuration.task.kind is Kind.CLASSIFICATION
    assert (configuration.task.texts, configuration.task.label) == (("text",), "label")


def test_lists_of_labels(tmp_path):
    rows = [{"text": f"a review {i}", "labels": [["a"], ["b", "c"], []][i % 3]} for i in range(30)]
    configuration, _, assumptions = load(tmp_path, json_lines(tmp_path / "a.jsonl", rows))
    assert (configuration.task.kind, configuration.task.label) == (Kind.MULTI_LABEL, "labels")
    assert configuration.task.labels == ("a", "b", "c")
    assert configuration.task.metric is Metric.MICRO_F1
    assert any("any number a row: 3 classes (a, b, c)" in each for each in assumptions)
    assert scan(configuration, None, None).unlabelled == 0


def test_labels_parted_in_one_field(tmp_path):
    rows = [("text", "label"), *[(f"a review {i}", ["x", "y|z", "x|z", "|", "y"][i % 5]) for i in range(40)]]
    configuration, _, _ = load(tmp_path, write(tmp_path / "a.tsv", rows))
    assert configuration.task.kind is Kind.MULTI_LABEL
    assert configuration.task.labels == ("x", "y", "z")


# Rows that cannot be read


def messages(count: int) -> list[tuple[str, str]]:
    return [(f"a message with number {i}", "refund" if i % 2 else "delivery") for i in range(count)]


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        initialise(path)
    assert caught.value.code == 3
    return caught.value


def test_a_class_that_only_unreadable_rows_have_is_refused(tmp_path):
    path = tmp_path / "latin.csv"
    rows = [f"un café numéro {i},a" if i % 2 else f"plain number {i},b" for i in range(40)]
    path.write_bytes("\n".join(["text,label", *rows]).encode("latin-1"))
    error = refused(path)
    assert "20 of 40 rows could not be read" in error.found
    assert f"the first at {path}:3: expected UTF-8, found byte 0xE9 at column 7" in error.found
    assert "save the file as UTF-8" in error.remedy


def test_a_rare_unreadable_class_is_refused(tmp_path):
    path = tmp_path / "latin.csv"
    rows = [*messages(500), ("un café", "menu")]
    path.write_bytes("\n".join(",".join(row) for row in [("text", "label"), *rows]).encode("latin-1"))
    error = refused(path)
    assert "1 of 501 rows could not be read" in error.found
    assert "classes in the others: delivery, refund" in error.found
    assert f"{path}:502 may have another" in error.found


def test_a_few_unreadable_rows_are_said(tmp_path):
    rows = [{"text": text, "label": label} for text, label in messages(200)]
    path = json_lines(tmp_path / "a.jsonl", rows)
    path.write_text(path.read_text() + '{"text": "cut')
    _, _, assumptions = load(tmp_path, path)
    said = next(each for each in assumptions if "could not be read" in each)
    assert f"1 of 201 rows could not be read, the first at {path}:201: expected a JSON object" in said
    assert "`data.on_bad_row: reject`" in said
    # Bytes of another encoding, too, where the class is one of those known.
    path = tmp_path / "a.csv"
    content = [",".join(row) for row in [("text", "label"), *messages(200), ("un café", "refund")]]
    path.write_bytes("\n".join(content).encode("latin-1"))
    _, _, assumptions = load(tmp_path, path)
    assert any("1 of 201 rows could not be read" in each for each in assumptions)


def test_more_than_a_few_unreadable_rows_are_refused(tmp_path):
    path = json_lines(tmp_path / "bad.jsonl", [{"text": text, "label": label} for text, label in messages(20)])
    path.write_text(path.read_text() + '{"text": "cut')
    error = refused(path)
    assert f"1 of 21 rows could not be read, the first at {path}:21" in error.found
    assert error.remedy == "correct the rows or remove them"


@pytest.mark.parametrize("name", ["bin.csv", "bin.tsv", "bin.jsonl", "bin"])
@pytest.mark.parametrize("size", [40, 5000])
def test_arbitrary_bytes_are_refused(tmp_path, name, size):
    path = tmp_path / name
    path.write_bytes(random.Random(size).randbytes(size))
    error = refused(path)
    assert f"{path}:1" in error.found
    assert error.remedy


def test_a_sibling_with_unreadable_rows_is_left_out(tmp_path):
    write(tmp_path / "train.tsv", [("text", "label"), *messages(20)])
    (tmp_path / "dev.tsv").write_bytes("text\tlabel\nun café\trefund\nplain\trefund\n".encode("latin-1"))
    configuration, _, assumptions = load(tmp_path, tmp_path / "train.tsv")
    assert configuration.data.dev is None
    assert any("dev.tsv does not" in each for each in assumptions)


# How the file is to be read


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_found_and_written(tmp_path, delimiter):
    rows = [(f"well, a message; or | two, number {i}", label) for i, (_, label) in enumerate(messages(40))]
    quoted = [(f'"{text}"', label) for text, label in rows]
    for header in ([("text", "label")], []):
        path = write(tmp_path / "a.csv", [*header, *quoted], delimiter)
        configuration, _, assumptions = load(tmp_path, path)
        assert configuration.data.delimiter == delimiter
        assert configuration.task.texts == (("text",) if header else (0,))
        assert f"The fields are parted by {delimiter!r}." in assumptions
        assert scan(configuration, None, None).read


def test_a_delimiter_inside_texts_is_none(tmp_path):
    configuration, _, _ = load(tmp_path, write(tmp_path / "a.csv", [("a; b | c", "x"), ("d; e | f", "y")] * 9, ","))
    assert configuration.data.delimiter == ","
    configuration, _, _ = load(tmp_path, write(tmp_path / "a.csv", [("text",), ("well; a text",), ("and; more",)]))
    assert configuration.data.delimiter == ","


@pytest.mark.parametrize("name", ["message", "Msg", "body", "subject", "title", "description", "comment", "Nachricht"])
def test_the_name_of_one_column_is_no_text(tmp_path, name):
    rows = [(f"what customer {i} wrote to us",) for i in range(30)]
    configuration, _, assumptions = load(tmp_path, write(tmp_path / "a.csv", [(name,), *rows]))
    assert configuration.task.texts == (name,)
    assert any("names the columns" in each for each in assumptions)


@pytest.mark.parametrize(
    "rows",
    [
        [("Great", "good"), *[(f"a longer review {i}", "bad" if i % 2 else "good") for i in range(30)]],
        [("Great",), *[(f"a longer review {i}" if i % 4 else "Bad",) for i in range(30)]],
        [("Great!",), *[(f"a longer review {i}",) for i in range(30)]],
        [("who is this", "question"), *[(f"a sentence {i}", "question" if i % 2 else "comment") for i in range(30)]],
    ],
)
def test_a_first_text_is_no_name(tmp_path, rows):
    configuration, _, _ = load(tmp_path, write(tmp_path / "a.csv", rows, ","))
    assert configuration.data.header is False


def test_unknown_names_above_texts_and_classes(tmp_path):
    configuration, _, _ = load(tmp_path, write(tmp_path / "a.csv", [("Nachricht", "Klasse"), *messages(30)], ","))
    assert (configuration.task.texts, configuration.task.label) == (("Nachricht",), "Klasse")


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["d.json", "d.jsonl", "d.txt"])
def test_a_json_array_is_named(tmp_path, name, indent):
    path = tmp_path / name
    path.write_text(json.dumps([{"text": text, "label": label} for text, label in messages(20)], indent=indent))
    error = refused(path)
    assert "JSON Lines: one object a line" in error.expected
    assert f"{path}:1: `[`" in error.found
    assert "jq" in error.remedy


def test_objects_over_several_lines_are_named(tmp_path):
    path = tmp_path / "d.json"
    path.write_text("\n".join(json.dumps({"text": text}, indent=1) for text, _ in messages(3)))
    error = refused(path)
    assert "JSON Lines: one object a line" in error.expected
    assert "an object over several lines" in error.found


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt"])
def test_line_ends_of_old_macs_are_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\r".join(b"a text,1" for _ in range(9)))
    error = refused(path)
    assert f"{path}:1: 8 carriage returns alone" in error.found
    assert "tr " in error.remedy


# What is said and chosen


def test_columns_that_are_passed_over_are_named(tmp_path):
    header = ("id", "subject", "body", "team", "priority")
    rows = [(i, f"subject number {i}", f"the body of {i}", "abc"[i % 3], "hl"[i % 2]) for i in range(60)]
    configuration, _, assumptions = load(tmp_path, write(tmp_path / "a.csv", [header, *rows], ","))
    assert (configuration.task.texts, configuration.task.label) == (("body",), "priority")
    assert "Not used: id, subject, team; also possible as label: team." in assumptions
    _, _, assumptions = load(tmp_path, write(tmp_path / "b.tsv", [("text", "label"), *REVIEWS]))
    assert not any("Not used" in each for each in assumptions)


def test_of_a_mixed_folder_the_taken_files_are_named(tmp_path):
    folder = tmp_path / "data"
    one, two = (write(folder / f"{name}.csv", [("text", "label"), *messages(20)], ",") for name in "ab")
    dev = write(folder / "dev.csv", [("text", "label"), ("another message", "refund")], ",")
    (folder / "notes.md").write_text("# Notes\n")
    (folder / ".git").mkdir()
    (folder / ".git/a.csv").write_text("x,y\n1,2\n")
    configuration, _, assumptions = load(tmp_path, folder)
    assert configuration.data.train == (str(one), str(two))
    assert configuration.data.dev == str(dev)
    said = next(each for each in assumptions if "training rows are in" in each)
    assert f"in {one}, {two}; left out: " in said
    assert "notes.md" in said
    train = write(folder / "train.csv", [("text", "label"), *messages(20)], ",")
    configuration, _, _ = load(tmp_path, folder)
    assert configuration.data.train == (str(train),)


def test_a_folder_of_parts_is_taken_whole(tmp_path):
    for name in "ab":
        write(tmp_path / f"parts/{name}.tsv", [("text", "label"), *messages(20)])
    configuration, _, assumptions = load(tmp_path, tmp_path / "parts")
    assert configuration.data.train == (str(tmp_path / "parts"),)
    assert any("there are 40 rows (fewer than 10,000)" in each for each in assumptions)


def test_copies_are_those_for_the_number_of_rows(tmp_path):
    path = write(tmp_path / "a.tsv", [("text", "label"), *messages(10_000)])
    configuration, text, assumptions = load(tmp_path, path)
    assert (configuration.augment.copies, configuration.augment.probability) == (20, 0.4)
    assert "arXiv 2305.12565" in text
    assert any("`augment.copies` is 20" in each and "there are 10,000 rows" in each for each in assumptions)
    text, assumptions = initialise(path, 5000)
    assert "\n  copies: 30  # " in text
    assert any("the first 5,000 rows were counted, there are more" in each for each in assumptions)


# The command line


def test_a_missing_folder_for_the_output_is_refused(tmp_path):
    data = write(tmp_path / "train.tsv", [("text", "label"), *REVIEWS])
    done = distill("init", data, "--output", tmp_path / "nodir/x.yaml")
    assert done.exit_code == 2
    for part in ("nodir/x.yaml: none", "a folder that is there", "make it, or name another"):
        assert part in done.output


def test_a_full_standard_output_is_said(tmp_path):
    data = write(tmp_path / "train.tsv", [("text", "label"), *REVIEWS])
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", "init", data, "--output", tmp_path / "run.yaml"],
            stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert "standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_labels_are_printed_without_raw_control_characters(tmp_path):
    odd = "re\u202efund"
    data = write(tmp_path / "train.tsv", [("text", "label"), *messages(20), ("a message", odd)])
    printed = good("init", data, "--output", tmp_path / "run.yaml")
    assert "re\\U0000202Efund" in printed
    assert odd not in printed
    data.write_text(data.read_text() + "a message\tother\n")
    text = (tmp_path / "run.yaml").read_text().replace(PLACEHOLDER, MODEL)
    (tmp_path / "run.yaml").write_text(text)
    done = distill("augment", tmp_path / "run.yaml", f"output={tmp_path / 'run'}")
    assert done.exit_code == 3, done.output
    assert "re\\U0000202Efund" in done.output
    assert odd not in done.output
