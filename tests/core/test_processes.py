"""Starting processes of our own: Ctrl-C is the program's alone."""

import signal
import sys
from contextlib import suppress

import pytest

from mammoscope.core.processes import without_main


def test_ctrl_c_is_held_back_while_processes_start_and_delivered_then():
    reached = []

    def start():
        with without_main():
            # A process started here inherits that the signal is held back.
            assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
            signal.raise_signal(signal.SIGINT)
            reached.append("end")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert reached == ["end"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_running_program_is_back_when_a_start_fails():
    main = sys.modules["__main__"]
    with suppress(OSError), without_main():
        assert sys.modules["__main__"] is not main
        raise OSError
    assert sys.modules["__main__"] is main
