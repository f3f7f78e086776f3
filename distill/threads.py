"""Threads beside the one that trains: as many as torch was given, for work that leaves Python's lock alone."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import torch


def together(works: Iterable[Callable[[], object]], count: int) -> None:
    """Do so many works at once, each begun when it is yielded, the last on this thread; return when all are done.

    Raises what the last has raised, or else the first of the others that failed, when none is at work any more.
    """
    threads = torch.get_num_threads()
    others: list[Future[object]] = []
    try:
        for number, work in enumerate(works, 1):
            if number < count and threads > 1:
                others.append(pool(os.getpid(), threads).submit(work))
            else:
                work()
    finally:
        failures = [other.exception() for other in others]
    for failure in failures:
        if failure:
            raise failure


@cache
def pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the threads of a process: one that was forked has none of those of its parent."""
    del process
    return ThreadPoolExecutor(threads, "distill")
