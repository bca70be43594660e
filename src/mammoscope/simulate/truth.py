"""What was put into a simulated archive, kept beside it: ``truth.json`` and masks as PNG.

The truth of an archive in ``DIR`` lies in ``DIR.truth``, beside it and not inside, so that no
reader of the archive meets files that its keepers do not publish.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.core.vocabulary import (
    Assessment,
    FindingKind,
    Laterality,
    Pathology,
    ViewPosition,
)
from mammoscope.formats.files import write_atomic

SCHEMA = "mammoscope.simulated/1"
FILE = "truth.json"
MASKS = "masks"
WARNING = "SIMULATED: made breasts of nobody. Not a patient, not for any clinical use."


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFinding:
    """A lesion on one scan, as it was made and as the archive's own files describe it.

    Attributes
    ----------
    outcome : the archive's own word of the pathology, e.g. "BENIGN_WITHOUT_CALLBACK"
    words : the archive's own words of the lesion, e.g. ("IRREGULAR", "SPICULATED")
    box_px : (top, left, height, width) of its pixels
    circle_px : (row, column, radius) where the archive draws circles
    mask : its PNG in the folder of the truth, as large as the scan, non-zero inside
    """

    kind: FindingKind
    pathology: Pathology
    outcome: str
    assessment: Assessment
    subtlety: int
    words: tuple[str, ...]
    box_px: tuple[int, int, int, int]
    mask: str
    circle_px: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueScan:
    """One scan of a simulated archive.

    Attributes
    ----------
    file : in the archive's folder, with slashes
    copies : further files of the archive that hold the same pixels by its own rules
    patient_id, exam_id : as the archive's reader calls them
    shape_px : (rows, columns)
    normal : whether the archive itself calls the scan free of findings
    """

    file: str
    patient_id: str
    exam_id: str
    laterality: Laterality
    view: ViewPosition
    shape_px: tuple[int, int]
    spacing_mm: float
    breast_density: int
    normal: bool
    findings: tuple[TrueFinding, ...] = ()
    copies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedDefect:
    """A fault that was put into the archive on purpose.

    Attributes
    ----------
    file : where it was put, in the archive's folder
    kind : its name, e.g. "truncated ljpeg"
    what : in one sentence
    also : further files or words by which a check may speak of it
    """

    file: str
    kind: str
    what: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """All that was put into a simulated archive.

    `spacing_mm` is None where each scanner's own was used.
    """

    archive: str
    seed: int
    patients: int
    spacing_mm: float | None
    scans: tuple[TrueScan, ...]
    defects: tuple[PlantedDefect, ...] = ()

    def to_json(self) -> str:
        """Write it as JSON of schema "mammoscope.simulated/1"."""
        return json.dumps({"schema": SCHEMA, "notice": WARNING, **asdict(self)}, indent=1) + "\n"


def truth_folder(folder: Path) -> Path:
    """Return where the truth of the archive in `folder` lies."""
    place = folder.resolve()
    return place.with_name(f"{place.name}.truth")


def write_truth(truth: Truth, folder: Path) -> None:
    """Write ``truth.json`` into the folder of the truth."""
    write_atomic(folder / FILE, truth.to_json())


def read_truth(folder: Path) -> Truth:
    """Read the truth back from its folder.

    Raises
    ------
    MissingFileError
        When there is no ``truth.json``.
    CorruptFileError
        When it is damaged or of another schema.
    """
    file = folder / FILE
    if not file.is_file():
        raise MissingFileError(
            f"{file}: there is no such file; give the folder DIR.truth beside a simulated archive."
        )
    try:
        return _truth(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            f"{file}: expected the truth of a simulated archive ({SCHEMA}), found a damaged one "
            f"({error}); simulate the archive again."
        ) from error


def save_mask(mask: NDArray[np.bool_], folder: Path, name: str) -> str:
    """Save a mask of shape (rows, columns) as a PNG of one bit; returns its path in `folder`."""
    place = folder / MASKS
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(mask)).save(place / f"{name}.png")
    return f"{MASKS}/{name}.png"


def load_mask(folder: Path, name: str) -> NDArray[np.bool_]:
    """Load a mask saved by `save_mask`: bool, of the scan's shape."""
    with Image.open(folder / name) as picture:
        return np.asarray(picture.convert("L")) > 0


def box_of_mask(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of the True pixels of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return top, left, int(rows[-1]) - top + 1, int(columns[-1]) - left + 1


def _truth(stored: dict[str, Any]) -> Truth:
    if stored["schema"] != SCHEMA:
        raise ValueError(f"schema {stored['schema']!r}")
    return Truth(
        archive=stored["archive"],
        seed=stored["seed"],
        patients=stored["patients"],
        spacing_mm=stored["spacing_mm"],
        scans=tuple(_scan(scan) for scan in stored["scans"]),
        defects=tuple(
            PlantedDefect(**{**defect, "also": tuple(defect["also"])})
            for defect in stored["defects"]
        ),
    )


def _scan(stored: dict[str, Any]) -> TrueScan:
    return TrueScan(
        **{
            **stored,
            "laterality": Laterality(stored["laterality"]),
            "view": ViewPosition(stored["view"]),
            "shape_px": tuple(stored["shape_px"]),
            "findings": tuple(_finding(finding) for finding in stored["findings"]),
            "copies": tuple(stored["copies"]),
        }
    )


def _finding(stored: dict[str, Any]) -> TrueFinding:
    circle = stored["circle_px"]
    return TrueFinding(
        **{
            **stored,
            "kind": FindingKind(stored["kind"]),
            "pathology": Pathology(stored["pathology"]),
            "assessment": Assessment(stored["assessment"]),
            "words": tuple(stored["words"]),
            "box_px": tuple(stored["box_px"]),
            "circle_px": None if circle is None else tuple(circle),
        }
    )
