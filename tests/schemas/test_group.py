import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.digest import digest, ids_digest
from schemas.errors import IntegrityError, NewerFormatError
from schemas.group import ID, Group
from schemas.manifest import FORMAT, Manifest, SideFile

SCHEMA = pa.schema([ID, pa.field("values", pa.large_list(pa.float32()), nullable=False)])


def batch(ids: list[int], width: int = 3) -> pa.RecordBatch:
    values = [[float(i % 1000) / 7] * (width + i % 2) for i in ids]
    arrays = [pa.array(ids, pa.uint64()), pa.array(values, pa.large_list(pa.float32()))]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def write_shard(group: Group, shard: int, batches: list[list[int]], width: int = 3) -> SideFile:
    with group.writer(shard, SCHEMA) as writer:
        for ids in batches:
            rows = batch(ids, width)
            writer.write(rows)
            writer.note_range("values", rows.column("values").flatten().to_numpy())
        ids = [i for each in batches for i in each]
        input = digest(["input", ids_digest(np.array(ids, np.uint64))])
        return writer.commit(settings=digest("settings"), input=input, accounting={"rows": len(ids)})


def write_group(path: Path, width: int = 3) -> Group:
    group = Group(path)
    write_shard(group, 0, [[1, 2, 3], [4, 5]], width)
    write_shard(group, 1, [], width)
    write_shard(group, 2, [[6], [7, 8]], width)
    group.publish_manifest({"codec": "f32"}, 3)
    return group


def read_group(group: Group) -> list[dict]:
    return [row for side in group.manifest().shards for row in group.read_shard(side).to_pylist()]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Round trip


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=4), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_rows_come_back_as_they_were(tmp_path, batches):
    group = Group(tmp_path / "any")
    side = write_shard(group, 0, batches)
    group.publish_manifest({}, 1)
    expected = [row for ids in batches for row in batch(ids).to_pylist()]
    assert read_group(group) == expected
    assert side.rows == len(expected)
    assert group.read_shard(side).schema.equals(SCHEMA, check_metadata=True)


def test_the_same_rows_are_the_same_bytes(tmp_path):
    one, two = (write_group(tmp_path / folder / "rows") for folder in "ab")
    assert content(one.path) == content(two.path)
    write_group(one.path)
    assert content(one.path) == content(two.path)


def test_a_manifest_says_what_the_group_holds(tmp_path):
    manifest = write_group(tmp_path / "rows").manifest()
    assert (manifest.group, manifest.rows, manifest.settings) == ("rows", 8, {"codec": "f32"})
    assert manifest.accounting == {"rows": 8}
    low, high = manifest.ranges["values"]
    assert (np.float32(low), np.float32(high)) == (np.float32(1 / 7), np.float32(8 / 7))
    assert manifest.bytes == sum(path.stat().st_size for path in (tmp_path / "rows").glob("*.arrow"))


def test_manifests_agree_in_ids_where_rows_and_their_order_are_the_same(tmp_path):
    def ids(name: str, *shards: list[list[int]], width: int = 3) -> list[str]:
        group = Group(tmp_path / name)
        for number, batches in enumerate(shards):
            write_shard(group, number, batches, width)
        return group.publish_manifest({}, len(shards)).ids

    known = ids("rows", [[1, 2], [3]], [[4]])
    assert ids("answers", [[1], [2, 3]], [[4]], width=5) == known
    assert ids("in another order", [[2, 1, 3]], [[4]]) != known
    assert ids("cut elsewhere", [[1, 2]], [[3, 4]]) != known
    assert ids("without the last", [[1, 2, 3]]) != known


def test_another_attempt_replaces_a_shard_and_its_file_is_swept(tmp_path):
    group = write_group(tmp_path / "rows")
    old = group.manifest().shards[0]
    (group.path / ".00000.arrow.dead.tmp").write_bytes(b"half a shard")
    write_shard(group, 0, [[1, 2]])
    # Readers follow the old manifest until there is a new one.
    assert group.read_shard(old).num_rows == 5
    group.publish_manifest({}, 3)
    assert len(read_group(group)) == 5
    assert not (group.path / old.file).exists()
    assert not list(group.path.glob(".*"))


def test_what_was_not_committed_leaves_nothing(tmp_path):
    group = Group(tmp_path / "rows")

    def fail() -> None:
        with group.writer(0, SCHEMA) as writer:
            writer.write(batch([1, 2]))
            raise RuntimeError("a crash")

    with pytest.raises(RuntimeError):
        fail()
    assert list(group.path.iterdir()) == []
    assert group.committed(0) is None


# Damage


def test_a_flipped_bit_anywhere_is_refused_by_name(tmp_path):
    group = write_group(tmp_path / "rows")
    manifest = group.manifest()
    for name in [manifest.shards[0].file, manifest.shards[1].file, "manifest.json"]:
        path = group.path / name
        good = path.read_bytes()
        for position in range(len(good)):
            damaged = bytearray(good)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            with pytest.raises(IntegrityError) as caught:
                read_group(group)
            assert str(path) in caught.value.found
            assert str(group.path) in caught.value.remedy or "upgrade" in caught.value.remedy
        path.write_bytes(good)
    assert len(read_group(group)) == 8


def test_a_flipped_bit_anywhere_in_a_side_file_is_refused_by_name(tmp_path):
    group = write_group(tmp_path / "rows")
    path = group.side_path(0)
    good = path.read_bytes()
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        assert group.committed(0) is None
        with pytest.raises(IntegrityError) as caught:
            group.publish_manifest({}, 3)
        assert str(path) in caught.value.found
    path.write_bytes(good)
    assert group.committed(0) is not None


