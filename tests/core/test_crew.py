"""Work in processes of our own: each piece comes to something once, whoever dies."""

from functools import partial

import pytest

from mammoscope.core.crew import Lost, work_in_processes

MODULE = '''
"""Work, in a module that other processes can import."""
import os
import signal
import time
from pathlib import Path


def double(number):
    return 2 * number


def die_on_three(number, folder, times):
    """Be killed by the system the first `times` times that 3 is asked for."""
    if number == 3:
        tries = Path(folder) / "tries"
        with tries.open("a") as begun:
            begun.write("x")
        if len(tries.read_text()) <= times:
            os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def sleep_on_three(number):
    if number == 3:
        time.sleep(60)
    return 2 * number
'''


@pytest.fixture
def made(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "made_work.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    import made_work

    return made_work


def done_with(work, numbers, **limits):
    waiting = iter(numbers)
    limits = {"seconds": 60.0, "attempts": 3, **limits}
    return sorted(work_in_processes(lambda: next(waiting, None), work, 2, **limits), key=str)


def test_every_piece_comes_to_something_once(made):
    assert done_with(made.double, range(9)) == [(n, 2 * n) for n in range(9)]


def test_a_piece_is_begun_as_often_as_was_said_and_then_lost(made, tmp_path):
    work = partial(made.die_on_three, folder=tmp_path, times=9)
    assert done_with(work, range(2, 5)) == [(2, 4), (3, Lost("ended")), (4, 8)]
    assert (tmp_path / "tries").read_text() == "xxx"


def test_a_piece_whose_process_dies_less_often_is_done(made, tmp_path):
    work = partial(made.die_on_three, folder=tmp_path, times=2)
    assert done_with(work, range(2, 5)) == [(2, 4), (3, 6), (4, 8)]


@pytest.mark.slow
def test_a_late_piece_is_lost_and_its_process_replaced(made):
    found = done_with(made.sleep_on_three, [3, 3, 3, 4], seconds=2.0)
    assert found == [(3, Lost("late"))] * 3 + [(4, 8)]


def test_who_stops_listening_leaves_no_process_behind(made):
    import multiprocessing

    before = set(multiprocessing.active_children())
    run = work_in_processes(iter(range(5)).__next__, made.double, 2, seconds=60.0, attempts=3)
    next(run)
    run.close()
    assert set(multiprocessing.active_children()) == before
