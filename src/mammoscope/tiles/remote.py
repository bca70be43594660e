"""Tile sets that lie elsewhere: at a URL that fsspec knows, such as s3:// or memory://.

A set is copied into this user's cache when it is opened, and its provenance goes up last, so that
a set that is not whole is never taken for one.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from mammoscope.core.errors import (
    BadValueError,
    CorruptFileError,
    MissingDecoderError,
    MissingFileError,
)


def is_remote(place: str | Path) -> bool:
    """Tell whether a place is a URL of something else than this machine's files."""
    return isinstance(place, str) and "://" in place and not place.startswith("file://")


def local_path(place: str | Path) -> Path:
    """Return the path of a folder, which may be a file:// URL.

    Raises
    ------
    BadValueError
        When it lies elsewhere.
    """
    if is_remote(place):
        raise BadValueError(
            f"{place}: only a folder of this machine can be used here; mount it or copy it first."
        )
    if isinstance(place, str) and place.startswith("file://"):
        return Path(unquote(urlsplit(place).path))
    return Path(place)


def cache_folder(url: str) -> Path:
    """Where this machine keeps what belongs to a URL: below $XDG_CACHE_HOME or ~/.cache."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = url.rstrip("/").rpartition("/")[2] or "set"
    return root / "mammoscope" / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def holds(url: str, name: str) -> bool:
    """Tell whether there is a file of this name at a URL."""
    system, root = open_url(url)
    try:
        return bool(system.isfile(f"{root}/{name}"))
    except OSError as error:
        raise MissingFileError(f"{url}: cannot be reached ({error}).") from error


def fetch(url: str, provenance: str) -> Path:
    """Copy a tile set into the cache, unless the same one lies there.

    Parameters
    ----------
    url : where it lies
    provenance : name of the file that names the others, with size and digest

    Returns
    -------
    The folder in the cache.

    Raises
    ------
    MissingFileError
        When it is not there, or a file of it is missing.
    CorruptFileError
        When a file is not as it was written.
    """
    system, root = open_url(url)
    told = _read(system, url, root, provenance)
    folder = cache_folder(url)
    mine = folder / provenance
    if mine.is_file() and mine.read_bytes() == told:
        return folder
    files = _named(told, f"{url}/{provenance}")
    part = folder.parent / f".{folder.name}.{uuid4().hex}.part"
    part.mkdir(parents=True)
    try:
        for name in _names(system, root, files):
            _copy(system, f"{root}/{name}", part / name, files.get(name))
        (part / provenance).write_bytes(told)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except FileNotFoundError as error:
        raise MissingFileError(f"{url}: no whole tile set, {error} is missing.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def publish(folder: Path, url: str, provenance: str) -> None:
    """Copy a tile set from a folder to a URL; the file `provenance` goes last.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    system, root = open_url(url)
    system.makedirs(root, exist_ok=True)
    names = sorted(path.name for path in folder.iterdir() if path.name != provenance)
    for name in (*names, provenance):
        system.put_file(str(folder / name), f"{root}/{name}")


def upload(path: Path, url: str) -> None:
    """Copy one file to a URL, under its own name.

    Raises
    ------
    MissingFileError
        When it cannot be written there.
    """
    system, root = open_url(url)
    try:
        system.put_file(str(path), f"{root}/{path.name}")
    except OSError as error:
        raise MissingFileError(
            f"{url}: {path.name} cannot be written there ({error}); it is kept in {path.parent}."
        ) from error


def open_url(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, as fsspec gives it, and the path on it.

    Raises
    ------
    MissingDecoderError
        When fsspec is not installed.
    BadValueError
        When it knows no such kind of URL.
    """
    try:
        fsspec = import_module("fsspec")
    except ImportError as error:
        raise MissingDecoderError(
            f"{url}: reading from a URL needs fsspec; install it with: "
            "pip install 'mammoscope[cluster]'"
        ) from error
    try:
        system, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise BadValueError(f"{url}: this kind of URL cannot be opened ({error}).") from error
    return system, str(root).rstrip("/")


def _read(system: Any, url: str, root: str, name: str) -> bytes:
    try:
        return bytes(system.cat_file(f"{root}/{name}"))
    except FileNotFoundError as error:
        raise MissingFileError(f"{url}: no whole tile set, {name} is missing.") from error
    except OSError as error:
        raise MissingFileError(f"{url}: cannot be reached ({error}).") from error


def _named(told: bytes, where: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        files = json.loads(told)["files"]
        plain = all(Path(name).name == name for name in files)
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{where}: is damaged; build the tile set again.") from error
    if not plain or not isinstance(files, dict):
        raise CorruptFileError(f"{where}: names other files than a tile set has; build it again.")
    return files


def _names(system: Any, root: str, files: Mapping[str, object]) -> list[str]:
    """Names of a set's files, and of the reports beside them."""
    beside = [str(path).rpartition("/")[2] for path in system.ls(root, detail=False)]
    return [*files, *(name for name in sorted(beside) if name in ("build.json", "audit.json"))]


def _copy(system: Any, source: str, target: Path, told: Mapping[str, Any] | None) -> None:
    system.get_file(source, str(target))
    if told is None:
        return
    with target.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != told.get("sha256"):
        raise CorruptFileError(f"{source}: is not as it was written; build the tile set again.")
