import datasets
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from augment import candidates
from augment.candidates import NONE, Position
from schemas.cache import Cache
from schemas.digest import digest

ids = st.integers(0, 2**64 - 1)
offsets = st.integers(0, 2**31 - 1)
scores = st.floats(width=32, allow_nan=False)


words = st.lists(st.tuples(st.text(), scores), max_size=4)
positions = st.tuples(st.integers(0, 1), offsets, offsets, st.sampled_from(["vectors", "elsewhere", NONE]), words)
# Plain values: beartype must not draw numbers inside a strategy.
rows = st.dictionaries(ids, st.lists(positions, max_size=4), max_size=5)


def made(rows) -> dict[int, tuple[Position, ...]]:
    return {key: tuple(position(*each) for each in row) for key, row in rows.items()}


def position(text, start, end, source, possible) -> Position:
    return Position(text, start, end, source, tuple(w for w, _ in possible), tuple(score for _, score in possible))


@given(rows, st.integers(1, 3))
def test_positions_come_back_as_they_were(plain, size):
    expected = made(plain)
    keys = list(expected)
    parts = [keys[start : start + size] for start in range(0, len(keys), size)]
    batches = [candidates.to_batch(part, [expected[key] for key in part]) for part in parts]
    assert candidates.from_table(pa.Table.from_batches(batches, candidates.SCHEMA)) == expected


@given(rows)
def test_a_slice_of_a_table_gives_its_rows(plain):
    expected = made(plain)
    keys = list(expected)
    table = pa.Table.from_batches([candidates.to_batch(keys, [expected[key] for key in keys])])
    assert candidates.from_table(table.slice(1)) == {key: expected[key] for key in keys[1:]}


def test_the_group_opens_as_a_data_set(tmp_path):
    row = (Position(0, 0, 4, "vectors", ("film", "movie"), (0.5, 0.25)), Position(0, 5, 8, NONE))
    group = Cache(tmp_path).group("candidates")
    with group.writer(0, candidates.SCHEMA) as writer:
        writer.write(candidates.to_batch([7, 9], [row, ()]))
        writer.commit(settings=digest("test"), input=digest("test"), accounting={})
    group.publish_manifest({}, 1)
    opened = datasets.load_from_disk(str(group.path))
    assert opened["id"][:] == [7, 9]
    assert opened[0]["positions"][0]["words"] == ["film", "movie"]
    assert opened[1]["positions"] == []
    side = group.committed(0)
    assert side is not None
    assert candidates.from_table(group.read_shard(side)) == {7: row, 9: ()}
    assert np.array_equal(opened[0]["positions"][0]["scores"], [0.5, 0.25])
