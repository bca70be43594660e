"""Unpacking what was fetched, without trusting it: ZIP and tar files."""

import errno
import gzip
import hashlib
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.one_line import one_line

MOST_MEMBERS = 20_000
_BLOCK = 1 << 20
_LONGEST_NAME = 200
_COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_GZIP = b"\x1f\x8b"
_MOST_PADDING = 64 * _BLOCK
_MD5_TABLE = "md5hashes.csv"
"""What NBIA sends along: a line ``Filename,MD5Hash``, then one a file."""

Member = tuple[str, int, IO[bytes]]
"""Name, length that the packed file gives, and the bytes, valid until the next one is asked for."""


def unpack(
    packed: Path, folder: Path, members: Mapping[str, str | None], most_bytes: int
) -> dict[str, int]:
    """Unpack a ZIP or tar file into a folder: all of it or nothing.

    Parameters
    ----------
    packed : the file
    folder : takes the members; older files of the same names are replaced at the end
    members : names to take and their SHA-256 or None; empty takes all
    most_bytes : how much may come out of it

    Returns
    -------
    dict of the names of the members, with ``/``, to their bytes

    Raises
    ------
    CorruptFileError
        When it is damaged, lacks a member, holds a link or a path that leaves the folder, or is
        larger than it may be. Nothing is unpacked then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as name:
        away = Path(name)
        try:
            sizes = _write_all(packed, away, members, most_bytes)
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            zlib.error,
            EOFError,
            # zipfile: an unknown compression; a password; a name that is no text.
            NotImplementedError,
            RuntimeError,
            ValueError,
            OSError,
        ) as error:
            # A decoder's own errors and places before the file's start; a full disk is none.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise CorruptFileError(
                f"{packed}: it cannot be unpacked ({one_line(error)}); fetch it again."
            ) from error
        _check_md5(packed, away)
        for member in sizes:
            target = folder / member
            target.parent.mkdir(parents=True, exist_ok=True)
            (away / member).replace(target)
    return sizes


def _write_all(
    packed: Path, away: Path, members: Mapping[str, str | None], most_bytes: int
) -> dict[str, int]:
    sizes: dict[str, int] = {}
    left = most_bytes
    opened = _zip_members if zipfile.is_zipfile(packed) else _tar_members
    for number, (name, said, stream) in enumerate(opened(packed)):
        if number >= MOST_MEMBERS or said > left:
            raise CorruptFileError(
                f"{packed}: more than {MOST_MEMBERS} files or {most_bytes} bytes would come out of "
                "it; it is not the archive's own file, do not use it."
            )
        if members and name not in members:
            left -= said
            continue
        _check_name(packed, name, away)
        sizes[name], digest = _write(stream, away / name, left)
        left -= sizes[name]
        if members.get(name) not in (None, digest):
            raise CorruptFileError(
                f"{packed}: {name} in it is not the file that is known (its SHA-256 is {digest}); "
                "see on the archive's page whether there is a new version."
            )
    missing = sorted(set(members) - set(sizes))
    if missing or not sizes:
        raise CorruptFileError(
            f"{packed}: {', '.join(missing) or 'every file'} is missing in it; fetch it again."
        )
    return sizes


def _zip_members(packed: Path) -> Iterator[Member]:
    with zipfile.ZipFile(packed) as opened:
        for entry in opened.infolist():
            # Another compression (LZMA) lets the file say how much memory it takes.
            if not entry.filename or entry.compress_type not in _COMPRESSIONS:
                raise CorruptFileError(
                    f"{packed}: {one_line(entry.filename) or 'a file'} in it has no name or a "
                    "compression that archives do not use; do not use it."
                )
            if entry.is_dir():
                continue
            with opened.open(entry) as stream:
                yield entry.filename, entry.file_size, stream


def _tar_members(packed: Path) -> Iterator[Member]:
    with packed.open("rb") as stream:
        zipped = stream.read(2) == _GZIP
    with gzip.open(packed) if zipped else packed.open("rb") as stream:
        with tarfile.open(fileobj=stream, mode="r:") as opened:
            for entry in opened:
                if entry.isdir():
                    continue
                content = opened.extractfile(entry) if entry.isfile() else None
                if content is None:
                    raise CorruptFileError(
                        f"{packed}: {one_line(entry.name)} in it is a link or device, not a file; "
                        "do not use it."
                    )
                with content:
                    yield entry.name.removeprefix("./"), entry.size, content
        # The checksum of gzip stands at its very end, behind what tar reads.
        for _ in range(_MOST_PADDING // _BLOCK):
            if not stream.read(_BLOCK):
                return
        raise CorruptFileError(f"{packed}: something follows behind its end; do not use it.")


def _check_name(packed: Path, name: str, away: Path) -> None:
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or str(path) != name
    odd = not name.isprintable() or "\\" in name or ":" in name or len(name) > _LONGEST_NAME
    if leaves or odd:
        raise CorruptFileError(
            f"{packed}: the path {name[:80]!r} in it leaves the folder or is none that an archive "
            "uses; do not use this file."
        )
    if (away / name).exists() or any((away / parent).is_file() for parent in path.parents):
        raise CorruptFileError(f"{packed}: {name} is in it twice; fetch it again.")


def _write(stream: IO[bytes], target: Path, left: int) -> tuple[int, str]:
    """Write one member, never more than `left` bytes whatever was said of its length."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as written:
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > left:
                raise CorruptFileError(
                    f"{target.name}: more comes out of the packed file than it may hold; it is not "
                    "the archive's own file, do not use it."
                )
            digest.update(block)
            written.write(block)
    return size, digest.hexdigest()


def _check_md5(packed: Path, away: Path) -> None:
    table = away / _MD5_TABLE
    if not table.is_file():
        return
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
        name, _, wanted = (word.strip() for word in line.partition(","))
        file = away / name
        if not name or "/" in name or not file.is_file():
            raise CorruptFileError(
                f"{packed}: {one_line(name) or 'a file'} is missing in it; fetch it again."
            )
        # It guards against damage on the way, not against an attacker.
        found = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        if found != wanted.lower():
            raise CorruptFileError(
                f"{packed}: {name} in it does not have its MD5 checksum {one_line(wanted)}; fetch "
                "it again."
            )
