"""Fetching an archive: what is missing, several files at a time, each whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mammoscope.archives.fetch_http import Manners, bring, forget
from mammoscope.archives.fetch_sources import SOURCES, Download, Source
from mammoscope.archives.fetch_tcia import (
    Series,
    listing,
    read_listing,
    series_download,
    write_metadata,
)
from mammoscope.archives.fetch_unpack import unpack
from mammoscope.core.errors import (
    ArchiveError,
    BadValueError,
    CorruptFileError,
    MammoscopeError,
    UnknownNameError,
)

JOURNAL = ".fetched.jsonl"
"""Beside the files: a line for each download that is in its place, with its files' lengths."""
MOST_PARALLEL = 16
_ROOM_TO_SPARE = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told how it goes: of bytes from any thread, of files from the calling one."""

    on_bytes: Callable[[int], None] = lambda _: None
    on_file: Callable[[int, int], None] = lambda _, __: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of it: places that are new, were there before, or failed and why."""

    new: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def source_of(name: str) -> Source:
    """Return where an archive can be had.

    Raises
    ------
    UnknownNameError
        When it cannot be had by HTTP.
    """
    if name not in SOURCES:
        raise UnknownNameError.among("archive to fetch", name, SOURCES)
    return SOURCES[name]


def fetch_archive(
    source: Source,
    folder: Path,
    *,
    parallel: int = 4,
    only: str = "",
    manners: Manners | None = None,
    watch: Watch | None = None,
) -> Fetched:
    """Fetch what is missing of an archive; what was cut before is taken up again.

    Parameters
    ----------
    source : of `SOURCES`
    folder : takes the archive; made where it is missing
    parallel : how many files at a time, 1 to 16
    only : takes only the files whose address or place holds this text
    manners : how patient to be with the servers
    watch : who is told how it goes

    Returns
    -------
    Fetched
        Files that failed are named in it; the others are in their places.

    Raises
    ------
    BadValueError
        When `parallel` is out of range or nothing is chosen by `only`.
    ArchiveError
        When the list of files cannot be had, or the disk has too little room.
    """
    if not 1 <= parallel <= MOST_PARALLEL:
        raise BadValueError(
            f"{parallel} files at a time are not polite; choose 1 to {MOST_PARALLEL}."
        )
    manners, watch = manners or Manners(), watch or Watch()
    folder.mkdir(parents=True, exist_ok=True)
    rows = _list_series(source, folder, manners)
    every = (*source.downloads, *(series_download(row, source) for row in rows))
    chosen = tuple(d for d in every if only in d.url or only in d.place)
    if not chosen:
        raise BadValueError(f"--only {only}: no file of {source.name} has this in its name.")
    journal = _read_journal(folder)
    before = tuple(d for d in chosen if _is_there(d, folder, journal))
    known = {d.url for d in before}
    missing = tuple(d for d in chosen if d.url not in known)
    _check_room(source, folder, len(missing) / len(every))
    try:
        new, failed = _fetch_all(missing, folder, parallel, manners, watch)
    finally:
        if rows:
            write_metadata(folder, rows, _series_sizes(folder, rows, source))
    return Fetched(new=new, before=tuple(_label(d) for d in before), failed=failed)


def _list_series(source: Source, folder: Path, manners: Manners) -> tuple[Series, ...]:
    if source.nbia is None:
        return ()
    wanted = listing(source)
    target = folder / wanted.place
    # A list that was fetched before may be out of date.
    forget(target)
    bring(wanted, target, manners, lambda _: None).replace(target)
    forget(target)
    rows = read_listing(target, source)
    target.unlink()
    return rows


