"""Plots: the right points, from the right lines of a log."""

import json

import pytest

from pipelines.page.plots import costs, curves, thinned


def arm(name: str, value: float | None, seconds: float) -> dict:
    bounds = [None, None] if value is None else [value - 0.1, value + 0.1]
    return {"name": name, "value": value, "interval": bounds, "seconds_per_row": seconds}


def test_the_faster_lies_left_and_the_better_above():
    drawn = costs([arm("teacher", 0.9, 0.01), arm("broken", None, 0.01), arm("distilled", 0.8, 0.001)])
    assert drawn is not None
    teacher, student = drawn["points"]
    assert student["x"] < teacher["x"]
    assert student["y"] > teacher["y"]
    assert teacher["low"] > teacher["y"] > teacher["high"]
    assert (teacher["colour"], student["colour"]) == (0, 2), "a colour belongs to an arm, drawn or not"


def test_nothing_is_drawn_of_undefined_numbers():
    assert costs([arm("teacher", None, 0.01)]) is None


def test_curves_count_steps_through_all_stages(tmp_path):
    log = [
        {"stage": 0, "step": 1, "loss": 4.0},
        {"stage": 0, "step": 2, "loss": 3.0},
        {"stage": 1, "step": 1, "loss": 2.0},
        {"stage": 1, "step": 1, "dev": 0.5},
        {"stage": 1, "step": 2, "dev": None},
    ]
    (tmp_path / "distilled").mkdir()
    # The last line of a log may have been cut by a crash.
    text = "".join(json.dumps(entry) + "\n" for entry in log) + '{"stage": 1, "st'
    (tmp_path / "distilled/losses.jsonl").write_text(text)
    dev, loss = curves(tmp_path, "accuracy", ["teacher", "distilled"])
    assert dev["title"] == "accuracy on the dev rows"
    assert len(dev["lines"][0]["dots"]) == 1
    (line,) = loss["lines"]
    places = [x for x, _ in line["dots"]]
    assert line["name"] == "distilled"
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)


def test_thinning_keeps_the_mean():
    points = [(float(i), float(i % 7)) for i in range(1000)]
    few = thinned(points, 100)
    assert len(few) == 100
    assert sum(y for _, y in few) / 100 == pytest.approx(sum(y for _, y in points) / 1000)
    assert thinned([]) == []
