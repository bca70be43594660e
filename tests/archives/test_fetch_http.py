"""One file from a server that misbehaves."""

import hashlib
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from mammoscope.archives.fetch_http import Manners, StoppedError, bring, forget
from mammoscope.archives.fetch_sources import Download
from mammoscope.core.errors import ArchiveError, CorruptFileError

local = SimpleNamespace(**run_path(str(Path(__file__).with_name("fetch_server.py"))))
DATA = bytes(range(256)) * 4000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server():
    with local.running() as state:
        yield state


@pytest.fixture
def waits():
    return []


@pytest.fixture
def fetch(server, tmp_path, waits):
    """Bring /file as the server's answers allow; returns its bytes."""

    def run(*answers, timeout_s=5.0, tries=3, told=None, **facts):
        url = server.put("/file", *answers)
        manners = Manners(tries=tries, timeout_s=timeout_s, pause=waits.append)
        download = Download(url=url, place="file", **facts)
        on_bytes = (lambda _: None) if told is None else told.append
        return bring(download, tmp_path / "file", manners, on_bytes).read_bytes()

    return run


def ranges(server) -> list[str | None]:
    return [headers.get("Range") for headers in server.asked("/file")]


def test_a_whole_file_comes_at_once(server, fetch, waits):
    assert fetch(local.whole(DATA), sha256=SHA, size=len(DATA)) == DATA
    assert ranges(server) == [None]
    assert waits == []


def test_the_bytes_told_add_up_to_the_file(fetch):
    told = []
    fetch(local.cut(DATA, 5000), local.deaf(DATA), told=told)
    assert sum(told) == len(DATA)


def test_a_cut_file_is_taken_up_where_it_was_cut(server, fetch):
    assert fetch(local.cut(DATA, 5000), local.cut(DATA, 70_000), local.whole(DATA)) == DATA
    assert ranges(server) == [None, "bytes=5000-", "bytes=70000-"]
    assert server.asked("/file")[1]["If-Range"] == '"v1"'


def test_a_part_of_an_earlier_run_is_taken_up(server, fetch):
    with pytest.raises(ArchiveError):
        fetch(local.cut(DATA, 5000), local.status(503), tries=1)
    server.counts.clear()
    assert fetch(local.whole(DATA)) == DATA
    assert ranges(server)[-1] == "bytes=5000-"


def test_a_whole_part_of_an_earlier_run_is_not_asked_for_again(server, fetch):
    fetch(local.whole(DATA))
    fetch(local.status(500))
    assert len(server.asked("/file")) == 1


def test_a_server_that_ignores_range_starts_anew(fetch):
    assert fetch(local.cut(DATA, 5000), local.deaf(DATA)) == DATA


def test_a_file_that_changed_between_the_tries_starts_anew(server, fetch):
    other = DATA[::-1]
    assert fetch(local.cut(DATA, 5000), local.whole(other, '"v2"')) == other
    assert ranges(server) == [None, "bytes=5000-"]


def test_the_rest_of_another_version_is_never_joined(server, fetch):
    other = DATA[::-1]
    assert fetch(local.cut(DATA, 5000), local.careless(other, '"v2"')) == other
    assert ranges(server) == [None, "bytes=5000-", None]


def test_a_file_without_a_version_mark_is_not_built_on(server, fetch):
    assert fetch(local.cut(DATA, 5000, etag=""), local.whole(DATA)) == DATA
    assert ranges(server) == [None, None]


def test_a_weak_mark_is_not_built_on(server, fetch):
    fetch(local.cut(DATA, 5000, etag='W/"v1"'), local.whole(DATA))
    assert ranges(server) == [None, None]


def test_a_part_longer_than_the_file_of_now_starts_anew(server, fetch):
    short = DATA[:3000]
    assert fetch(local.cut(DATA, 5000), local.status(416), local.whole(short)) == short


def test_a_busy_server_is_left_alone_as_long_as_it_asks(fetch, waits):
    assert fetch(local.status(429, Retry_After="17"), local.whole(DATA)) == DATA
    assert waits == [17.0]


def test_a_date_to_wait_for_is_understood(fetch, waits):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    fetch(local.status(503, Retry_After=later), local.whole(DATA))
    assert 90 < waits[0] <= 100


def test_a_wait_that_is_too_long_is_told_not_waited(fetch, waits):
    with pytest.raises(ArchiveError, match="asks to wait 99999 seconds"):
        fetch(local.status(429, Retry_After="99999"))
    assert waits == []


def test_the_waits_grow_and_end(fetch, waits, server):
    with pytest.raises(ArchiveError, match="503 Service Unavailable; it was given up after 5"):
        fetch(local.status(503), tries=5)
    assert waits == [2, 4, 8, 16]
    assert len(server.asked("/file")) == 5


def test_progress_starts_the_count_of_tries_anew(fetch):
    cuts = [local.cut(DATA, 1000 * (i + 1)) for i in range(10)]
    assert fetch(*cuts, local.whole(DATA), tries=2) == DATA


def test_a_file_that_is_not_there_is_not_asked_for_again(server, fetch):
    with pytest.raises(ArchiveError, match="404 Not Found; see on the archive's page"):
        fetch(local.status(404))
    assert len(server.asked("/file")) == 1


def test_fewer_bytes_than_the_server_said_are_told(fetch):
    with pytest.raises(ArchiveError, match=f"{len(DATA)} bytes came where the server said"):
        fetch(local.deaf(DATA, said=len(DATA) + 10))


def test_more_bytes_than_the_server_said_are_told(fetch, tmp_path):
    with pytest.raises(ArchiveError, match=f"came where the server said {len(DATA) - 10}"):
        fetch(local.deaf(DATA, said=len(DATA) - 10))
    assert not (tmp_path / "file").exists()


