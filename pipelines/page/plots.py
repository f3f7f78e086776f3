"""Plots: where points and lines lie on a drawing, and nothing about how they look."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.loss_log import LossLog
from pipelines.page.axis import Axis

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 56, 16, 16, 44
FEW = 30
FRAME = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM}


def costs(arms: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return cost against quality: each arm's milliseconds a row, and its metric with the interval."""
    shown = [arm for arm in arms if arm["value"] is not None and None not in arm["interval"]]
    if not shown:
        return None
    across = Axis.of([1000 * arm["seconds_per_row"] for arm in shown], LEFT, WIDTH - RIGHT, logarithmic=True)
    up = Axis.of([bound for arm in shown for bound in arm["interval"]], HEIGHT - BOTTOM, TOP)
    points = [
        {
            "name": arm["name"],
            "colour": index,
            "x": across.at(1000 * arm["seconds_per_row"]),
            "y": up.at(arm["value"]),
            "low": up.at(arm["interval"][0]),
            "high": up.at(arm["interval"][1]),
        }
        for index, arm in enumerate(arms)
        if arm in shown
    ]
    return {"points": points, "across": across.ticks(), "up": up.ticks()}


def curves(students: Path, metric: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the drawings of training: losses, stage by stage, and the metric on the dev rows."""
    logs = {name: steps(LossLog(students / name / "losses.jsonl")) for name in names}
    found = []
    for title, key in ((f"{metric} on the dev rows", "dev"), ("loss", "loss")):
        lines = {
            name: [(step, entry[key]) for step, entry in log if entry.get(key) is not None]
            for name, log in logs.items()
        }
        if drawn := {name: thinned(points) for name, points in lines.items() if points}:
            found.append({"title": title, **drawing(drawn, names)})
    return found


def drawing(lines: Mapping[str, Sequence[tuple[float, float]]], names: Sequence[str]) -> dict[str, Any]:
    """Return lines over steps and their axes; a line of few points is drawn with dots, so that one point is seen."""
    every = [point for points in lines.values() for point in points]
    across = Axis.of([0, *(x for x, _ in every)], LEFT, WIDTH - RIGHT)
    up = Axis.of([y for _, y in every], HEIGHT - BOTTOM, TOP)
    drawn = []
    for name, points in lines.items():
        places = [(across.at(x), up.at(y)) for x, y in points]
        text = " ".join(f"{x},{y}" for x, y in places)
        dots = places if len(places) <= FEW else []
        drawn.append({"name": name, "colour": names.index(name), "points": text, "dots": dots})
    return {"lines": drawn, "across": across.ticks(), "up": up.ticks()}


def steps(log: LossLog) -> list[tuple[int, dict[str, Any]]]:
    """Return what a loss log holds, with the number of the step counted through all stages."""
    entries = list(log.entries())
    ends: dict[int, int] = {}
    for entry in entries:
        ends[entry["stage"]] = max(entry["step"], ends.get(entry["stage"], 0))
    before = {stage: sum(end for other, end in ends.items() if other < stage) for stage in ends}
    return [(before[entry["stage"]] + entry["step"], entry) for entry in entries]


def thinned(points: Sequence[tuple[float, float]], at_most: int = 120) -> list[tuple[float, float]]:
    """Return means of neighbouring points where there are more than can be told apart."""
    size = math.ceil(len(points) / at_most)
    parts = [points[start : start + size] for start in range(0, len(points), size)] if size else []
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
