"""Starting processes of our own without running the user's program once more."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without_main() -> Iterator[None]:
    """Hide the running program while processes are spawned.

    A spawned process first imports the program that was started, so a user's script without the
    ``if __name__ == "__main__"`` guard would begin anew in each. Ours need nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
