"""Measuring side by side: baseline and ours in turn, in one process, ratios by round."""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long something took, and what it gave."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def ratio(
    name: str,
    baseline: Callable[[], Any],
    ours: Callable[[], Any],
    same: Callable[[Any, Any], None],
    *,
    rounds: int,
    prepare: Callable[[], None] = lambda: None,
) -> float:
    """Return the median over rounds of baseline time by our time, and print the rounds.

    `same` asserts that both did the same work; the first round warms up and does not count.
    """
    ratios = []
    for number in range(rounds + 1):
        prepare()
        slow, expected = seconds(baseline)
        prepare()
        fast, found = seconds(ours)
        same(expected, found)
        if number:
            ratios.append(slow / fast)
    middle = statistics.median(ratios)
    print(f"{name}: {middle:.3g} (rounds: {', '.join(f'{each:.3g}' for each in ratios)})", flush=True)
    return middle


def finish(ratios: dict[str, float]) -> None:
    """Print the ratios as the last line, one JSON object."""
    print(json.dumps({name: float(f"{value:.4g}") for name, value in ratios.items()}))
