"""Any folder of DICOM mammograms: a disk with its DICOMDIR, or a tree of files of any names.

What is no mammogram is told of and left out. A folder does not say what was found, so every scan's
findings are None.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from mammoscope.archives.archive import Archive
from mammoscope.archives.dicom_headers import DIRECTORY_NAME, files_below, headers_of
from mammoscope.archives.dicom_look import look
from mammoscope.archives.label_tables import some
from mammoscope.core.errors import LayoutError, MammoscopeError
from mammoscope.core.records import Problem, Scan
from mammoscope.core.vocabulary import Intent, SpacingSource
from mammoscope.formats.dicom_facts import DicomFacts, exam_of
from mammoscope.formats.dicomdir import read_dicomdir
from mammoscope.formats.one_line import one_line

NAME = "dicom"
LICENCE = "that of whoever took the scans"
CITATION = "none"
GLANCED_AT = 64
"""How many files `is_here` looks at."""
_CBIS_PART = re.compile(r"_(?:CC|MLO)_\d+$")
_Found = tuple[Path, DicomFacts]


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds a DICOMDIR, or a DICOM file among the first few below it."""
    try:
        if _directory_of(folder) is not None:
            return True
        return any(map(_has_mark, islice(_files_in_turn(folder), GLANCED_AT)))
    except OSError:
        return False


def read(folder: Path) -> Archive:
    """Read the headers of the scans below `folder`; pixels are not opened.

    With a DICOMDIR in `folder`, the files that it refers to are the scans; other DICOM files are
    problems then.

    Raises
    ------
    LayoutError
        When there is no mammogram among the files.
    """
    files, problems = files_below(folder)
    files, of_directory = _as_directory_says(folder, files)
    problems += of_directory
    kept: list[_Found] = []
    for path, facts in headers_of(files):
        if isinstance(facts, Problem):
            problems.append(facts)
        elif (unfit := why_left_out(facts)) is not None:
            problems.append(Problem(where=str(path), what=unfit, remedy="it is left out"))
        else:
            kept.append((path, facts))
    kept, twins = _once(kept)
    problems += twins
    if not kept:
        first = f" ({problems[0].where}: {problems[0].what})" if problems else ""
        raise LayoutError(
            f"{folder}: no DICOM mammogram is among the {len(files)} files here{first}; "
            "give the folder that holds some."
        )
    scans = [scan_of(folder, path, facts) for path, facts in kept]
    problems += [problem for path, facts in kept for problem in _doubts(path, facts)]
    problems += [*_people(scans), *_for_processing(folder, scans)]
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(sorted(scans, key=lambda scan: scan.scan_id)),
        problems=tuple(problems),
        look=look,
    )


def why_left_out(facts: DicomFacts) -> str | None:
    """Say why a file is no scan, by its header; None where it is one."""
    if facts.unfit is not None:
        return facts.unfit.removesuffix(".").removesuffix("; leave it out of the exam")
    if _CBIS_PART.search(facts.cbis_scan or ""):
        return "a crop or a mask of CBIS-DDSM, no scan; open the folder as cbis-ddsm"
    return None


def scan_of(folder: Path, path: Path, facts: DicomFacts) -> Scan:
    """Make the record of a DICOM file below `folder` from its header alone.

    A scan's id is its SOP Instance UID, else its path. Without a patient id, the exam stands for
    the patient.
    """
    place = path.relative_to(folder)
    exam = exam_of(facts.study_uid, facts.patient_id, facts.cbis_scan, place.parent.as_posix())
    return Scan(
        scan_id=facts.sop_uid or place.as_posix(),
        archive=NAME,
        path=path,
        patient_id=facts.patient_id or f"unknown, exam {exam}",
        exam_id=exam,
        laterality=facts.laterality,
        view=facts.view,
        spacing_mm=facts.spacing_mm,
        spacing_source=SpacingSource.HEADER if facts.spacing_mm else None,
        intent=facts.intent,
        facts=MappingProxyType(_words(facts)),
    )


def _words(facts: DicomFacts) -> dict[str, str]:
    said = {
        "manufacturer": facts.manufacturer,
        "bits": str(facts.bits_stored or ""),
        "transfer_syntax": facts.transfer_syntax,
        "study_date": facts.study_date,
        "age": facts.age,
    }
    return {name: word for name, word in said.items() if word}


def _directory_of(folder: Path) -> Path | None:
    # Disks that were copied by some systems spell it in small letters.
    named = (path for path in sorted(folder.iterdir()) if path.name.upper() == DIRECTORY_NAME)
    return next((path for path in named if path.is_file()), None)


