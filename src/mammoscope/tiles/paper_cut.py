"""Cutting one scan as the paper does: of DDSM, CBIS-DDSM or MIAS."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.core.errors import AnnotationError, BadValueError, ScanError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind
from mammoscope.formats.masks import box_of, mask_of
from mammoscope.scans.load import LoadedScan
from mammoscope.tiles.paper_greys import film_bytes, film_scanner, viewer_bytes
from mammoscope.tiles.paper_lesions import Lesion, Method
from mammoscope.tiles.paper_normals import (
    DARK,
    LIMITS,
    Grid,
    normal_tiles,
    refused_tiles,
    trim_black,
    trim_film,
)
from mammoscope.tiles.paper_sheet import Mark, Sheet, check_size, resized
from mammoscope.tiles.tile import Missed, Tile, label_of

CBIS, DDSM, MIAS = "cbis-ddsm", "ddsm", "mini-mias"
BORDER_PX, BORDER_LEVEL, BORDER_COUNT = 20, 225, 20_000
"""A scan with more than so many pixels of at least this level loses so many lines at each side."""
MOST_AIR = 0.9
"""A finding of mini-MIAS with a larger share of pixels as dark as `DARK` lies on air. Two do, with
every pixel: mdb212 and mdb214, whose places the archive has wrong. Next comes mdb110, with 0.46."""
_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmPlan:
    """A recipe for DDSM and CBIS-DDSM.

    Attributes
    ----------
    recipe : its name
    lesions : how findings of CBIS-DDSM are cut
    side : of a tile at the scan's own size, in pixels
    grid : of normal tiles
    shrink : factors between which one is drawn for each normal scan; None leaves its size
    white_to_black : whether 255 becomes 0 on normal scans
    own_labels : each finding has its own label; False: all of a scan have that of its first, masses
        before calcifications, as the author's join of labels by scan made it
    """

    recipe: str
    lesions: Method
    grid: Grid
    side: int = 598
    shrink: tuple[float, float] | None = None
    white_to_black: bool = True
    own_labels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MiasPlan:
    """A recipe for mini-MIAS.

    Attributes
    ----------
    enlarge : mean and deviation of the factor by which a scan is enlarged, drawn for each
    lesion_scale : size and place of findings are multiplied by this on the enlarged scan, whatever
        the factor was (recipe 6); None: by the factor
    lesions_at_size : findings are cut on the scan as it is; only their size is enlarged (recipe 8)
    trim_film : 7 % are cut off beside the black columns
    radius_as_side : a finding's box is as wide as its radius, as in the notebooks; False: as its
        diameter
    on_air : findings that lie on air are cut too, as in the notebooks
    """

    recipe: str
    lesions: Method
    grid: Grid
    enlarge: tuple[float, float]
    side: int = 299
    lesion_scale: float | None = None
    lesions_at_size: bool = False
    trim_film: bool = False
    radius_as_side: bool = True
    on_air: bool = False


def cut_film(
    plan: FilmPlan, scan: Scan, loaded: LoadedScan, rng: np.random.Generator
) -> Iterator[Tile | Missed]:
    """Cut a scan of DDSM (normal ones only) or of CBIS-DDSM (findings only).

    Raises
    ------
    BadValueError
        When it is of another archive.
    AnnotationError
        When nothing is proven of a finding.
    MissingFileError, FormatError, ScanError
        When a mask cannot be used, or the scan's size, greys or scanner do not serve.
    """
    if scan.archive == CBIS:
        yield from _cbis_tiles(plan, scan, loaded, rng)
    elif scan.archive == DDSM:
        if takes_film(scan):
            yield from _film_normals(plan, scan, loaded, rng)
    else:
        raise _foreign(plan.recipe, scan, f"{DDSM} and {CBIS}")


def takes_film(scan: Scan) -> bool:
    """Tell whether `cut_film` may give a tile of a scan.

    Findings of DDSM are never used: those of CBIS-DDSM are the same, drawn better. Its films with
    findings are half of the archive, and each takes half a second to decode.
    """
    if scan.archive == DDSM:
        return scan.findings == ()
    return scan.archive != CBIS or bool(scan.findings)


def takes_mias(scan: Scan) -> bool:
    """Tell whether `cut_mias` may give a tile of a scan."""
    return scan.findings is not None


def cut_mias(
    plan: MiasPlan, scan: Scan, loaded: LoadedScan, rng: np.random.Generator
) -> Iterator[Tile | Missed]:
    """Cut a scan of mini-MIAS: its findings, or its normal tissue where it has none.

    Raises
    ------
    BadValueError
        When it is of another archive.
    AnnotationError
        When nothing is proven of a finding.
    ScanError
        When the scan has not 8 bits, or is too small.
    """
    if scan.archive != MIAS:
        raise _foreign(plan.recipe, scan, MIAS)
    if loaded.image.dtype != np.uint8:
        raise ScanError(
            f"{scan.path}: mini-MIAS has 8 bits a pixel, this file has {loaded.image.dtype}; "
            "take the archive's own files."
        )
    if scan.findings is None:
        return
    image = np.asarray(loaded.image, dtype=np.uint8)
    factor = _factor(plan, rng)
    on_tissue = []
    for finding in scan.findings:
        if not plan.on_air and _lies_on_air(finding, image):
            yield Missed(finding_id=finding.finding_id, why="its place lies on air, not on tissue")
        else:
            on_tissue.append(finding)
    if on_tissue and plan.lesions_at_size:
        sheet = Sheet(image=image, scan=scan)
        yield from _mias_lesions(plan, sheet, on_tissue, factor, rng)
    elif on_tissue or not scan.findings:
        large = _enlarged(image, scan, factor)
        check_size(large, plan.side, plan.recipe)
        if on_tissue:
            yield from _mias_lesions(plan, large, on_tissue, factor, rng)
        else:
            yield from _mias_normals(plan, large, rng)


def _lies_on_air(finding: Finding, image: NDArray[np.uint8]) -> bool:
    """Tell whether nearly all pixels of a finding are as dark as film beside a breast."""
    if finding.roi is None:
        return False
    pixels = image[mask_of(finding.roi, (image.shape[0], image.shape[1]))]
    return pixels.size > 0 and float((pixels <= DARK).mean()) > MOST_AIR


def _foreign(recipe: str, scan: Scan, archives: str) -> BadValueError:
    return BadValueError(
        f"{scan.path}: recipe {recipe}, as it was made, is for {archives}, not for {scan.archive}; "
        "name the archives when it is made."
    )


def _label(finding: Finding, scan: Scan) -> str:
    if finding.pathology is None:
        raise AnnotationError(
            f"{scan.path}: nothing is proven of {finding.finding_id}, so that it has none of the "
            "paper's classes; leave the scan out, or use the recipe 'strict'."
        )
    return label_of(finding)


def _as_listed(findings: Sequence[Finding]) -> list[Finding]:
    """Put masses before calcifications, as the author's tables do."""
    return sorted(findings, key=lambda finding: finding.kind is FindingKind.CALCIFICATION)


