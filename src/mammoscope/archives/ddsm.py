"""The Digital Database for Screening Mammography from its own files: exams of four films.

Source: M Heath, K Bowyer, D Kopans, R Moore, W P Kegelmeyer 2001; University of South Florida.
What the names mean is in `ddsm_names`, what the outlines mean in `ddsm_findings`.
"""

import os
import warnings
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
from mammoscope.formats.ljpeg import decode_ljpeg
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
    names = (name for _, _, found in islice(os.walk(folder), _PEEK) for name in found)
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
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            image = decode_ljpeg(read_packed(scan.path), rows, columns, convention="archive")
    except MammoscopeError as error:
        return Look(problems=(unreadable(scan, error),))
    if image.ndim != 2:
        what = f"an image of {image.shape[-1]} components; films have one"
        return Look(problems=(Problem(where=str(scan.path), what=what, remedy="get it again"),))
    problems = [
        Problem(where=str(scan.path), what=str(w.message), remedy="look at it before it is used")
        for w in told
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
    """List all files below a folder; links to folders are not followed, since they may go round."""
    failed: list[OSError] = []
    paths = [
        os.path.join(place, name)  # noqa: PTH118  (a Path for each of 100,000 files is slow)
        for place, _, names in os.walk(folder.resolve(), onerror=failed.append)
        for name in names
    ]
    return paths, [
        Problem(
            where=str(error.filename),
            what=f"the folder cannot be listed ({error.strerror})",
            remedy="allow reading it",
        )
        for error in failed
    ]


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
