"""The Digital Database for Screening Mammography from its own files: exams of four films.

Source: M Heath, K Bowyer, D Kopans, R Moore, W P Kegelmeyer 2001; University of South Florida.
What the names mean is in `ddsm_names`, what the outlines mean in `ddsm_findings`.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mammoscope.archives.archive import Archive
from mammoscope.archives.ddsm_case import ARCHIVE, CaseReader, outside
from mammoscope.archives.ddsm_findings import leaving
from mammoscope.archives.ddsm_names import CaseFiles, is_name, sort_paths
from mammoscope.archives.look import Look
from mammoscope.archives.pictures import pixel_digest, unreadable
from mammoscope.core.errors import LayoutError, MammoscopeError, MissingFileError
from mammoscope.core.records import Problem, Scan
from mammoscope.formats.ljpeg import decode_film
from mammoscope.formats.packed import read_packed

NAME = ARCHIVE
LICENCE = "free for research; name the source"
CITATION = (
    "M Heath, K Bowyer, D Kopans, R Moore, W P Kegelmeyer 2001, The Digital Database for Screening "
    "Mammography, Proceedings of the 5th International Workshop on Digital Mammography, 212-218"
)
_PEEK = 5000
"""So many folders and names are looked at to tell whether a folder holds this archive."""


def is_here(folder: Path) -> bool:
    """Tell whether a folder, or one below it, holds a file named as DDSM names its images."""
    names = (
        name for _, _, found in islice(os.walk(folder, followlinks=True), _PEEK) for name in found
    )
    return any(is_name(name) and not name.lower().endswith("_pgm") for name in islice(names, _PEEK))


def read(folder: Path) -> Archive:
    """Read a whole tree, a kind's or volume's folder, or one case; opens no images.

    Raises
    ------
    LayoutError
        When no file in it is named as DDSM names them.
    MissingFileError
        When there are cases but not one image.
    """
    paths, problems = _listed(folder)
    sorted_paths = sort_paths(paths)
    if not sorted_paths.cases:
        raise LayoutError(
            f"{folder}: expected files named as A-1234-1.ics and A_1234_1.LEFT_CC.LJPEG of {NAME}; "
            "give the folder of a case, of a volume, or of them all."
        )
    if not any(case.images for case in sorted_paths.cases):
        raise MissingFileError(
            f"{folder}: there are cases of {NAME} but none of their images; put the LJPEG files "
            "beside the others."
        )
    problems += [Problem(where=s.path, what=s.what, remedy=s.remedy) for s in sorted_paths.strays]
    problems += _double_numbers(sorted_paths.cases)
    records: list[Scan] = []
    for case in sorted_paths.cases:
        reader = CaseReader(case)
        records += reader.scans()
        problems += reader.problems
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(sorted(records, key=lambda scan: scan.scan_id)),
        problems=tuple(problems),
        look=look,
    )


def look(scan: Scan) -> Look:
    """Decode a scan's image and compare it with its heading and outlines."""
    sizes = scan.facts.get("film_rows"), scan.facts.get("film_columns")
    rows, columns = (None if size is None else int(size) for size in sizes)
    try:
        image, told = decode_film(read_packed(scan.path), rows, columns, of_ddsm=True)
    except MammoscopeError as error:
        return Look(problems=(unreadable(scan, error),))
    if image.ndim != 2:
        what = f"an image of {image.shape[-1]} components; films have one"
        return Look(problems=(Problem(where=str(scan.path), what=what, remedy="get it again"),))
    problems = [
        Problem(where=str(scan.path), what=what, remedy="look at it before it is used")
        for what in told
    ]
    bits = scan.facts.get("bits")
    if bits is not None and int(image.max()) >> int(bits):
        problems.append(
            Problem(
                where=str(scan.path),
                what=f"a pixel is {int(image.max())}, more than {bits} bits hold",
                remedy="get it again: it is damaged, or its .ics is wrong",
            )
        )
    # Where the .ics gives the size, `read` has said this already.
    if rows is None or columns is None:
        shape = image.shape[0], image.shape[1]
        problems += [outside(scan.path, what) for what in leaving(scan.findings or (), shape)]
    return Look(problems=tuple(problems), digest=pixel_digest(image))


def _listed(folder: Path) -> tuple[list[str], list[Problem]]:
    """List all files below a folder, then behind its links, but no folder twice: links go round.

    The folder keeps the name that it is called by, which may say the volume, also where it is a
    link to one of another name.
    """
    top = folder.absolute()
    top = top.resolve() if ".." in top.parts else top
    failed: list[OSError] = []
    problems: list[Problem] = []
    paths: list[str] = []
    seen = {_identity(parent) for parent in top.resolve().parents}
    starts = [str(top)]
    # Links are put behind what is gone through, so that the folders themselves come first.
    for start in starts:
        for place, folders, names in os.walk(start, onerror=failed.append):
            identity = _identity(place)
            if identity in seen:
                folders.clear()
                problems.append(_goes_round(place))
                continue
            seen.add(identity)
            # A Path for each of 100,000 files is slow.
            paths += [os.path.join(place, name) for name in names]  # noqa: PTH118
            below = [os.path.join(place, name) for name in folders]  # noqa: PTH118
            starts += [path for path in below if os.path.islink(path)]  # noqa: PTH114
    problems += [
        Problem(
            where=str(error.filename),
            what=f"the folder cannot be listed ({error.strerror})",
            remedy="allow reading it",
        )
        for error in failed
    ]
    return paths, problems


def _identity(folder: str | Path) -> tuple[int, int]:
    facts = Path(folder).stat()
    return facts.st_dev, facts.st_ino


def _goes_round(place: str) -> Problem:
    return Problem(
        where=place,
        what="a link to a folder that is read already, or that this one lies in",
        remedy="remove the link; what it leads to is not read twice",
    )


def _double_numbers(cases: tuple[CaseFiles, ...]) -> Iterator[Problem]:
    by_name: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        by_name[case.name].append(case.exam_id)
    for name, exam_ids in sorted(by_name.items()):
        if len(exam_ids) > 1:
            yield Problem(
                where=", ".join(exam_ids),
                what=f"the case number {name} stands in {len(exam_ids)} volumes",
                remedy="use volume and number together as the key, as exam_id does",
            )
