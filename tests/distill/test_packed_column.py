from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distill.packed_column import Filling, PackedColumn, runs, shares


@given(st.lists(st.integers(0, 6)))
def test_runs_are_of_successive_positions_and_cover_all_in_order(positions):
    found = list(runs(positions))
    assert [begin for begin, _, _ in found] == [sum(count for *_, count in found[:i]) for i in range(len(found))]
    assert [first + i for _, first, count in found for i in range(count)] == positions
    assert all(count > 0 for *_, count in found)
    # A run goes on as far as it can.
    ends = [first + count for _, first, count in found[:-1]]
    assert all(end != first for end, (_, first, _) in zip(ends, found[1:], strict=True))


@given(
    st.integers(1, 8).flatmap(
        lambda rows: st.lists(st.lists(st.integers(0, 9), min_size=rows, max_size=rows), min_size=1, max_size=3)
    ),
    st.integers(1, 6),
)
def test_shares_are_all_copies_once_in_order_and_none_is_larger_than_its_part_and_a_row(sizes, count):
    def filling(sizes):
        column = PackedColumn("x", np.dtype("<f4"), np.array(sizes))
        column.mapped[0] = np.arange(2.0 * sum(sizes), dtype="<f4")
        column.addresses[:] = np.cumsum([0, *sizes[:-1]]) * 2
        return Filling(column, np.arange(len(sizes)), [0] * len(sizes), [0, 1])

    fillings = [filling(each) for each in sizes]
    found = list(shares(fillings, count))
    assert len(found) == count
    for filling in fillings:
        filling.packed[:] = -1
    done = [0]
    for work in found:
        work()
        done.append(sum(int((filling.packed >= 0).sum()) for filling in fillings))
    assert done[-1] == sum(filling.packed.size for filling in fillings)
    part = done[-1] / count + max(max(each) for each in sizes) * 2
    assert all(now - before <= part for before, now in pairwise(done))
    for filling, each in zip(fillings, sizes, strict=True):
        # The numbers of a map count up, a row's first layer before its second.
        rows = np.split(np.arange(2 * sum(each)), np.cumsum(each)[:-1] * 2)
        assert np.array_equal(filling.packed, np.concatenate([row.reshape(2, -1) for row in rows], axis=1))
