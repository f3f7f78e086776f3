import pyarrow as pa

from schemas import rows
from schemas.digest import digest
from schemas.example import Change, Example
from schemas.group import Group
from schemas.manifest import SideFile


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


def test_a_shard_is_written_once_for_the_same_originals_and_settings(tmp_path):
    group = Group(tmp_path / "rows")
    grown: list[int] = []

    def write(originals: list[Example], settings: str) -> SideFile | None:
        def grow(read: pa.Table) -> tuple[pa.Table, dict[str, int]]:
            grown.append(len(originals))
            copies = [each.copy((f"{each.texts[0]} indeed",), strategy="s", draw=0, changes=()) for each in originals]
            batch = pa.Table.from_batches([rows.copies_to_batch(copies)])
            return pa.concat_tables([read, rows.complete(batch, read)]), {"kept": len(read), "copies": len(batch)}

        rows.write_shard(group, 0, pa.int32(), originals, grow, settings=digest(settings))
        return group.committed(0)

    two = [Example.original("d", (text,), 1) for text in ("a good film", "a film")]
    first = write(two, "one")
    assert first
    assert first.accounting == {"kept": 2, "copies": 2}
    found = list(rows.examples(group.read_shard(first)))
    assert len(found) == 4
    assert found == sorted(found, key=lambda example: example.order)
    assert write(two, "one") == first
    assert grown == [2]
    for other in (two[:1], [two[0]._replace(count=2), two[1]]):
        assert write(other, "one") != first
        assert write(two, "one") == first
    assert write(two, "two") != first
