import subprocess
import sys
import threading
import time
from functools import partial

import pytest
import torch

from distill.threads import together


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_all_is_done_and_the_last_on_this_thread(threads):
    done = []
    together([lambda i=i: done.append((i, threading.get_ident())) for i in range(7)], 7)
    assert sorted(i for i, _ in done) == list(range(7))
    assert dict(done)[6] == threading.get_ident()
    others = {thread for i, thread in done if i < 6}
    assert (threading.get_ident() in others) == (threads == 1)


def test_a_work_is_begun_before_the_next_one_is_made(threads):
    begun = threading.Event()

    def works():
        yield begun.set
        assert begun.wait(30)
        yield int

    together(works(), 2)


def test_what_failed_is_raised_when_nothing_is_at_work_any_more(threads):
    begun, go, ended = threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        assert go.wait(30)
        ended.append(True)

    def fail():
        assert begun.wait(30)
        go.set()
        raise ValueError("mine")

    if threads > 1:
        with pytest.raises(ValueError, match="mine"):
            together([slow, fail], 2)
        assert ended == [True]
    with pytest.raises(ZeroDivisionError):
        together([lambda: 1 / 0, int, int], 3)


def test_what_has_not_begun_when_one_fails_is_left_undone(threads):
    done = []

    def work(number):
        if number == 1:
            raise ValueError("broken")
        time.sleep(0.01)
        done.append(number)

    with pytest.raises(ValueError, match="broken"):
        together([partial(work, number) for number in range(200)], 200)
    assert len(done) < 100


def test_where_there_is_nothing_to_do_nobody_is_asked(threads, monkeypatch):
    monkeypatch.setattr("distill.threads.pool", None)
    together([], 0)
    found = []
    together([lambda: found.append(1)], 1)
    assert found == [1]


def test_a_forked_process_has_threads_of_its_own():
    code = """
import os, torch
from distill.threads import together
torch.set_num_threads(2)
together([int, int], 2)
child = os.fork()
if child == 0:
    together([int, int], 2)
    os._exit(7)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120).returncode == 7