def _fetch_all(
    missing: Sequence[Download], folder: Path, parallel: int, manners: Manners, watch: Watch
) -> tuple[tuple[str, ...], dict[str, str]]:
    new: list[str] = []
    failed: dict[str, str] = {}
    watch.on_file(0, len(missing))
    with ThreadPoolExecutor(parallel) as threads:
        running = {threads.submit(_fetch_one, d, folder, manners, watch): d for d in missing}
        try:
            for number, ended in enumerate(as_completed(running), start=1):
                download = running[ended]
                _settle(download, ended, folder, new, failed)
                watch.on_file(number, len(missing))
        except BaseException:
            # An interruption or a full disk: what runs ends soon, its parts stay.
            manners.stop.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(new), failed


def _settle(
    download: Download,
    ended: "Future[dict[str, int]]",
    folder: Path,
    new: list[str],
    failed: dict[str, str],
) -> None:
    try:
        files = ended.result()
    except MammoscopeError as error:
        failed[_label(download)] = str(error)
        return
    _note_done(folder, download, files)
    forget(_target(download, folder))
    new.append(_label(download))


def _fetch_one(download: Download, folder: Path, manners: Manners, watch: Watch) -> dict[str, int]:
    """Bring one file and put it, or its members, in place; returns their lengths by place."""
    target = _target(download, folder)
    part = bring(download, target, manners, watch.on_bytes)
    if not download.packed:
        size = part.stat().st_size
        part.replace(target)
        return {download.place: size}
    place = folder / download.place
    try:
        sizes = unpack(part, place, download.members, download.most_bytes)
    except CorruptFileError:
        forget(target)
        raise
    scans = sum(name.lower().endswith(".dcm") for name in sizes)
    if download.scans is not None and scans != download.scans:
        forget(target)
        raise CorruptFileError(
            f"{download.url}: {scans} scans came where {download.scans} are listed; run the same "
            "command again."
        )
    prefix = f"{download.place}/" if download.place else ""
    return {f"{prefix}{name}": size for name, size in sizes.items()}


def _target(download: Download, folder: Path) -> Path:
    """Name the file that a download becomes; for a packed one, the packed file."""
    if not download.packed:
        return folder / download.place
    name = download.place.rpartition("/")[2] or urlsplit(download.url).path.rpartition("/")[2]
    return folder / f".{name}"


def _label(download: Download) -> str:
    return download.place or urlsplit(download.url).path.rpartition("/")[2]


def _read_journal(folder: Path) -> dict[str, dict[str, int]]:
    """Read the lengths of the files of each download that was done, by its address."""
    done: dict[str, dict[str, int]] = {}
    try:
        lines = (folder / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return done
    for line in lines:
        try:
            entry = json.loads(line)
            done[str(entry["url"])] = {str(k): int(v) for k, v in entry["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            # The last line may have been cut; its download is done again.
            continue
    return done


def _note_done(folder: Path, download: Download, files: Mapping[str, int]) -> None:
    line = json.dumps({"url": download.url, "files": files})
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        # Behind a line that was cut, too, a new one begins.
        journal.write(f"\n{line}\n")
        journal.flush()
        os.fsync(journal.fileno())


def _is_there(download: Download, folder: Path, journal: Mapping[str, dict[str, int]]) -> bool:
    files = journal.get(download.url)
    if files:
        return all(_size(folder / place) == size for place, size in files.items())
    if download.packed or download.sha256 is None:
        return False
    path = folder / download.place
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == download.sha256


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _series_sizes(folder: Path, rows: Sequence[Series], source: Source) -> dict[str, int]:
    journal = _read_journal(folder)
    there = {
        row["SeriesInstanceUID"]: journal.get(series_download(row, source).url) for row in rows
    }
    return {uid: sum(files.values()) for uid, files in there.items() if files}


def _check_room(source: Source, folder: Path, share: float) -> None:
    needed = int(source.about_bytes * share) + (_ROOM_TO_SPARE if share else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ArchiveError(
            f"{folder}: {source.name} needs about {needed / 1e9:.1f} GB there and "
            f"{free / 1e9:.1f} GB are free; make room or choose another folder."
        )