def _cbis_tiles(
    plan: FilmPlan, scan: Scan, loaded: LoadedScan, rng: np.random.Generator
) -> Iterator[Tile | Missed]:
    findings = _as_listed(scan.findings or ())
    if not findings:
        return
    shape = loaded.image.shape[0], loaded.image.shape[1]
    sheet = _without_border(Sheet(image=loaded.image, scan=scan, to_bytes=viewer_bytes))
    check_size(sheet, plan.side, plan.recipe)
    first = _label(findings[0], scan)
    for finding in findings:
        if finding.roi is None:
            continue
        label = _label(finding, scan) if plan.own_labels else first
        box = box_of(finding.roi, shape)
        top, left = (int(v) for v in sheet.offset)
        rows = _inside(box.top - top, box.height, sheet.shape[0])
        columns = _inside(box.left - left, box.width, sheet.shape[1])
        if rows is None or columns is None:
            why = "it lies in the border that is cut off"
            yield Missed(finding_id=finding.finding_id, why=why)
            continue
        lesion = Lesion(
            centre=((rows[0] + rows[1]) // 2, (columns[0] + columns[1]) // 2),
            sides=(rows[1] - rows[0], columns[1] - columns[0]),
            mark=Mark(label=label, finding_id=finding.finding_id),
        )
        yield from plan.lesions(sheet, lesion, plan.side, rng)


def _inside(start: float, size: float, length: int) -> tuple[int, int] | None:
    """Cut one side of a box to the sheet; None where nothing of it is left."""
    first, last = max(int(start), 0), min(int(start + size), length)
    return (first, last) if first < last else None


def _without_border(sheet: Sheet) -> Sheet:
    """Cut the border of a scan off that has much white."""
    level = BORDER_LEVEL << 8 if sheet.image.dtype == np.uint16 else BORDER_LEVEL
    rows, columns = sheet.shape
    bright = 0
    # In parts that stay in the processor's cache: several times as fast.
    for row in range(0, rows, _ROWS):
        part = sheet.image[row : row + _ROWS]
        # Most parts have no such pixel, and a maximum costs half of what counting does.
        bright += int(np.count_nonzero(part >= level)) if part.max() >= level else 0
        if bright > BORDER_COUNT:
            break
    else:
        return sheet
    return sheet.trimmed(BORDER_PX, rows - BORDER_PX, BORDER_PX, columns - BORDER_PX)


def _film_normals(
    plan: FilmPlan, scan: Scan, loaded: LoadedScan, rng: np.random.Generator
) -> Iterator[Tile]:
    whole = _film_sheet(plan, scan, loaded.image, rng)
    trimmed = trim_film(whole)
    check_size(trimmed, plan.grid.side, plan.recipe)
    limits = LIMITS[film_scanner(scan)]
    yield from normal_tiles(trimmed, plan.grid, limits, rng)
    if plan.grid.refused:
        yield from refused_tiles(whole, plan.grid, limits, rng)


def _film_sheet(
    plan: FilmPlan, scan: Scan, image: NDArray[np.uint16], rng: np.random.Generator
) -> Sheet:
    if plan.shrink is None:
        return Sheet(image=film_bytes(image, scan, white_to_black=plan.white_to_black), scan=scan)
    factor = rng.uniform(*plan.shrink)
    shape = int(image.shape[0] // factor), int(image.shape[1] // factor)
    greys = film_bytes(image, scan, white_to_black=False)
    small = np.array(resized(greys, shape, Image.Resampling.LANCZOS))
    if plan.white_to_black:
        # After shrinking, as in the code: the greys round a cut-out stay.
        small[small == 255] = 0
    return Sheet(image=small, scan=scan, scale=_scale(shape, image.shape))


def _scale(shape: tuple[int, int], before: tuple[int, ...]) -> tuple[float, float]:
    return shape[0] / before[0], shape[1] / before[1]


def _factor(plan: MiasPlan, rng: np.random.Generator) -> float:
    mean, deviation = plan.enlarge
    return mean if deviation == 0 else float(rng.normal(mean, deviation))


def _enlarged(image: NDArray[np.uint8], scan: Scan, factor: float) -> Sheet:
    # A factor far from its mean would shrink the scan to nothing, or below 0.
    shape = max(int(image.shape[0] * factor), 1), max(int(image.shape[1] * factor), 1)
    return Sheet(
        image=resized(image, shape, Image.Resampling.BILINEAR),
        scan=scan,
        scale=_scale(shape, image.shape),
    )


def _mias_lesions(
    plan: MiasPlan,
    sheet: Sheet,
    findings: Sequence[Finding],
    factor: float,
    rng: np.random.Generator,
) -> Iterator[Tile]:
    size_scale = factor if plan.lesion_scale is None else plan.lesion_scale
    place_scale = 1.0 if plan.lesions_at_size else size_scale
    for finding in findings:
        if not isinstance(finding.roi, Circle):
            continue
        circle = finding.roi
        # The notebooks count rows from the lower edge, as the archive does.
        height = round(sheet.shape[0] / sheet.scale[0])
        row = sheet.shape[0] - int((height - circle.row) * place_scale)
        side = circle.radius * size_scale * (1 if plan.radius_as_side else 2)
        lesion = Lesion(
            centre=(row, int(circle.column * place_scale)),
            sides=(side, side),
            mark=Mark(label=_label(finding, sheet.scan), finding_id=finding.finding_id),
        )
        yield from plan.lesions(sheet, lesion, plan.side, rng)


def _mias_normals(plan: MiasPlan, large: Sheet, rng: np.random.Generator) -> Iterator[Tile]:
    sheet = trim_black(large)
    if sheet is None:
        return
    if plan.trim_film:
        sheet = trim_film(sheet)
    yield from normal_tiles(sheet, plan.grid, LIMITS[MIAS], rng)