def _files_in_turn(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (path for name in sorted(names) if (path := Path(place, name)).is_file())


def _has_mark(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _as_directory_says(folder: Path, files: list[Path]) -> tuple[list[Path], list[Problem]]:
    """Keep the files that the folder's DICOMDIR refers to; all where there is no usable one."""
    directory = _directory_of(folder)
    if directory is None:
        return files, []
    try:
        listed = read_dicomdir(directory)
    except MammoscopeError as error:
        what = str(error).removeprefix(f"{directory}: ").removesuffix(".")
        return files, [
            Problem(where=str(directory), what=what, remedy="every file below is read instead")
        ]
    by_name = {path.relative_to(folder).as_posix(): path for path in files}
    # The standard's names are in capitals; disks copied by some systems have small letters.
    by_letters = {name.casefold(): path for name, path in by_name.items()}
    kept: dict[Path, None] = {}
    problems: list[Problem] = []
    for parts in listed:
        name = "/".join(parts)
        path = by_name.get(name) or by_letters.get(name.casefold())
        if not _stays_inside(parts):
            problems.append(_of_directory(directory, f"{one_line(name)!r} leads out of the folder"))
        elif path is not None:
            kept[path] = None
        elif not _is_there(folder.joinpath(*parts)):
            problems.append(_of_directory(directory, f"{one_line(name)} is not here"))
    problems += [
        Problem(
            where=str(path),
            what=f"the {directory.name} does not list it",
            remedy=f"it is left out; take the {directory.name} away to read every file",
        )
        for path in files
        if path not in kept and _has_mark_safely(path)
    ]
    return list(kept), problems


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # Too long a name, say.
        return False


def _stays_inside(parts: tuple[str, ...]) -> bool:
    plain = all(part not in ("", ".", "..") and not set(part) & set("/\\:\0") for part in parts)
    return plain and not PurePosixPath(*parts).is_absolute()


def _has_mark_safely(path: Path) -> bool:
    try:
        return _has_mark(path)
    except OSError:
        return True


def _of_directory(directory: Path, what: str) -> Problem:
    return Problem(where=str(directory), what=what, remedy="get the disk again; it is left out")


def _once(found: Iterable[_Found]) -> tuple[list[_Found], list[Problem]]:
    """Keep the first of files that say they are the same image."""
    first: dict[str, Path] = {}
    kept: list[_Found] = []
    problems: list[Problem] = []
    for path, facts in found:
        twin = first.setdefault(facts.sop_uid or str(path), path)
        if twin == path:
            kept.append((path, facts))
            continue
        problems.append(
            Problem(
                where=str(path),
                what=f"the same SOP Instance UID as {twin} ({one_line(facts.sop_uid)})",
                remedy="take one of the two away; this one is left out",
            )
        )
    return kept, problems


def _doubts(path: Path, facts: DicomFacts) -> Iterator[Problem]:
    for what in facts.warnings:
        yield Problem(where=str(path), what=what, remedy="look at the scan")
    missing = [
        name
        for name, value in (
            ("laterality", facts.laterality),
            ("view", facts.view),
            ("patient id", facts.patient_id),
        )
        if value is None
    ]
    if missing:
        yield Problem(
            where=str(path),
            what=f"the header does not say the {' or the '.join(missing)}",
            remedy="say it when reading; a scan without patient counts as a patient's own exam"
            if "patient id" in missing
            else "say it when reading, or mend the header",
        )


def _people(scans: Iterable[Scan]) -> Iterator[Problem]:
    """Tell of exams in which several patients meet."""
    people: Mapping[str, dict[str, Path]] = defaultdict(dict)
    for scan in scans:
        people[scan.exam_id].setdefault(scan.patient_id, scan.path)
    for exam_id, named in people.items():
        if len(named) > 1:
            ids = one_line(some(sorted(named)))
            yield Problem(
                where=str(next(iter(named.values()))),
                what=f"study {one_line(exam_id)} names several patients: {ids}",
                remedy="find out whose it is before patients are split",
            )


def _for_processing(folder: Path, scans: list[Scan]) -> Iterator[Problem]:
    raw = [scan for scan in scans if scan.intent is Intent.FOR_PROCESSING]
    if raw:
        shown = {
            (scan.exam_id, scan.laterality, scan.view)
            for scan in scans
            if scan.intent is not Intent.FOR_PROCESSING
        }
        alone = sum((scan.exam_id, scan.laterality, scan.view) not in shown for scan in raw)
        yield Problem(
            where=str(folder),
            what=f"{len(raw)} of the {len(scans)} scans are FOR PROCESSING, {alone} of them "
            "without a scan FOR PRESENTATION of the same side and view",
            remedy="they are refused when loaded, unless their conversion is asked for",
        )
