"""Bringing one file over HTTP: taken up where it was cut, tried again with patience, checked."""

import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from mammoscope.archives.fetch_sources import Download
from mammoscope.core.errors import ArchiveError, CorruptFileError
from mammoscope.formats.files import write_atomic

_BLOCK = 1 << 16
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_MOST_TRIES = 500
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_MAGIC = {".zip": b"PK", ".gz": b"\x1f\x8b", ".npy": b"\x93NUMPY"}


class StoppedError(Exception):
    """The user stopped the fetching; what is there can be taken up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How patient to be with a server.

    Attributes
    ----------
    tries : how often in a row a file may fail to grow before it is given up
    first_wait_s, longest_wait_s : the waits between them double from one to the other; a server
        that asks for a longer one is left
    timeout_s : for connecting and for each read
    slowest_bytes_s : a connection that is slower over `timeout_s` is broken off
    stop : set to end all fetching soon
    pause : waits the seconds given; None waits until `stop` is set
    """

    tries: int = 6
    first_wait_s: float = 2.0
    longest_wait_s: float = 600.0
    timeout_s: float = 60.0
    slowest_bytes_s: float = 50.0
    stop: threading.Event = field(default_factory=threading.Event)
    pause: Callable[[float], object] | None = None

    def wait(self, seconds: float) -> None:
        """Wait, unless everything is to stop."""
        (self.pause or self.stop.wait)(seconds)
        self.check()

    def check(self) -> None:
        """Raise `StoppedError` when everything is to stop."""
        if self.stop.is_set():
            raise StoppedError


class _AgainError(Exception):
    """What may go away by itself; `wait_s` is what the server asked for."""

    def __init__(self, what: str, wait_s: float | None = None) -> None:
        super().__init__(what)
        self.wait_s = wait_s


class _Told:
    """Keeps what was told of the bytes in step with those that are there."""

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self._on_bytes = on_bytes
        self._sum = 0

    def more(self, count: int) -> None:
        self._sum += count
        self._on_bytes(count)

    def settle(self, size: int) -> None:
        if size != self._sum:
            self.more(size - self._sum)


def bring(
    download: Download, target: Path, manners: Manners, on_bytes: Callable[[int], None]
) -> Path:
    """Bring a file as ``<target>.part`` and check it; the caller puts it in its place.

    Parameters
    ----------
    download : what to bring
    target : final path, which is not touched
    on_bytes : is told how many bytes more (or fewer, when it starts anew) are there

    Returns
    -------
    Path
        The part file, whole.

    Raises
    ------
    ArchiveError
        When the server does not give it.
    CorruptFileError
        When what came is not the file: a web page, another length or checksum.
    StoppedError
        When `manners.stop` was set.
    """
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    failures, furthest, why = 0, _size(part), ""
    told = _Told(on_bytes)
    for _ in range(_MOST_TRIES):
        manners.check()
        told.settle(_size(part))
        try:
            _try_once(download, part, manners, told.more)
        except _AgainError as error:
            why = str(error)
            failures = 0 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if failures >= manners.tries:
                break
            manners.wait(_wait(download, manners, failures, error))
        else:
            told.settle(_size(part))
            _check(download, part)
            return part
    raise ArchiveError(
        f"{download.url}: {why}; it was given up after {failures} tries that brought nothing new, "
        "so run the same command again later."
    )


