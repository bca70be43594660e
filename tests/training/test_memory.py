"""Memory that is kept: fewer pages are got anew from the system."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource
from mammoscope.training.memory import keep_freed_memory
keep = {keep}
if keep:
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def fill():
    piece = bytearray(b"x") * (48 << 20)
    del piece
fill()
before = faults()
for _ in range(5):
    fill()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_large_pieces_come_from_memory_that_is_there() -> None:
    # In processes of their own: what is set here holds for a process until its end.
    kept, plain = (
        int(subprocess.check_output([sys.executable, "-c", COUNT.format(keep=keep)]))
        for keep in (True, False)
    )
    assert kept * 10 < plain


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from mammoscope.training import memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _name: object())
    assert not memory.keep_freed_memory()
