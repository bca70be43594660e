"""A way to run the command line, and stand-ins for what its commands call."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from mammoscope.cli.main import main


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys) -> Callable[..., Ended]:
    """Run `mammoscope` with arguments in this process."""

    def run_command(*arguments: object) -> Ended:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run_command


@pytest.fixture
def stand_in(monkeypatch) -> Callable[..., None]:
    """Put a module of given names in place of a real one, so that no test here loads torch."""

    def put(module: str, **names: object) -> None:
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**names))

    return put
