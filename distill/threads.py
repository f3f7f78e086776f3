"""Threads: how many a process computes with, and work that they do at once where it leaves Python's lock alone."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

import torch


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def use_all_cores() -> None:
    """Let this process compute with all its cores, whatever a stage before it did."""
    torch.set_num_threads(cores())


def together(works: Iterable[Callable[[], object]], count: int) -> None:
    """Do `count` works, as many at a time as torch has threads, each handed over when it is yielded, the last here.

    Returns when all are done. Raises what the last has raised, or else the first of the others that failed; what has
    not begun by then is left undone, and nothing is at work any more. No work may call this itself.
    """
    threads = torch.get_num_threads()
    others: list[Future[object]] = []
    try:
        for number, work in enumerate(works, 1):
            if number < count and threads > 1:
                others.append(pool(os.getpid(), threads).submit(work))
            else:
                work()
        for other in others:
            other.result()
    except BaseException:
        for other in others:
            other.cancel()
        wait(others)
        raise


@cache
def pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the threads of a process: one that was forked has none of those of its parent."""
    del process
    return ThreadPoolExecutor(threads, "distill")
