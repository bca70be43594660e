"""The headers of every file below a folder, read side by side where there are many."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from mammoscope.core.errors import MammoscopeError, UnknownFormatError
from mammoscope.core.processes import without_main
from mammoscope.core.records import Problem
from mammoscope.formats.dicom import read_facts
from mammoscope.formats.dicom_facts import DicomFacts

MANY = 4000
"""From so many files on, more processes are faster than one; each takes a second to start."""
BATCH = 250
DIRECTORY_NAME = "DICOMDIR"
OTHER_NAMES = {DIRECTORY_NAME, "THUMBS.DB", "LICENSE", "README", "VERSION"}
OTHER_ENDINGS = {
    *(".txt", ".csv", ".json", ".xml", ".html", ".md", ".pdf", ".xls", ".xlsx", ".zip", ".log"),
    *(".inf", ".exe", ".dll", ".ini"),
}
"""Files that come with scans and need not be told of."""


def files_below(folder: Path) -> tuple[list[Path], list[Problem]]:
    """List the files below a folder that may be scans, sorted by path.

    Hidden files and folders, tables, texts and programs are left out. Links to folders are not
    followed, and links to files only where they stay in the folder; what is refused is a problem.
    """
    root = folder.resolve()
    files: list[Path] = []
    problems: list[Problem] = []
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            what = f"the folder cannot be read ({error.strerror})"
            remedy = "it is left out; change its permissions"
            problems.append(Problem(where=str(place), what=what, remedy=remedy))
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            elif _may_be_a_scan(path):
                why = _refusal(entry, root)
                if why:
                    problems.append(_left_out(path, why))
                else:
                    files.append(path)
    return sorted(files), problems


def headers_of(files: Sequence[Path]) -> Iterator[tuple[Path, DicomFacts | Problem]]:
    """Read the header of each file, in order; a file that has none is a problem.

    Where there are `MANY` files, as many processes as there are cores share the work.
    """
    cores = os.cpu_count() or 1
    if len(files) < MANY or cores == 1:
        for file in files:
            yield file, _header(file)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=cores, mp_context=spawn) as crew:
        with without_main():
            found = crew.map(_header, files, chunksize=BATCH)
        try:
            yield from zip(files, found, strict=True)
        except BaseException:
            # Whoever stops half-way need not wait for the files that nobody asks for any more.
            crew.shutdown(cancel_futures=True)
            raise


def _header(file: Path) -> DicomFacts | Problem:
    try:
        return read_facts(file)
    except UnknownFormatError:
        return _left_out(file, "not a DICOM file")
    except MammoscopeError as error:
        what = str(error).removeprefix(f"{file}: ").removesuffix("; get it again.")
        return Problem(where=str(file), what=what, remedy="get it again; it is left out")


def _may_be_a_scan(path: Path) -> bool:
    return path.name.upper() not in OTHER_NAMES and path.suffix.lower() not in OTHER_ENDINGS


def _refusal(entry: "os.DirEntry[str]", root: Path) -> str | None:
    """Say why a file is not to be opened; None where it is."""
    if entry.is_symlink():
        # `Path.resolve` and `DirEntry` fail on links that lead round in a circle.
        target = Path(os.path.realpath(entry.path))
        if not target.is_relative_to(root):
            return "a link that leads out of the folder"
        if target.is_dir():
            return "a link to a folder"
        return None if target.is_file() else "no plain file"
    return None if entry.is_file() else "no plain file"


def _left_out(path: Path, what: str) -> Problem:
    return Problem(
        where=str(path), what=what, remedy="it is left out; put a DICOM file there or take it away"
    )
