"""The MIAS database at 50 micrometres: 322 films of 161 patients, whose names say their size.

The archive's table stands in a PDF, so it comes with mammoscope (`data/mias-50-truth.csv`). Which
breast a film shows is said by its name. Records are on the grid of the film turned upright, as
`formats.mias_film.read_mias_film` gives it, not as it lies in the file.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.archives.archive import Archive
from mammoscope.archives.look import Look
from mammoscope.archives.mini_mias import KINDS, SEVERITIES
from mammoscope.archives.pictures import pixel_digest, unreadable
from mammoscope.core.errors import LayoutError, MammoscopeError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Problem, Scan
from mammoscope.core.vocabulary import Intent, Laterality, SpacingSource, ViewPosition
from mammoscope.formats.mias_film import Film, film_of, read_mias_film

NAME = "mias-50um"
FILMS = 322
SPACING_MM = 0.05
LICENCE = "CC BY 2.0 UK (Apollo, University of Cambridge, doi:10.17863/CAM.105113)"
CITATION = (
    "J Suckling et al. 1994, The Mammographic Image Analysis Society Digital Mammogram Database, "
    "Excerpta Medica International Congress Series 1069, 375-378"
)
SIDES = {"l": Laterality.LEFT, "r": Laterality.RIGHT}


def is_here(folder: Path) -> bool:
    """Tell whether a folder holds a film whose name says its size, such as mdb001lm."""
    try:
        return any(film_of(path) is not None for path in folder.iterdir())
    except OSError:
        return False


def read(folder: Path) -> Archive:
    """Read the archive whose films lie in `folder`; no film is opened.

    Raises
    ------
    LayoutError
        When no film is there.
    """
    if not is_here(folder):
        raise LayoutError(
            f"{folder}: expected films such as mdb001lm or mdb001lm.pgm of {NAME}; give the folder "
            "that holds them."
        )
    found: dict[str, list[Path]] = defaultdict(list)
    problems: list[Problem] = []
    for path in sorted(folder.iterdir()):
        film = film_of(path)
        if film is None:
            continue
        if film.number in _truth():
            found[film.reference].append(path)
        else:
            problems.append(
                Problem(
                    where=str(path),
                    what="the archive has no such film",
                    remedy="it is left out; take it away",
                )
            )
    for paths in found.values():
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            problems.append(
                Problem(
                    where=str(folder),
                    what=f"several files of one film: {names}",
                    remedy=f"take away all but one; {paths[0].name} is used",
                )
            )
    if len(found) != FILMS:
        problems.append(
            Problem(
                where=str(folder),
                what=f"{len(found)} of the archive's {FILMS} films",
                remedy="get the others, or go on without",
            )
        )
    return Archive(
        name=NAME,
        folder=folder,
        licence=LICENCE,
        citation=CITATION,
        records=tuple(_scan(found[reference][0]) for reference in sorted(found)),
        problems=tuple(problems),
        look=look,
    )


def look(scan: Scan) -> Look:
    """Look into one film: whether it is whole, and its chest wall where it is known to lie."""
    try:
        image = read_mias_film(scan.path)
    except MammoscopeError as error:
        return Look(problems=(unreadable(scan, error),))
    digest = pixel_digest(image)
    if _is_turned_right(image, scan.laterality):
        return Look(digest=digest)
    what = "the chest wall does not lie along the first line: the file lies in another way"
    return Look(
        problems=(
            Problem(
                where=str(scan.path),
                what=what,
                remedy="do not trust side and places; get the archive's own file",
            ),
        ),
        digest=digest,
    )


def _is_turned_right(image: NDArray[Any], laterality: Laterality | None) -> bool:
    """Tell whether the half with the chest wall is the brighter one.

    Looked at are the upper halves, where the pectoral muscle is: below, a large breast can be as
    bright at its front. So it is on all 96 films of mini-MIAS for which this was tried.
    """
    # Every fourth pixel is enough, and quicker.
    upper = np.sqrt(image[: image.shape[0] // 2 : 4, ::4].astype(np.float32))
    half = upper.shape[1] // 2
    left, right = float(upper[:, :half].mean()), float(upper[:, half:].mean())
    return left >= right if laterality is Laterality.LEFT else right >= left


def _scan(path: Path) -> Scan:
    film = film_of(path)
    if film is None:
        raise ValueError(f"{path} is no film")
    rows = _truth()[film.number]
    marked = [row for row in rows if row["word"] != "NORM"]
    patient_id = f"mias-{(film.number + 1) // 2:03d}"
    return Scan(
        scan_id=film.reference,
        archive=NAME,
        path=path,
        # The same people as in mini-MIAS, and the same ids.
        patient_id=patient_id,
        # No dates are known: the two films of a patient count as one exam.
        exam_id=patient_id,
        laterality=SIDES[film.side],
        view=ViewPosition.MLO,
        spacing_mm=(SPACING_MM, SPACING_MM),
        spacing_source=SpacingSource.ARCHIVE,
        intent=Intent.FILM,
        breast_density=rows[0]["tissue"],
        findings=tuple(_finding(film, i, row) for i, row in enumerate(marked, start=1)),
        normal_ground=None if marked else "00README.pdf: class NORM",
    )


def _finding(film: Film, index: int, row: Mapping[str, str]) -> Finding:
    roi = None
    if row["radius"]:
        place = film.upright(float(row["x"]), float(row["y"]))
        roi = Circle(*place, float(row["radius"]))
    return Finding(
        finding_id=f"{film.reference}_{index}",
        scan_id=film.reference,
        kind=KINDS[row["word"]],
        roi=roi,
        pathology=SEVERITIES[row["severity"]],
        descriptors=(row["word"],),
    )


@cache
def _truth() -> Mapping[int, list[dict[str, str]]]:
    """Rows of the archive's table by film."""
    by_film: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in _rows():
        by_film[int(row["number"])].append(row)
    return dict(by_film)


def _rows() -> Iterator[dict[str, str]]:
    table = files("mammoscope.archives") / "data" / "mias-50-truth.csv"
    yield from csv.DictReader(table.read_text(encoding="utf-8").splitlines())
