import csv as standard_csv
import gzip
import io
import json
import resource
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import lines as lines_module
from pipelines.reader import reader_for, reader_modules
from pipelines.readers import csv, jsonl, parquet, tsv
from pipelines.record import Record, Reject
from schemas.errors import ConfigurationError, DataError

SHARED = Path(__file__).parents[2].parent / "shared"


def write(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(reader, path: Path, header: bool = True) -> tuple[list[Record], list[Reject]]:
    found = list(reader.records(path, header=header))
    return [r for r in found if isinstance(r, Record)], [r for r in found if isinstance(r, Reject)]


def fields(records: list[Record]) -> list[list[object]]:
    return [list(record.fields.values()) for record in records]


# Which reader


def test_the_name_tells_the_reader():
    assert reader_for(Path("a.tsv")) is tsv.records
    assert reader_for(Path("a.TSV.gz")) is tsv.records
    assert reader_for(Path("a.csv")) is csv.records
    assert reader_for(Path("a.jsonl.gz")) is jsonl.records
    assert reader_for(Path("a.parquet")) is parquet.records
    assert reader_for(Path("a.txt"), "tsv") is tsv.records


@pytest.mark.parametrize(("name", "format"), [("a.txt", "auto"), ("a", "auto"), ("a.gz", "auto"), ("a.tsv", "xml")])
def test_an_unknown_format_is_refused(name, format):
    with pytest.raises(ConfigurationError, match="csv, jsonl, parquet, tsv"):
        reader_for(Path(name), format)


@pytest.mark.parametrize("module", reader_modules().values(), ids=lambda module: module.__name__)
def test_every_file_of_the_folder_is_a_reader(module):
    assert module.SUFFIXES
    assert module.__doc__
    assert callable(module.records)


# Tab-separated


def test_quotes_and_backslashes_are_plain_characters(tmp_path):
    path = write(tmp_path, "a.tsv", 'text\tlabel\n"leading\t1\na "lone" quote"\t0\n\\n\t1\n""\t0\n')
    good, bad = read(tsv, path)
    assert fields(good) == [['"leading', "1"], ['a "lone" quote"', "0"], ["\\n", "1"], ['""', "0"]]
    assert not bad


def test_positions_name_the_columns_of_a_file_without_header(tmp_path):
    good, _ = read(tsv, write(tmp_path, "a.tsv", "a\t1\nb\t0\n"), header=False)
    assert [dict(record.fields) for record in good] == [{0: "a", 1: "1"}, {0: "b", 1: "0"}]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_byte_order_mark_and_line_endings_are_no_content(tmp_path, ending, mark, last):
    content = ending.join(["text\tlabel", "é\t1", "b\t0"]) + (ending if last else "")
    good, bad = read(tsv, write(tmp_path, "a.tsv", mark + content.encode()))
    assert [dict(r.fields) for r in good] == [{"text": "é", "label": "1"}, {"text": "b", "label": "0"}]
    assert not bad
    whole = mark + content.encode()
    assert all(whole[r.where.offset :].startswith(r.raw) for r in good)


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\x0b", "\x0c", "\x1c", "\r", "\0"])
def test_only_a_line_feed_ends_a_line(tmp_path, odd):
    good, bad = read(tsv, write(tmp_path, "a.tsv", f"text\tlabel\na{odd}b\t1\n"))
    assert fields(good) == [[f"a{odd}b", "1"]]
    assert not bad


@pytest.mark.parametrize("row", ["one", "one\ttwo\tthree", "", "one\ttwo\t"])
def test_a_ragged_row_is_bad_alone(tmp_path, row):
    path = write(tmp_path, "a.tsv", f"text\tlabel\na\t1\n{row}\nb\t0\n")
    good, bad = read(tsv, path)
    assert fields(good) == [["a", "1"], ["b", "0"]]
    assert [str(r.where) for r in bad] == [f"{path}:3"]
    assert "2 fields, as in the header" in bad[0].reason
    assert bad[0].raw == row.encode() + b"\n"


@pytest.mark.parametrize("reader", [tsv, csv])
def test_two_columns_of_one_name_are_refused(tmp_path, reader):
    with pytest.raises(DataError, match="'text' twice"):
        read(reader, write(tmp_path, "a", "text,text\n1,2\n" if reader is csv else "text\ttext\n1\t2\n"))


# Bytes


@pytest.mark.parametrize(
    ("reader", "row"), [(tsv, "text {}\t1\n"), (csv, '"text {}",1\n'), (jsonl, '{{"text": "text {}", "label": "1"}}\n')]
)
def test_one_invalid_byte_is_one_bad_row(tmp_path, reader, row):
    head = {tsv: "text\tlabel\n", csv: "text,label\n", jsonl: ""}[reader]
    rows = [row.format(i).encode() for i in range(10_001)]
    rows[5000] = (
        rows[5000].replace(b"t", b"\xff", 1) if reader is not jsonl else rows[5000].replace(b": ", b": \xff", 1)
    )
    path = write(tmp_path, "a", head.encode() + b"".join(rows))
    good, bad = read(reader, path)
    assert (len(good), len(bad)) == (10_000, 1)
    assert bad[0].where.line == 5001 + bool(head)
    assert "0xFF" in bad[0].found
    assert bad[0].raw == rows[5000]
    assert path.read_bytes()[bad[0].where.offset :].startswith(rows[5000])


@pytest.mark.parametrize("reader", [tsv, csv, jsonl])
@pytest.mark.parametrize(
    ("encoding", "guess"),
    [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"), ("utf-32", "UTF-32")],
)
def test_wide_encodings_are_refused_by_name(tmp_path, reader, encoding, guess):
    path = write(tmp_path, "a", "a text of some length\t1\n".encode(encoding))
    with pytest.raises(DataError, match=f"{path}: it looks like {guess}"):
        read(reader, path)


def test_latin_1_is_guessed_row_by_row(tmp_path):
    _, bad = read(tsv, write(tmp_path, "a.tsv", "text\tlabel\ncafé\t1\n".encode("latin-1")))
    assert "Latin-1" in bad[0].found


def test_a_header_in_another_encoding_is_refused(tmp_path):
    path = write(tmp_path, "a.tsv", b"caf\xe9\tlabel\na\t1\n")
    with pytest.raises(DataError, match=f"{path}:1"):
        read(tsv, path)


def test_gzip_that_is_not_called_so_is_named(tmp_path):
    with pytest.raises(DataError, match="gzip"):
        read(tsv, write(tmp_path, "a.tsv", gzip.compress(b"text\tlabel\n")))


# Gzip


@pytest.mark.parametrize(
    ("reader", "content"),
    [(tsv, "text\tlabel\na\t1\n"), (csv, "text,label\na,1\n"), (jsonl, '{"text": "a", "label": "1"}\n')],
)
def test_gzip_is_read_by_name(tmp_path, reader, content):
    good, bad = read(reader, write(tmp_path, "a.x.gz", gzip.compress(content.encode())))
    assert fields(good) == [["a", "1"]]
    assert not bad


@pytest.mark.parametrize("reader", [tsv, csv, jsonl])
def test_a_truncated_gzip_file_is_named(tmp_path, reader):
    whole = gzip.compress("".join(f'{{"text": "row {i * i}"}}\n' for i in range(5000)).encode())
    for length in (3, 15, len(whole) // 2, len(whole) - 3):
        path = write(tmp_path, f"{length}.jsonl.gz", whole[:length])
        with pytest.raises(DataError, match=f"{length}.jsonl.gz"):
            list(reader.records(path, header=False))


def test_a_damaged_gzip_file_is_named(tmp_path):
    whole = bytearray(gzip.compress(b"a text\t1\n" * 1000))
    whole[-6] ^= 1
    with pytest.raises(DataError, match="damaged"):
        read(tsv, write(tmp_path, "damaged.tsv.gz", bytes(whole)), header=False)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines_module, "TRUSTED", 2**20)
    path = write(tmp_path, "a.tsv.gz", gzip.compress(b"x" * 20_000_000))
    with pytest.raises(DataError, match="bytes so far"):
        read(tsv, path, header=False)


# Long lines


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl"])
def test_a_line_over_the_limit_is_bad_and_passed_over(tmp_path, name):
    long = b"x" * (lines_module.LONGEST + 10)
    path = write(tmp_path, name, b"1\n" + long + b"\n2\n" + long)
    found = list(reader_for(path)(path, header=False))
    limits = [r for r in found if isinstance(r, Reject) and "16,777,216" in r.reason]
    assert [r.where.line for r in limits] == [2, 4]
    assert [r.where.offset for r in limits] == [2, 2 + len(long) + 3]
    assert all(len(r.raw) == lines_module.HEAD for r in limits)


@pytest.mark.slow
def test_a_huge_line_takes_no_memory(tmp_path):
    path = tmp_path / "a.tsv"
    with path.open("wb") as file:
        for _ in range(400):
            file.write(b"x" * 2**20)
        file.write(b"\nshort\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    good, bad = read(tsv, path, header=False)
    assert (len(good), len(bad)) == (1, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


# Comma-separated


def test_quoted_fields_hold_commas_line_ends_and_quotes(tmp_path):
    path = write(tmp_path, "a.csv", 'text,label\r\n"a, b",1\r\n"two\r\nlines",0\r\n"say ""hi""",1\r\n"",0\r\nlast,1')
    good, bad = read(csv, path)
    assert fields(good) == [["a, b", "1"], ["two\r\nlines", "0"], ['say "hi"', "1"], ["", "0"], ["last", "1"]]
    assert [record.where.line for record in good] == [2, 3, 5, 6, 7]
    assert not bad
    assert all(path.read_bytes()[r.where.offset :].startswith(r.raw) for r in good)


@pytest.mark.parametrize("text", ["NA", "null", "None", "nan", "NULL", "N/A", ""])
def test_no_text_is_taken_for_a_missing_value(tmp_path, text):
    good, _ = read(csv, write(tmp_path, "a.csv", f"text,label\n{text},1\n"))
    assert fields(good) == [[text, "1"]]


def test_a_quote_that_is_never_closed_is_bad_at_its_line_alone(tmp_path):
    path = write(tmp_path, "a.csv", 'text,label\na,1\n"never closed,0\nb,1\nc,0\n')
    good, bad = read(csv, path)
    assert fields(good) == [["a", "1"], ["b", "1"], ["c", "0"]]
    assert [str(r.where) for r in bad] == [f"{path}:3"]
    assert "a closing quote" in bad[0].reason
    assert "column 1" in bad[0].reason


def test_a_quote_that_is_closed_by_the_next_one_is_bad_at_its_line_alone(tmp_path):
    path = write(tmp_path, "a.csv", 'text,label\n"never closed,0\nb,1\n"c, quoted",0\nd,1\n')
    good, bad = read(csv, path)
    assert fields(good) == [["b", "1"], ["c, quoted", "0"], ["d", "1"]]
    assert [r.where.line for r in bad] == [2]


def test_a_quote_inside_a_plain_field_is_bad(tmp_path):
    good, bad = read(csv, write(tmp_path, "a.csv", 'text,label\n5" pipe,1\nb,0\n'))
    assert fields(good) == [["b", "0"]]
    assert "column 2" in bad[0].reason


def test_a_ragged_row_of_several_lines_is_one_bad_row(tmp_path):
    good, bad = read(csv, write(tmp_path, "a.csv", 'text,label\n"a\nx,1\n",1,2\nb,0\n'))
    assert fields(good) == [["b", "0"]]
    assert bad[0].where.line == 2
    assert bad[0].raw == b'"a\nx,1\n",1,2\n'


def test_a_row_of_several_lines_with_an_invalid_byte_is_one_bad_row(tmp_path):
    good, bad = read(csv, write(tmp_path, "a.csv", b'text,label\n"a\n\xff\nc",1\nb,0\n'))
    assert fields(good) == [["b", "0"]]
    assert (bad[0].where.line, bad[0].raw) == (2, b'"a\n\xff\nc",1\n')


@given(st.lists(st.lists(st.text(st.sampled_from('ab,"\n\r é\0')), min_size=2, max_size=2), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_standard_library_writes_is_read_back(tmp_path, rows):
    buffer = io.StringIO(newline="")
    standard_csv.writer(buffer).writerows(rows)
    good, bad = read(csv, write(tmp_path, "a.csv", "﻿" + buffer.getvalue()), header=False)
    assert not bad
    assert fields(good) == rows


@given(st.text(st.sampled_from('ab,"\n')))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_every_line_of_any_text_is_accounted_for(tmp_path, text):
    if not text:
        return
    path = write(tmp_path, "a.csv", text)
    found = list(csv.records(path, header=False))
    # Rows and rejects cover the file without gaps or overlaps.
    assert b"".join(r.raw for r in found) == path.read_bytes()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_character_may_part_fields(tmp_path, delimiter):
    rows = [("text", "label"), ("a, b", "1"), (f'"c{delimiter} ""d"""', "0"), ('"e"f', "1")]
    path = write(tmp_path, "a.csv", "".join(delimiter.join(row) + "\n" for row in rows))
    found = list(reader_for(path, delimiter=delimiter)(path, header=True))
    assert fields([r for r in found if isinstance(r, Record)]) == [["a, b", "1"], [f'c{delimiter} "d"', "0"]]
    (bad,) = [r for r in found if isinstance(r, Reject)]
    assert f"{delimiter!r} after a closing quote" in bad.reason


# JSON lines


def test_objects_are_read_with_the_types_they_have(tmp_path):
    good, bad = read(
        jsonl, write(tmp_path, "a.jsonl", '{"text": "NA", "label": 1, "more": [1]}\r\n {"label": null} \n')
    )
    assert [dict(r.fields) for r in good] == [{"text": "NA", "label": 1, "more": [1]}, {"label": None}]
    assert not bad


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a", "label": 1', "column 25"),
        ('{"text": "a" "label": 1}', "column 14"),
        ("[1, 2]", "an array"),
        ('"text"', "a string"),
        ("17", "a number"),
        ("null", "null"),
        ("true", "true or false"),
        ("", "a blank line"),
        ('{"text": "a", "text": "b"}', "'text' twice"),
        ('{"text": "NaN", "label": NaN}', "column 26: NaN"),
        ('{"text": "\\"Infinity", "label": -Infinity}', "column 33: -Infinity"),
        ('{"a": ' + "7" * 5000 + "}", "column 7: 7777"),
        ('{"a": ' + "[" * 100_000 + "}", "100 levels of nesting, found more at column 106"),
        ('{"a":' * 100_000, "levels of nesting"),
        ('{"text": "a\tb"}', "column"),
        ("{'text': 'a'}", "column 2"),
    ],
)
def test_a_bad_line_is_named_with_its_column(tmp_path, line, reason):
    path = write(tmp_path, "a.jsonl", f'{{"text": "a"}}\n{line}\n{{"text": "b"}}\n')
    good, bad = read(jsonl, path)
    assert fields(good) == [["a"], ["b"]]
    assert [str(r.where) for r in bad] == [f"{path}:2"]
    assert reason in bad[0].reason
    assert len(bad[0].reason) < 300


def test_brackets_in_a_text_are_no_nesting(tmp_path):
    good, bad = read(jsonl, write(tmp_path, "a.jsonl", json.dumps({"text": '["\\' * 500}) + "\n"))
    assert fields(good) == [['["\\' * 500]]
    assert not bad


# Parquet


def table(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def test_rows_of_parquet_have_numbers(tmp_path):
    path = table(tmp_path / "a.parquet", text=[f"row {i}" for i in range(7)], label=list(range(7)))
    good, bad = read(parquet, path)
    assert fields(good) == [[f"row {i}", i] for i in range(7)]
    assert [str(r.where) for r in good] == [f"{path}:{i}" for i in range(1, 8)]
    assert not bad


def test_nested_columns_of_parquet_are_shown_as_their_type(tmp_path):
    path = table(tmp_path / "a.parquet", text=["a"], vector=pa.array([[1.0, 2.0]]), parts=pa.array([{"x": 1}]))
    good, _ = read(parquet, path)
    assert good[0].fields["text"] == "a"
    assert isinstance(good[0].fields["vector"], pa.DataType)
    assert isinstance(good[0].fields["parts"], pa.DataType)


def test_one_invalid_byte_in_parquet_is_one_bad_row(tmp_path):
    texts = pa.array([b"a", b"\xff", None, b"c"], pa.binary()).view(pa.string())
    good, bad = read(parquet, table(tmp_path / "a.parquet", text=texts))
    assert fields(good) == [["a"], [None], ["c"]]
    assert [(r.where.line, r.field) for r in bad] == [(2, "text")]


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = table(tmp_path / "a.parquet", text=["a"] * 1000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.parquet"):
        read(parquet, path)
    with pytest.raises(DataError, match=r"b\.parquet"):
        read(parquet, write(tmp_path, "b.parquet", "text\tlabel\n"))


# Real files


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "header", "columns"),
    [
        ("SST-2/train.tsv", True, 2),
        ("SST-2/dev.tsv", True, 2),
        ("CoLA/train.tsv", False, 4),
        ("CoLA/dev.tsv", False, 4),
        ("MRPC/train.tsv", True, 5),
        ("MRPC/dev.tsv", True, 5),
        ("STS-B/train.tsv", True, 10),
        ("STS-B/dev.tsv", True, 10),
    ],
)
def test_real_files_lose_no_line(name, header, columns):
    path = SHARED / "data" / "glue" / name
    content = path.read_bytes()
    count = len(content.removesuffix(b"\n").split(b"\n")) - header
    good, bad = read(tsv, path, header)
    assert (len(good), len(bad)) == (count, 0)
    assert all(len(record.fields) == columns for record in good)
    assert b"".join(record.raw for record in good) == content[good[0].where.offset :]