def test_another_length_than_the_known_one_is_refused_before_it_comes(fetch, tmp_path):
    with pytest.raises(CorruptFileError, match="new version"):
        fetch(local.whole(DATA), size=len(DATA) + 1)
    assert not list(tmp_path.iterdir())


def test_a_file_larger_than_it_may_be_is_refused(fetch):
    with pytest.raises(CorruptFileError, match="at most 100 were expected"):
        fetch(local.whole(DATA), most_bytes=100)


def test_chunks_without_a_length_may_not_be_larger_than_the_file_may_be(fetch):
    with pytest.raises(CorruptFileError, match="at most 100 were expected"):
        fetch(local.chunked(DATA), most_bytes=100)


def test_chunks_without_a_length_are_taken(fetch):
    assert fetch(local.chunked(DATA)) == DATA


def test_chunks_without_their_end_are_a_cut(fetch):
    assert fetch(local.chunked(DATA, ends=False), local.chunked(DATA)) == DATA


def test_another_checksum_is_refused_and_nothing_stays(fetch, tmp_path):
    with pytest.raises(CorruptFileError, match="another SHA-256"):
        fetch(local.whole(DATA[::-1]), sha256=SHA)
    assert not list(tmp_path.iterdir())


def test_a_web_page_in_place_of_the_file_is_refused(fetch, tmp_path):
    page = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
    with pytest.raises(CorruptFileError, match="a web page in place of the file"):
        fetch(local.whole(page))
    assert not list(tmp_path.iterdir())


def test_what_is_no_zip_is_refused(server, tmp_path):
    url = server.put("/a.zip", local.whole(b"nothing of the kind"))
    with pytest.raises(CorruptFileError, match=r"no \.zip file"):
        bring(Download(url=url, place="a.zip"), tmp_path / "a.zip", Manners(), lambda _: None)


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a"])
def test_a_way_out_of_http_is_not_followed(fetch, place):
    with pytest.raises(ArchiveError, match=r"which is not safe|is not allowed"):
        fetch(local.status(302, Location=place))


def test_a_redirect_is_followed_with_its_range(server, fetch):
    server.put("/there", local.cut(DATA, 5000), local.whole(DATA))
    assert fetch(local.status(302, Location=f"{server.url}/there")) == DATA
    assert [h.get("Range") for h in server.asked("/there")] == [None, "bytes=5000-"]


def test_redirects_in_a_ring_end(server, fetch):
    with pytest.raises(ArchiveError):
        fetch(local.status(302, Location=f"{server.url}/file"))


def test_a_server_that_says_nothing_is_left(fetch):
    begun = time.monotonic()
    with pytest.raises(ArchiveError, match=r"connection broke|no connection"):
        fetch(local.silent(2), timeout_s=0.1, tries=2)
    assert time.monotonic() - begun < 2


def test_a_drip_is_left_and_taken_up(server, fetch):
    assert fetch(local.drip(DATA, 0.05), local.whole(DATA), timeout_s=0.3) == DATA
    assert ranges(server)[1] is not None


def test_no_server_at_all_is_told(tmp_path, waits):
    download = Download(url="http://127.0.0.1:9/file", place="file")
    with pytest.raises(ArchiveError, match="no connection"):
        bring(download, tmp_path / "file", Manners(tries=2, pause=waits.append), lambda _: None)


def test_a_stop_ends_a_file_and_keeps_its_part(server, tmp_path):
    stop = threading.Event()
    url = server.put("/file", local.whole(DATA))
    manners = Manners(stop=stop)
    with pytest.raises(StoppedError):
        bring(Download(url=url, place="f"), tmp_path / "f", manners, lambda n: stop.set())
    assert (tmp_path / "f.part").stat().st_size > 0
    assert not (tmp_path / "f").exists()


def test_a_stop_ends_a_wait(server, tmp_path):
    stop = threading.Event()
    url = server.put("/file", local.status(429, Retry_After="300"))
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(StoppedError):
        bring(Download(url=url, place="f"), tmp_path / "f", Manners(stop=stop), lambda _: None)


def test_a_damaged_note_beside_a_part_starts_anew(server, fetch, tmp_path):
    with pytest.raises(ArchiveError):
        fetch(local.cut(DATA, 5000), local.status(503), tries=1)
    (tmp_path / "file.part.json").write_text("{")
    server.counts.clear()
    assert fetch(local.whole(DATA)) == DATA
    assert ranges(server)[-1] is None


def test_a_part_of_another_address_is_not_built_on(server, fetch, tmp_path):
    with pytest.raises(ArchiveError):
        fetch(local.cut(DATA, 5000), local.status(503), tries=1)
    url = server.put("/other", local.whole(DATA[::-1]))
    part = bring(Download(url=url, place="f"), tmp_path / "file", Manners(), lambda _: None)
    assert part.read_bytes() == DATA[::-1]


def test_forgetting_removes_the_part_and_its_note(fetch, tmp_path):
    fetch(local.whole(DATA))
    forget(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_length_of_thousands_of_digits_is_refused(fetch):
    def answer(handler):
        handler.begin(200, {"Content-Length": "9" * 5000})

    with pytest.raises((ArchiveError, CorruptFileError)):
        fetch(answer)


def test_a_server_that_keeps_the_line_open_is_not_waited_for_in_vain(fetch):
    def answer(handler):
        handler.begin(200, {"Content-Length": str(len(DATA))})
        handler.wfile.write(DATA)
        handler.wfile.flush()
        time.sleep(1)

    assert fetch(answer, timeout_s=0.2) == DATA