def test_a_stream_cut_anywhere_is_refused_also_between_batches(tmp_path):
    group = write_group(tmp_path / "rows")
    side = group.manifest().shards[0]
    path = group.path / side.file
    good = path.read_bytes()
    readable = 0
    for length in range(len(good)):
        path.write_bytes(good[:length])
        try:
            rows = pa.ipc.open_stream(pa.py_buffer(good[:length])).read_all().num_rows
            readable += rows < side.rows
        except (pa.ArrowInvalid, OSError):
            pass
        for read in (group.manifest, lambda: group.read_shard(side), lambda: group.committed(0)):
            with pytest.raises(IntegrityError) as caught:
                read()
            assert str(path) in caught.value.found
    # Arrow itself takes some of the cut streams for whole ones: what is checked here is not checked for nothing.
    assert readable > 0


def test_a_missing_shard_is_named(tmp_path):
    group = write_group(tmp_path / "rows")
    side = group.manifest().shards[2]
    (group.path / side.file).unlink()
    with pytest.raises(IntegrityError, match=f"{side.file}: missing"):
        group.committed(2)
    with pytest.raises(IntegrityError, match=f"{side.file}: missing"):
        group.manifest()
    with pytest.raises(IntegrityError, match=f"{side.file}: missing"):
        group.publish_manifest({}, 3)


def test_a_missing_side_file_or_manifest_is_named(tmp_path):
    group = write_group(tmp_path / "rows")
    group.side_path(1).unlink()
    with pytest.raises(IntegrityError, match=r"00001\.json: missing"):
        group.publish_manifest({}, 3)
    group.manifest_path().unlink()
    with pytest.raises(IntegrityError, match=r"manifest\.json: missing"):
        group.manifest()


def test_a_shard_of_another_run_is_refused(tmp_path):
    group, other = write_group(tmp_path / "a" / "rows"), write_group(tmp_path / "b" / "rows", width=5)
    ours, theirs = group.manifest().shards[0], other.manifest().shards[0]
    (group.path / ours.file).write_bytes((other.path / theirs.file).read_bytes())
    with pytest.raises(IntegrityError, match=ours.file):
        read_group(group)


def test_a_shard_of_another_run_of_the_same_size_is_refused(tmp_path):
    group = Group(tmp_path / "rows")
    first, second = write_shard(group, 0, [[2, 4]]), write_shard(group, 1, [[6, 8]])
    assert first.bytes == second.bytes
    group.publish_manifest({}, 2)
    (group.path / first.file).write_bytes((group.path / second.file).read_bytes())
    group.manifest()
    with pytest.raises(IntegrityError, match=first.file):
        group.read_shard(first)


def test_the_manifest_of_another_group_is_refused(tmp_path):
    group, other = write_group(tmp_path / "rows"), write_group(tmp_path / "other")
    group.manifest_path().write_bytes(other.manifest_path().read_bytes())
    with pytest.raises(IntegrityError, match="that of other"):
        group.manifest()


@pytest.mark.parametrize(
    "change",
    [{"format": 99}, {"more": 1}, {"shards": 3}, {"group": None}, {"digest": "0" * 32}, {"settings": {"x": 1}}],
)
def test_a_manifest_with_other_content_is_refused(tmp_path, change):
    group = write_group(tmp_path / "rows")
    document = json.loads(group.manifest_path().read_text())
    group.manifest_path().write_text(json.dumps(document | change))
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        group.manifest()


def test_a_file_name_cannot_lead_elsewhere(tmp_path):
    group = write_group(tmp_path / "rows")
    side = group.manifest().shards[0]
    for name in ("../00000-" + "0" * 32 + ".arrow", "/etc/passwd", "00000.arrow"):
        odd = side.model_copy(update={"file": name}).seal()
        Manifest(group="rows", settings={}, shards=(odd,)).write(group.manifest_path())
        with pytest.raises(IntegrityError, match=r"shards\.0\.file"):
            group.manifest()


# Other readers


def test_what_a_later_version_wrote_is_neither_read_nor_taken_for_unwritten(tmp_path):
    group = write_group(tmp_path / "rows")
    path = group.side_path(0)
    content = json.loads(path.read_text()) | {"format": FORMAT + 1, "a_field_of_tomorrow": 1}
    content["digest"] = digest({key: value for key, value in content.items() if key != "digest"})
    path.write_text(json.dumps(content))
    with pytest.raises(NewerFormatError, match=f"format {FORMAT + 1}") as caught:
        group.committed(0)
    assert "upgrade" in caught.value.remedy


def test_datasets_opens_a_group_without_a_copy(tmp_path):
    group = Group(tmp_path / "rows")
    ids = list(range(2000))
    sides = [write_shard(group, shard, [ids], width=500) for shard in range(3)]
    group.publish_manifest({}, 3)
    size = sum(side.bytes for side in sides)
    before = pa.total_allocated_bytes()
    found = datasets.load_from_disk(str(group.path))
    first = found[0]
    assert pa.total_allocated_bytes() - before < size / 10
    assert len(found) == 6000
    assert first == batch([0], 500).to_pylist()[0]
    assert {Path(file["filename"]).name for file in found.cache_files} == {side.file for side in sides}
    assert found["id"][:2000] == ids


def test_reading_a_shard_copies_nothing(tmp_path):
    group = Group(tmp_path / "rows")
    side = write_shard(group, 0, [list(range(2000))], width=500)
    before = pa.total_allocated_bytes()
    table = group.read_shard(side)
    assert pa.total_allocated_bytes() - before < side.bytes / 10
    assert table.num_rows == 2000
