"""Starting processes of our own without running the user's program once more."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without_main() -> Iterator[None]:
    """Hide the running program while processes are spawned, and keep Ctrl-C from them.

    A spawned process first imports the program that was started, so a user's script without the
    ``if __name__ == "__main__"`` guard would begin anew in each. Ours need nothing of it.

    A terminal sends Ctrl-C to every process. They inherit that it is held back, so that each need
    not print its own trace; the program itself receives it at the end at the latest, and must end
    them then.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
