from hypothesis import given
from hypothesis import strategies as st

from distill.packed import runs


@given(st.lists(st.integers(0, 6)))
def test_runs_are_of_successive_positions_and_cover_all_in_order(positions):
    found = list(runs(positions))
    assert [begin for begin, _, _ in found] == [sum(count for *_, count in found[:i]) for i in range(len(found))]
    assert [first + i for _, first, count in found for i in range(count)] == positions
    assert all(count > 0 for *_, count in found)
    # A run goes on as far as it can.
    ends = [first + count for _, first, count in found[:-1]]
    assert all(end != first for end, (_, first, _) in zip(ends, found[1:], strict=True))
