import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.break_even import BreakEven

SECONDS = st.floats(1e-6, 1e3)


@given(teaching=SECONDS, asking=SECONDS, reading=SECONDS, seen=st.integers(1, 10**6))
def test_so_many_students_cost_less_from_a_cache_and_one_fewer_does_not(teaching, asking, reading, seen):
    students = BreakEven(teaching, asking, reading, seen, rows=10).students

    def cached(count):
        return teaching + count * seen * reading

    def live(count):
        return count * seen * asking

    if students is None:
        assert reading >= asking
        return
    assert cached(students) <= live(students) * (1 + 1e-9)
    if students > 1:
        assert cached(students - 1) >= live(students - 1) * (1 - 1e-9)


def test_a_student_that_never_asks_is_not_spared_anything():
    assert BreakEven(teaching=1.0, asking=2.0, reading=1.0, seen=0, rows=10).students is None


def test_passes_are_those_over_the_rows_that_are_taught():
    assert BreakEven(teaching=1.0, asking=2.0, reading=1.0, seen=25, rows=10).passes == pytest.approx(2.5)
