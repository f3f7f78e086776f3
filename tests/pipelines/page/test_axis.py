"""Axes: everything lies on the drawing, in order, with round numbers beside it."""

from hypothesis import example, given
from hypothesis import strategies as some

from pipelines.page.axis import Axis

NUMBERS = some.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))
POSITIVE = some.floats(1e-4, 1e6)


@given(some.lists(NUMBERS, min_size=1))
def test_numbers_lie_on_the_axis_in_order(values):
    axis = Axis.of(values, 300, 20)
    places = [axis.at(value) for value in sorted(values)]
    assert places == sorted(places, reverse=True)
    assert all(20 <= place <= 300 for place in places)


@given(some.lists(POSITIVE, min_size=1))
def test_a_logarithmic_axis_keeps_ratios(values):
    axis = Axis.of(values, 0, 600, logarithmic=True)
    assert all(0 <= axis.at(value) <= 600 for value in values)
    first, second, third = (axis.at(axis.low * factor) for factor in (1, 1.2, 1.44))
    assert abs((second - first) - (third - second)) < 0.2


@given(some.lists(NUMBERS, min_size=1))
@example([1.0, 8.3])
def test_a_few_ticks_lie_inside(values):
    ticks = Axis.of(values, 0, 100).ticks()
    assert 2 <= len(ticks) <= 6
    assert all(-0.1 <= place <= 100.1 for place, _ in ticks)


def test_ticks_are_round():
    assert [text for _, text in Axis.of([0.78, 0.84], 0, 100).ticks()] == ["0.78", "0.8", "0.82", "0.84"]
    assert [text for _, text in Axis.of([1.2, 3.75], 0, 100, logarithmic=True).ticks()] == ["1", "2", "5"]
