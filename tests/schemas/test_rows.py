import pyarrow as pa

from schemas import rows
from schemas.example import Change, Example


def test_rows_come_back_as_they_went():
    masks = (Change(0, 2, 6, "good", "mask"), Change(0, 0, 1, "a", "kept"))
    found = [Example.original("d", ("a good film",), changes=masks), Example.original("d", ("a", "b"), 1)]
    table = pa.Table.from_batches([rows.to_batch(found, pa.int32())])
    assert list(rows.examples(table)) == found


def test_masked_rows_are_seen():
    def masked(*found: Example) -> bool:
        return rows.is_masked(pa.Table.from_batches([rows.to_batch(found, pa.int32())]))

    plain = Example.original("d", ("a good film",), 1)
    changed = (Change(0, 2, 7, "good", "vectors"),)
    copy = plain.copy(("a great film",), strategy="s", draw=0, changes=changed)
    assert not masked()
    assert not masked(plain, copy)
    assert masked(plain, copy, Example.original("d", ("a",), changes=(Change(0, 0, 1, "a", "random"),)))
