import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import rows
from schemas.digest import canonical, digest, identity
from schemas.example import Change, Example, Piece, Span

texts = st.lists(st.text(), min_size=1, max_size=2).map(tuple)
labels = st.none() | st.integers(0, 200)

GOLDEN = {
    "one text": 9408144682743721975,
    "two texts": 17284489990216364665,
    "digest": "cf0431e419ab71977e982702c62bde68",
}


@given(st.text(), texts, labels)
def test_an_id_is_64_bits_of_content(name, texts, label):
    one, two = (Example.original(name, texts, label) for _ in range(2))
    assert one == two
    assert one.is_original
    assert 0 <= one.id < 2**64


@given(texts, texts, labels, labels)
def test_ids_differ_where_rows_do(some, others, label, other):
    rows_differ = (some, label) != (others, other)
    assert (Example.original("n", some, label).id != Example.original("n", others, other).id) == rows_differ


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("n", ("a", "b"), None), ("n", ("a\nb",), None)),
        (("n", ("ab", ""), None), ("n", ("a", "b"), None)),
        (("n", ('a","b',), None), ("n", ("a", "b"), None)),
        (("n", ("a",), 0), ("n", ("a",), None)),
        (("n", ("a",), 1), ("n", ("a",), 1.0)),
        (("n", ("\u00e9",), 1), ("n", ("e\u0301",), 1)),
        (("n", ("a",), 1), ("m", ("a",), 1)),
    ],
)
def test_parts_of_an_id_do_not_run_together(one, two):
    assert Example.original(*one).id != Example.original(*two).id


def test_an_id_never_changes():
    """Caches of earlier releases are found again only while these numbers stay."""
    assert Example.original("sst2", ("a fine film .",), 1).id == identity("sst2", ("a fine film .",), 1)
    assert Example.original("sst2", ("a fine film .",), 1).id == GOLDEN["one text"]
    assert Example.original("pairs", ("naïve", "🎉"), None).id == GOLDEN["two texts"]
    assert digest({"b": [1, 2.5, None], "a": "é"}) == GOLDEN["digest"]


def test_an_id_does_not_depend_on_the_process():
    code = "from schemas.example import Example; print(Example.original('n', ('a', 'é'), 1).id)"
    found = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert found == [f"{Example.original('n', ('a', 'é'), 1).id}\n"] * 2


def test_a_copy_keeps_what_it_is_a_copy_of():
    original = Example.original("n", ("a fine film",), 1)
    change = Change(text=0, start=2, end=6, original="fine", source="masked")
    copy = original.copy(("a good film",), strategy="tinybert", draw=3, changes=(change,))
    assert (copy.origin, copy.label, copy.count, copy.draw) == (original.id, 1, 1, 3)
    assert not copy.is_original
    assert copy.id != original.id
    # The same words drawn twice are the same row.
    assert copy.id == original.copy(("a good film",), strategy="tinybert", draw=9, changes=()).id
    assert copy.id != original.copy(("a good film",), strategy="other", draw=3, changes=()).id


@given(
    st.lists(
        st.builds(
            Example,
            id=st.integers(0, 2**64 - 1),
            origin=st.integers(0, 2**64 - 1),
            texts=texts,
            label=labels,
            count=st.integers(1, 2**31 - 1),
            strategy=st.text(),
            draw=st.integers(-1, 100),
            changes=st.lists(
                st.builds(Change, st.integers(0, 1), st.integers(0, 9), st.integers(0, 9), st.text(), st.text()),
                max_size=2,
            ).map(tuple),
            spans=st.just(()),
        ),
        max_size=4,
    )
)
def test_rows_of_a_table_are_the_examples_they_were(examples):
    batch = rows.to_batch(examples, pa.int32())
    assert list(rows.examples(pa.Table.from_batches([batch]))) == examples


def test_canonical_json_has_one_form():
    assert canonical({"b": 1, "a": [True, "é"]}) == '{"a":[true,"é"],"b":1}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))


def test_two_maskings_of_one_text_are_two_rows():
    def masked(*places: tuple[int, str]) -> Example:
        return Example.original(
            "d", ("a b",), changes=tuple(Change(0, at, at + 1, "ab"[at // 2], s) for at, s in places)
        )

    plain = Example.original("d", ("a b",))
    rows = [plain, masked((0, "mask")), masked((2, "mask")), masked((0, "random")), masked((0, "mask"), (2, "kept"))]
    assert len({row.id for row in rows}) == len(rows)
    assert masked().id == plain.id
    copies = [plain.copy(plain.texts, strategy="s", draw=0, changes=row.changes) for row in rows[1:]]
    assert len({copy.id for copy in copies}) == len(copies)
    assert [copy.masks for copy in copies] == [row.changes for row in rows[1:]]


def test_changes_that_mask_nothing_leave_the_id_alone():
    plain = Example.original("d", ("a b",))
    change = Change(0, 0, 1, "x", "vectors")
    first, second = (plain.copy(("a b",), strategy="s", draw=0, changes=changes) for changes in ((), (change,)))
    assert first.id == second.id
    assert second.masks == ()


spans = st.builds(Span, st.just(0), st.integers(0, 9), st.integers(0, 9), st.none() | st.integers(0, 12))


@given(
    st.lists(
        st.builds(
            Example.original,
            st.text(),
            texts,
            st.none() | st.sets(st.integers(0, 30)).map(lambda found: tuple(sorted(found))),
            st.lists(spans, max_size=4).map(tuple),
        ),
        max_size=4,
    )
)
def test_sets_of_labels_and_spans_of_a_table_are_what_they_were(examples):
    table = pa.Table.from_batches([rows.to_batch(examples, pa.list_(pa.int32()))])
    assert list(rows.examples(table)) == examples
    assert rows.labels(table) == [example.label for example in examples]


def test_a_row_is_labelled_by_itself_or_by_its_words():
    assert Example.original("n", ("a b",), ()).is_labelled
    assert Example.original("n", ("a b",), 0).is_labelled
    assert Example.original("n", ("a b",), None, (Span(0, 0, 1, 0), Span(0, 2, 3, 1))).is_labelled
    assert not Example.original("n", ("a b",)).is_labelled
    assert not Example.original("n", ("a b",), None, (Span(0, 0, 1),)).is_labelled


def test_pieces_end_to_end_are_the_text():
    first, last = Change(0, 0, 0, "the ", "n_gram"), Change(0, 2, 6, "fine", "vectors")
    elsewhere = Change(1, 0, 1, "b", "vectors")
    row = Example.original("n", ("the a fine film", "b")).copy(
        ("a dull film", "c"), strategy="s", draw=0, changes=(last, elsewhere, first)
    )
    assert row.pieces(0) == [Piece("", first), Piece("a "), Piece("dull", last), Piece(" film")]
    assert row.pieces(1) == [Piece("c", elsewhere)]
    assert Example.original("n", ("",)).pieces(0) == []
