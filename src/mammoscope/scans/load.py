"""A file, or an archive's record of one, to an image with its spacing and facts."""

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.errors import (
    FormatError,
    MissingFileError,
    ScanError,
    SpacingError,
    UnknownFormatError,
)
from mammoscope.core.records import Scan, Spacing
from mammoscope.core.vocabulary import (
    ForProcessing,
    Intent,
    Laterality,
    SpacingSource,
    ViewPosition,
)
from mammoscope.formats.cbis_spacing import film_of
from mammoscope.formats.dicom import DicomImage, Values, read_dicom, read_facts
from mammoscope.formats.dicom_facts import DicomFacts
from mammoscope.formats.ics import Ics, find_ics, is_heading_of, read_ics, view_of
from mammoscope.formats.ljpeg import decode_film, is_ljpeg
from mammoscope.formats.mias_film import film_of as film_of_mias
from mammoscope.formats.mias_film import read_mias_film
from mammoscope.formats.packed import read_packed
from mammoscope.formats.raster import is_raster, read_raster
from mammoscope.scans.breast import breast_mask

SMALLEST_SIDE_PX = 300
"""mini-MIAS, the coarsest archive of whole scans, has 1024; below 300 no lesion can be seen."""
BRIGHTEST_QUARTER, BRIGHTEST_MIDDLE = 0.065, 0.2
"""Largest grey levels of the darker quarter and of the middle of what lies round a breast, as a
share of the picture's range: at most 0.059 and 0.18 on the 1,489 shared scans of mini-MIAS and
CBIS-DDSM (`benchmarks/air.py`). A dark photograph can pass; a real scan must not be refused."""
NAMED_VIEWS = set(ViewPosition) - {ViewPosition.FB, ViewPosition.SIO, ViewPosition.ISO}
"""Views that a word of a file's name can mean; the others are words of other things too."""
JPEG_HEAD_BYTES = 200_000
SMALL_VIEW = ".16_pgm"
"""Ending of DDSM's pictures of four films (`formats.tape`); as PGM they are read one byte off."""
_WORDS = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedScan:
    """A scan in memory.

    Attributes
    ----------
    image : ndarray of shape (rows, columns), integers or float32 as read; dense tissue bright
    spacing_mm : (row, column) distance between pixel centres; None where nobody knows it
    spacing_source : where `spacing_mm` came from
    exam_id : the file's study, None where it does not say
    facts : further facts of the file, in words
    """

    path: Path
    image: NDArray[Any]
    spacing_mm: Spacing | None
    spacing_source: SpacingSource | None
    laterality: Laterality | None
    view: ViewPosition | None
    patient_id: str | None
    exam_id: str | None
    intent: Intent | None
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def _repr_html_(self) -> str:
        small = Image.fromarray(_to_bytes(self.image))
        small.thumbnail((240, 320))
        stream = io.BytesIO()
        small.save(stream, "PNG")
        picture = base64.b64encode(stream.getvalue()).decode()
        spacing = (
            f"{self.spacing_mm[0]:.4g} x {self.spacing_mm[1]:.4g} mm ({self.spacing_source})"
            if self.spacing_mm
            else "unknown"
        )
        rows = {
            "file": self.path.name,
            "size": f"{self.image.shape[0]} x {self.image.shape[1]} pixels",
            "spacing": spacing,
            "laterality": str(self.laterality or "unknown"),
            "view": str(self.view or "unknown"),
        }
        table = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f'<table>{table}</table><img src="data:image/png;base64,{picture}" alt="scan">'


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a file says without its pixels being decoded."""

    path: Path
    patient_id: str | None = None
    exam_id: str | None = None
    laterality: Laterality | None = None
    view: ViewPosition | None = None
    cbis_scan: str | None = None


def read_file_facts(path: str | Path) -> FileFacts:
    """Read who and what a file shows, without its pixels.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError, ScanError
        When it cannot be read at all, or is the small view of a case of DDSM.
    """
    file = Path(path)
    named = _from_name(file)
    head = _head_of(file)
    if _is_ljpeg(file, head):
        named = view_of(file.name) or named
    if _is_ljpeg(file, head) or is_raster(head) or film_of_mias(file):
        return FileFacts(path=file, laterality=named[0], view=named[1])
    facts = read_facts(file)
    return FileFacts(
        path=file,
        patient_id=facts.patient_id,
        exam_id=facts.study_uid,
        laterality=facts.laterality or named[0],
        view=facts.view or named[1],
        cbis_scan=facts.cbis_scan,
    )


def read_scan(
    path: str | Path,
    *,
    spacing_um: float | None = None,
    values: Values = "modality",
    for_processing: ForProcessing = "refuse",
    laterality: Laterality | None = None,
    view: ViewPosition | None = None,
    anyway: bool = False,
) -> LoadedScan:
    """Read a mammogram from a DICOM, PNG, TIFF, PGM, JPEG, WebP or LJPEG file; its content tells.

    An LJPEG (DDSM's lossless JPEG) is read with the .ics file that lies beside it.

    Parameters
    ----------
    spacing_um : side of a pixel in micrometres; goes before what the file says
    values, for_processing : see `mammoscope.formats.dicom.read_dicom`
    laterality, view : go before what the file says
    anyway : take a picture file even where no dark air lies round a breast

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError, MissingDecoderError
        When the file cannot be decoded.
    ScanError
        When it is no mammogram.
    """
    scan = _opened(Path(path), values, for_processing)
    if not scan.facts and not anyway:
        _check_air(scan.path, scan.image)
    return _told(scan, spacing_um, laterality, view)


def load(scan: Scan, *, spacing_um: float | None = None) -> LoadedScan:
    """Open an archive's scan; what the archive knows goes before what the file says.

    That it is a mammogram is the archive's word; only its size is checked.
    """
    opened = _opened(scan.path, "modality", "refuse", vouched=True)
    loaded = _told(opened, None, scan.laterality, scan.view)
    if scan.spacing_mm is not None:
        loaded = replace(loaded, spacing_mm=scan.spacing_mm, spacing_source=scan.spacing_source)
    loaded = replace(
        loaded,
        patient_id=scan.patient_id,
        exam_id=scan.exam_id,
        intent=scan.intent or loaded.intent,
    )
    return _told(loaded, spacing_um, None, None)


def _opened(
    file: Path, values: Values, for_processing: ForProcessing, *, vouched: bool = False
) -> LoadedScan:
    named = _from_name(file)
    head = _head_of(file)
    if _is_ljpeg(file, head):
        return _from_ljpeg(file, view_of(file.name) or named)
    mias = film_of_mias(file)
    if mias is None and not is_raster(head):
        dicom = read_dicom(file, values=values, for_processing=for_processing, vouched=vouched)
        return _from_dicom(file, dicom, named)
    # A film of the 50 micrometre MIAS lies on its side, with or without a heading.
    image = read_raster(file) if mias is None else read_mias_film(file)
    return LoadedScan(
        path=file,
        image=_large_enough(file, image),
        spacing_mm=None,
        spacing_source=None,
        laterality=named[0],
        view=named[1],
        patient_id=None,
        exam_id=None,
        intent=None,
    )


def _told(
    scan: LoadedScan,
    spacing_um: float | None,
    laterality: Laterality | None,
    view: ViewPosition | None,
) -> LoadedScan:
    """Lay over a scan what the user or the archive says."""
    if spacing_um is not None:
        if not 10 <= spacing_um <= 2000:
            raise SpacingError(
                f"{scan.path}: a pixel of {spacing_um:g} micrometres is not one of a mammogram; "
                "give --spacing-um between 10 and 2000, as film scanners and detectors have."
            )
        side = spacing_um / 1000
        scan = replace(scan, spacing_mm=(side, side), spacing_source=SpacingSource.USER)
    return replace(scan, laterality=laterality or scan.laterality, view=view or scan.view)


def _head_of(file: Path) -> bytes:
    if file.suffix.lower() == SMALL_VIEW:
        raise ScanError(
            f"{file}: the small view of a case of DDSM, not a scan; give the LJPEG files beside it."
        )
    try:
        if not file.is_file():
            raise MissingFileError(f"{file}: there is no such file.")
        with file.open("rb") as stream:
            head = stream.read(132)
            # Of which kind a JPEG is may be told behind other things.
            head += stream.read(JPEG_HEAD_BYTES) if head.startswith(b"\xff\xd8\xff") else b""
    except OSError as error:
        raise MissingFileError(f"{file}: the file cannot be opened ({error.strerror}).") from error
    if not head:
        raise UnknownFormatError(f"{file}: the file is empty; expected a mammogram.")
    return head


def _is_ljpeg(file: Path, head: bytes) -> bool:
    """Tell whether a file is a lossless JPEG as DDSM has them, packed with gzip or not."""
    named = file.name.lower().endswith((".ljpeg", ".ljpeg.gz"))
    return is_ljpeg(head) or (head.startswith(b"\x1f\x8b") and named)


def _from_ljpeg(file: Path, named: tuple[Laterality | None, ViewPosition | None]) -> LoadedScan:
    """Read a film of DDSM; the .ics file beside it knows its size and scanner."""
    ics, unsure = _heading_beside(file)
    film = ics.of(view_of(file.name)) if ics else None
    rows, columns = (film.lines, film.pixels_per_line) if film else (None, None)
    try:
        image, told = decode_film(
            read_packed(file), rows, columns, of_ddsm=bool(view_of(file.name))
        )
    except (FormatError, ScanError) as error:
        raise type(error)(f"{file}: {error}") from error
    if image.ndim != 2:
        raise ScanError(f"{file}: {image.shape[2]} components; a mammogram has one grey channel.")
    side = film.resolution_um / 1000 if film else None
    unsure += ": the size of a pixel is not known"
    if view_of(file.name) is None:
        unsure += ", nor whether rows and columns are exchanged, as they are in some films of DDSM"
    return LoadedScan(
        path=file,
        image=_large_enough(file, image),
        spacing_mm=(side, side) if side else None,
        spacing_source=SpacingSource.ARCHIVE if side else None,
        laterality=named[0],
        view=named[1],
        patient_id=None,
        exam_id=None,
        intent=Intent.FILM,
        warnings=told if film else (*told, unsure),
        facts=MappingProxyType(
            {
                "format": "lossless JPEG",
                "scanner": (ics.digitizer if ics else None) or "",
                "bits": str(film.bits) if film else "",
            }
        ),
    )


def _heading_beside(file: Path) -> tuple[Ics | None, str]:
    """Read the .ics file beside a film; and what to say where it does not tell of the film."""
    beside = find_ics(file)
    if beside is None:
        return None, "no .ics file lies beside it"
    try:
        ics = read_ics(beside)
    except FormatError as error:
        return None, f"the .ics file beside it is not used ({error})"
    if not is_heading_of(ics, "_".join(re.split("[-_]", file.name)[:2])):
        return None, f"{beside.name} beside it calls itself {ics.filename!r} and is not used"
    return ics, f"{beside.name} beside it does not tell of this view"


def _from_dicom(
    file: Path, dicom: DicomImage, named: tuple[Laterality | None, ViewPosition | None]
) -> LoadedScan:
    facts = dicom.facts
    image = _large_enough(file, dicom.image)
    spacing, source = facts.spacing_mm, SpacingSource.HEADER
    notes = list(facts.warnings)
    if spacing is None and facts.cbis_scan is not None:
        spacing, source = _cbis_spacing(facts, image.shape, notes), SpacingSource.DDSM_JOIN
    return LoadedScan(
        path=file,
        image=image,
        spacing_mm=spacing,
        spacing_source=source if spacing else None,
        laterality=facts.laterality or named[0],
        view=facts.view or named[1],
        patient_id=facts.patient_id,
        exam_id=facts.study_uid,
        intent=facts.intent,
        warnings=tuple(notes),
        facts=MappingProxyType(
            {
                "transfer syntax": facts.transfer_syntax,
                "bits": str(facts.bits_stored),
                "photometric": facts.photometric,
                "spacing from": facts.spacing_tag or "",
            }
        ),
    )


def _cbis_spacing(facts: DicomFacts, shape: tuple[int, ...], notes: list[str]) -> Spacing | None:
    """Look a CBIS-DDSM scan up in the packaged table; its header has no spacing."""
    film = film_of(facts.cbis_scan or "")
    if film is None:
        return None
    if (film.rows, film.columns) != tuple(shape):
        notes.append(
            f"the DDSM film of {facts.cbis_scan} has {film.rows} x {film.columns} pixels, the file "
            f"{shape[0]} x {shape[1]}; the packaged spacing is not used"
        )
        return None
    return film.spacing_mm


def _from_name(file: Path) -> tuple[Laterality | None, ViewPosition | None]:
    """Find side and view among the words of a file's name, such as R_MLO, LEFT_CC or lcc.

    A name that says two of a kind, such as "left and right", says nothing.
    """
    sides: set[Laterality] = set()
    views: set[ViewPosition] = set()
    for word in (w.upper() for w in _WORDS.findall(file.stem)):
        if word[:1] in ("L", "R") and word[1:] in ("CC", "MLO"):
            sides.add(Laterality(word[0]))
            views.add(ViewPosition(word[1:]))
        elif word in ("L", "R", "LEFT", "RIGHT"):
            sides.add(Laterality(word[0]))
        elif word in NAMED_VIEWS:
            views.add(ViewPosition(word))
    return (
        sides.pop() if len(sides) == 1 else None,
        views.pop() if len(views) == 1 else None,
    )


def _large_enough(file: Path, image: NDArray[Any]) -> NDArray[Any]:
    if min(image.shape) < SMALLEST_SIDE_PX:
        raise ScanError(
            f"{file}: {image.shape[0]} x {image.shape[1]} pixels are too few for a mammogram "
            f"(at least {SMALLEST_SIDE_PX} a side); give the scan in its full size."
        )
    return image


def air_of(image: NDArray[Any]) -> tuple[float, float]:
    """Measure what lies round the breast: grey levels of its darker quarter and of its middle.

    Both are shares of the picture's range; 1 where nothing lies round the breast.

    Raises
    ------
    ScanError
        When no breast is found.
    """
    step = max(1, min(image.shape) // 400)
    small = np.ascontiguousarray(image[::step, ::step], dtype=np.float32)
    mask = breast_mask(small, 0.5)
    low, high = (float(v) for v in np.percentile(small, (0, 99.5)))
    air = (small[~mask] - low) / (high - low) if not mask.all() else np.ones(1)
    quarter, middle = (float(v) for v in np.percentile(air, (25, 50)))
    return quarter, middle


def _check_air(file: Path, image: NDArray[Any]) -> None:
    """Refuse a picture that cannot be a mammogram; no header says what a raster file shows."""
    try:
        quarter, middle = air_of(image)
    except ScanError as error:
        raise ScanError(f"{file}: {error}") from error
    if quarter > BRIGHTEST_QUARTER or middle > BRIGHTEST_MIDDLE:
        raise ScanError(
            f"{file}: no dark film or air lies round a breast, as on every mammogram; this looks "
            "like a photograph, a screenshot or an inverted scan; it is read only with --anyway."
        )


def _to_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = (float(v) for v in np.percentile(image[::8, ::8], (0.5, 99.5)))
    scaled = (image.astype(np.float32) - low) / max(high - low, 1e-9)
    return np.asarray(np.clip(scaled * 255, 0, 255), dtype=np.uint8)
