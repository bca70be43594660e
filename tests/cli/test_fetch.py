"""`mammoscope archive fetch`: terms first, then the files, and an exit code that tells."""

import hashlib
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import typer

from mammoscope.archives import fetch_sources
from mammoscope.archives.fetch_sources import Download, Source
from mammoscope.cli.fetch import fetch
from mammoscope.core.errors import BadValueError

TABLE = b"1,2,3\n" * 1000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def source(tmp_path, monkeypatch):
    """An archive called uci on a local server; returns the folder that the server shows."""
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "t.data").write_bytes(TABLE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(shown)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    root = f"http://127.0.0.1:{server.server_address[1]}"
    digest = hashlib.sha256(TABLE).hexdigest()
    made = Source(
        name="uci",
        page=root,
        licence="CC BY 4.0",
        citation="Somebody (1995)",
        about_bytes=6000,
        downloads=(
            Download(url=f"{root}/t.data", place="t.data", sha256=digest),
            Download(url=f"{root}/u.data", place="u.data"),
        ),
    )
    monkeypatch.setattr("mammoscope.archives.fetch.SOURCES", {"uci": made})
    yield shown
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def answer(monkeypatch):
    """Sit at a terminal and answer the question."""

    def give(yes: bool) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(typer, "confirm", lambda _: yes)

    return give


def test_the_terms_are_shown_and_the_files_come(source, tmp_path, capsys):
    (source / "u.data").write_bytes(b"1")
    fetch("uci", tmp_path / "out", yes=True)
    said = capsys.readouterr().out
    for word in (
        "CC BY 4.0",
        "Somebody (1995)",
        "less than 0.1 GB",
        "2 files fetched",
        "archive check",
    ):
        assert word in said
    assert (tmp_path / "out" / "t.data").read_bytes() == TABLE


def test_nothing_is_fetched_without_a_terminal_and_without_yes(source, tmp_path):
    with pytest.raises(BadValueError, match=r"must be accepted first; .* --yes"):
        fetch("uci", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_no_at_the_terminal_fetches_nothing(source, tmp_path, answer):
    answer(False)
    with pytest.raises(BadValueError, match="was not accepted"):
        fetch("uci", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_yes_at_the_terminal_begins(source, tmp_path, answer):
    answer(True)
    (source / "u.data").write_bytes(b"1")
    fetch("uci", tmp_path / "out")
    assert (tmp_path / "out" / "u.data").read_bytes() == b"1"


def test_a_file_that_fails_is_named_and_the_end_is_one(source, tmp_path, capsys):
    with pytest.raises(typer.Exit) as ended:
        fetch("uci", tmp_path / "out", yes=True)
    assert ended.value.exit_code == 1
    assert "u.data: the server answered 404" in capsys.readouterr().err


def test_the_end_is_two_when_every_file_fails(source, tmp_path):
    (source / "t.data").write_bytes(TABLE[::-1])
    with pytest.raises(typer.Exit) as ended:
        fetch("uci", tmp_path / "out", yes=True)
    assert ended.value.exit_code == 2


def test_every_archive_of_the_table_is_named_in_the_help():
    argument = fetch.__annotations__["name"].__metadata__[0]
    assert all(name in argument.help for name in fetch_sources.SOURCES)
