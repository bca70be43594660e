"""Archives that lie at a URL that fsspec knows: their files are copied into this user's cache.

Every file is copied before the archive is opened: an archive is known by its tables and by the
headers of all its scans, so that there is no telling beforehand which files will be read. A copy
that was broken off goes on, and of one that is there only what has changed since is copied again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.tiles.engine import DISK_FULL
from mammoscope.tiles.remote import cache_folder, open_url

FILES, LISTING = "files", "listing.jsonl"
Counted = Callable[[int, int], None]


def copied(url: str, *, on_done: Counted | None = None) -> Path:
    """Copy what lies at a URL into the cache, as far as the same is not there.

    Parameters
    ----------
    url : of a folder, such as "s3://bucket/ddsm"
    on_done : called with (files there, files in all)

    Returns
    -------
    The folder in the cache, which holds the same files and no others.

    Raises
    ------
    MissingFileError
        When nothing lies there, or it cannot be reached.
    CorruptFileError
        When a file did not arrive whole, or bears a name that leads out of the folder.
    OSError
        When the disk is full; what was copied is kept for the next try.
    """
    system, root = open_url(url)
    there = _listed(system, root, url)
    folder = cache_folder(url)
    listing = folder / LISTING
    known = _known(listing)
    (folder / FILES).mkdir(parents=True, exist_ok=True)
    _remove_others(folder / FILES, there)
    with listing.open("a", encoding="utf-8") as lines:
        for done, (name, info) in enumerate(there.items(), start=1):
            target, stamp = folder / FILES / name, _stamp(info)
            if known.get(name) != stamp or not _has_size(target, info):
                _copy(system, f"{root}/{name}", target, info)
                lines.write(json.dumps([name, stamp]) + "\n")
                lines.flush()
            if on_done is not None:
                on_done(done, len(there))
    return folder / FILES


def _listed(system: Any, root: str, url: str) -> dict[str, Mapping[str, Any]]:
    """Return path below the root -> what the system says of each file, sorted."""
    try:
        found = system.find(root, detail=True)
    except OSError as error:
        raise MissingFileError(f"{url}: cannot be reached ({error}).") from error
    files = {
        str(path).removeprefix(root).lstrip("/"): info
        for path, info in sorted(found.items())
        if str(path).rstrip("/") != root
    }
    if not files:
        raise MissingFileError(f"{url}: holds no files; give the archive's own URL.")
    for name in files:
        if ".." in PurePosixPath(name).parts:
            raise CorruptFileError(f"{url}: the name {name!r} leads out of it; rename that file.")
    return files


def _stamp(info: Mapping[str, Any]) -> str:
    """Digest all that the system says of a file: size, time, tag, whatever it knows."""
    told = json.dumps(dict(info), sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _known(listing: Path) -> dict[str, str]:
    """Read which stamp each file had when it was copied; a last line cut short is left out."""
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        for line in listing.read_text(encoding="utf-8").splitlines():
            name, stamp = json.loads(line)
            known[name] = stamp
    return known


def _remove_others(folder: Path, there: Mapping[str, object]) -> None:
    """Remove what lies at the URL no more, and what a broken-off copy left."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            with suppress(OSError):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in there:
            path.unlink()


def _has_size(path: Path, info: Mapping[str, Any]) -> bool:
    return path.is_file() and info.get("size") in (None, path.stat().st_size)


def _copy(system: Any, source: str, target: Path, info: Mapping[str, Any]) -> None:
    part = target.with_name(f".{target.name}.{uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(source, str(part))
        if not _has_size(part, info):
            raise CorruptFileError(f"{source}: did not arrive whole; try again.")
        part.replace(target)
    except FileNotFoundError as error:
        raise MissingFileError(f"{source}: was there and is no more; try again.") from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise MissingFileError(f"{source}: cannot be copied ({error}); try again.") from error
    finally:
        # Its folder may not have become one.
        with suppress(OSError):
            part.unlink()