def forget(target: Path) -> None:
    """Remove what `bring` left beside a path, when the file is in its place."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _wait(download: Download, manners: Manners, failures: int, error: _AgainError) -> float:
    if error.wait_s is None:
        return float(min(manners.first_wait_s * 2 ** max(0, failures - 1), manners.longest_wait_s))
    if error.wait_s > manners.longest_wait_s:
        raise ArchiveError(
            f"{download.url}: the server asks to wait {error.wait_s:.0f} seconds; run the same "
            "command again then."
        )
    return error.wait_s


def _try_once(
    download: Download, part: Path, manners: Manners, on_bytes: Callable[[int], None]
) -> None:
    offset, marks = _resumable(download, part)
    if marks.get("whole"):
        return
    headers = {"User-Agent": "mammoscope", "Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": marks["validator"]}
    request = urllib.request.Request(download.url, headers=headers)  # noqa: S310 see _opener
    try:
        with _opener().open(request, timeout=manners.timeout_s) as response:
            _take(download, part, response, manners, on_bytes)
    except urllib.error.HTTPError as error:
        with error:
            _explain_status(download, part, error)
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise ArchiveError(
                f"{download.url}: the server's certificate is not valid ({error.reason}); fetch it "
                "from another network, or by hand."
            ) from error
        raise _AgainError(f"no connection ({error.reason})") from error
    except http.client.HTTPException as error:
        raise _AgainError(f"the answer was cut or is no HTTP ({error!r})") from error
    except (TimeoutError, ConnectionError, ssl.SSLError, UnicodeError) as error:
        raise _AgainError(f"the connection broke ({str(error) or 'time-out'})") from error


def _explain_status(download: Download, part: Path, error: urllib.error.HTTPError) -> None:
    if error.code == 416:
        # The part is longer than the file that is there now.
        _drop(part)
        raise _AgainError("the file on the server is another one than before") from error
    if error.code in _AGAIN:
        asked = _retry_after(error.headers)
        raise _AgainError(f"the server answered {error.code} {error.reason}", asked) from error
    raise ArchiveError(
        f"{download.url}: the server answered {error.code} {error.reason}; see on the archive's "
        "page whether it has moved."
    ) from error


def _retry_after(headers: Message) -> float | None:
    """Seconds that a server asks to wait (RFC 9110, 10.2.3): a number or a date."""
    said = (headers.get("Retry-After") or "").strip()
    if said.isdecimal():
        return float(said[:9])
    try:
        when = parsedate_to_datetime(said)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only, and from https not back to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise ArchiveError(
                f"{req.full_url}: the server sends us on to {newurl}, which is not safe; fetch the "
                "file by hand from the archive's page."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Make an opener that knows http and https and nothing else (no file, no ftp)."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _take(
    download: Download,
    part: Path,
    response: http.client.HTTPResponse,
    manners: Manners,
    on_bytes: Callable[[int], None],
) -> None:
    """Write an answer behind what is there, or from the start where the server begins anew."""
    offset, marks = _resumable(download, part)
    start, total = _place_of(response, part, offset, marks)
    _check_length(download, part, total, start)
    if not start and _size(part):
        on_bytes(-_size(part))
        _drop(part)
    validator = _validator(response.headers)
    _write_note(part, {"url": download.url, "validator": validator, "total": total})
    if not response.chunked:
        # Read on to the end of the connection: only so does a length that is too small show.
        response.length = None
    most = download.most_bytes if total is None else total
    size = _copy(response, part, manners, on_bytes, most)
    if total is None and size > most:
        _drop(part)
        _check_length(download, part, size, 0)
    if total is not None and size != total:
        if size > total:
            _drop(part)
        raise _AgainError(f"{size} bytes came where the server said {total}")
    _write_note(part, {"url": download.url, "validator": validator, "total": size, "whole": True})


def _copy(
    response: http.client.HTTPResponse,
    part: Path,
    manners: Manners,
    on_bytes: Callable[[int], None],
    most: int,
) -> int:
    """Write what comes behind the part, to its end or one block beyond `most` bytes."""
    with part.open("ab") as written:
        try:
            return _copy_blocks(response, written, manners, on_bytes, most)
        finally:
            # The note beside it may tell the next run to build on what is there.
            written.flush()
            os.fsync(written.fileno())


def _copy_blocks(
    response: http.client.HTTPResponse,
    written: IO[bytes],
    manners: Manners,
    on_bytes: Callable[[int], None],
    most: int,
) -> int:
    size = written.tell()
    since, seen = time.monotonic(), size
    while True:
        manners.check()
        try:
            block = response.read1(_BLOCK)
        except OSError as error:
            # All is there; the server merely keeps the line open.
            if size == most:
                return size
            raise ConnectionError(str(error) or "time-out") from error
        if not block:
            return size
        written.write(block)
        size += len(block)
        on_bytes(len(block))
        if size > most:
            return size
        now = time.monotonic()
        if now - since > manners.timeout_s:
            if size - seen < manners.slowest_bytes_s * (now - since):
                raise TimeoutError(f"{size - seen} bytes in {now - since:.0f} seconds")
            since, seen = now, size


def _place_of(
    response: http.client.HTTPResponse, part: Path, offset: int, marks: dict[str, Any]
) -> tuple[int, int | None]:
    """Say where the answer belongs: (first byte, length of the whole file or None)."""
    if response.status == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        total = int(found[3]) if found and found[3] != "*" else None
        same = _validator(response.headers) == marks.get("validator")
        known = marks.get("total")
        if not found or int(found[1]) != offset or not same or (known and total != known):
            _drop(part)
            raise _AgainError("the file on the server is another one than before")
        return offset, total
    if response.status != 200:
        raise _AgainError(f"the server answered {response.status}, which is no whole file")
    said = response.headers.get("Content-Length", "").strip()
    return 0, int(said[:18]) if said.isdecimal() and not response.chunked else None


def _check_length(download: Download, part: Path, total: int | None, start: int) -> None:
    if total is None:
        return
    if download.size not in (None, total) or total > download.most_bytes:
        raise CorruptFileError(
            f"{download.url}: the server sends {total} bytes where "
            f"{download.size or f'at most {download.most_bytes}'} were expected; see on the "
            "archive's page whether there is a new version."
        )
    if total - start > shutil.disk_usage(part.parent).free:
        raise OSError(errno.ENOSPC, "no space left for the file", str(part))


def _validator(headers: Message) -> str:
    """Return what tells one version of a file from another: a strong ETag, its date, or ""."""
    tag = (headers.get("ETag") or "").strip()
    # RFC 9110, 13.1.5: a weak ETag may not stand in If-Range.
    return tag if tag.startswith('"') else (headers.get("Last-Modified") or "").strip()


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_note(part: Path, marks: dict[str, Any]) -> None:
    write_atomic(_note(part), json.dumps(marks))


def _resumable(download: Download, part: Path) -> tuple[int, dict[str, Any]]:
    """Say how much of the part can be built on, and what was noted of it."""
    size = _size(part)
    try:
        marks = json.loads(_note(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0, {}
    if not isinstance(marks, dict) or marks.get("url") != download.url or not size:
        return 0, {}
    if marks.get("whole"):
        return (size, marks) if marks.get("total") == size else (0, {})
    usable = isinstance(marks.get("validator"), str) and marks["validator"]
    return (size, marks) if usable else (0, {})


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _check(download: Download, part: Path) -> None:
    """Refuse what is not the file that was asked for, and remove it."""
    with part.open("rb") as stream:
        head = stream.read(512)
        stream.seek(0)
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    what = ""
    kind = next((k for k in _MAGIC if urlsplit(download.url).path.endswith(k)), None)
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        what = "the server sent a web page in place of the file"
    elif download.sha256 not in (None, found):
        what = f"what came has another SHA-256 ({found}) than the known {download.sha256}"
    elif kind is not None and not head.startswith(_MAGIC[kind]):
        what = f"what came is no {kind} file"
    if what:
        _drop(part)
        raise CorruptFileError(
            f"{download.url}: {what}; run the command again, or look on the archive's page."
        )
