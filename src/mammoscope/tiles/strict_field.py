"""A prepared scan in which square tiles are placed: what each place would show; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.contract import InputSpec
from mammoscope.core.errors import ScanError, SpacingError, SpacingMissingError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import Pathology
from mammoscope.formats.masks import mask_of
from mammoscope.scans.load import LoadedScan
from mammoscope.scans.prepare import Prepared, prepare

COARSER = 1.3
"""A scan may be so many times as coarse as the tiles. The 800-pixel pictures of CBIS-DDSM, whose
rows are up to 0.379 mm apart, still give tiles of 0.3 mm; what is coarser would be blown up."""
LEAST_IN_BREAST = 0.3
"""A finding with less of it in the breast lies on air: its archive has written its place down
wrong, as mini-MIAS has those of mdb212 (nothing of it in the breast) and mdb214 (a quarter), or the
breast was not found there. Next in mini-MIAS comes mdb110, with 0.59."""

Places = NDArray[np.intp]
"""Places of tiles on the prepared image, shape (n, 2): (top, left)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesion:
    """A finding with a place.

    Attributes
    ----------
    box : of its pixels, on the prepared image
    sums : ndarray of shape (box rows + 1, box columns + 1), int64: how many of the finding's pixels
        (on its scan's grid) lie above and left of each corner
    largest : largest share of the finding that one tile can show, in (0, 1]
    in_breast : share of its pixels that lie in the breast, in [0, 1]
    """

    finding: Finding
    box: Box
    sums: NDArray[np.int64]
    largest: float = 1.0
    in_breast: float = 1.0

    @property
    def on_air(self) -> bool:
        """Whether nearly nothing of it lies in the breast."""
        return self.in_breast < LEAST_IN_BREAST

    def shares(self, places: Places, side_px: int) -> NDArray[np.float64]:
        """Share of the finding's area that tiles of `side_px` show, shape (n,), in [0, 1]."""
        corner = (int(self.box.top), int(self.box.left))
        shown = _window_sums(self.sums, places - corner, side_px)
        return np.asarray(shown / self.sums[-1, -1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """A prepared scan with its lesions.

    Attributes
    ----------
    scan : its record; `spacing_mm` is that of the file where the archive does not know it
    grey : ndarray of shape (rows, columns), uint8: the prepared image, 255 for 1
    grey_sums, breast_sums : ndarrays of shape (rows + 1, columns + 1), int64: sums of greys and
        of breast pixels, above and left of each corner
    side_px : side of a tile
    lesions : findings with a place, proven or not
    all_placed : whether it is known of the whole scan where findings are and where none is
    """

    scan: Scan
    prepared: Prepared
    grey: NDArray[np.uint8]
    grey_sums: NDArray[np.int64]
    breast_sums: NDArray[np.int64]
    side_px: int
    lesions: tuple[Lesion, ...]
    all_placed: bool

    @property
    def last(self) -> tuple[int, int]:
        """Last (top, left) at which a tile lies whole in the image."""
        return self.grey.shape[0] - self.side_px, self.grey.shape[1] - self.side_px

    def breast_shares(self, places: Places) -> NDArray[np.float64]:
        """Share of each tile that is breast, shape (n,), in [0, 1]."""
        return _window_sums(self.breast_sums, places, self.side_px) / self.side_px**2

    def grey_means(self, places: Places) -> NDArray[np.float64]:
        """Mean of each tile's prepared greys, shape (n,), in [0, 1]."""
        return _window_sums(self.grey_sums, places, self.side_px) / (255 * self.side_px**2)

    def relative_shares(self, places: Places) -> NDArray[np.float64]:
        """Shares of all lesions, of the most that one tile can show; shape (lesions, n)."""
        shares = [lesion.shares(places, self.side_px) / lesion.largest for lesion in self.lesions]
        return np.array(shares, np.float64).reshape(len(self.lesions), len(places))

    def owners(self, places: Places) -> NDArray[np.intp]:
        """Index of the lesion that each tile shows most of; of equals the gravest; shape (n,).

        A lesion on air names no tile beside one in the breast: who knows where it lies.
        """
        shares = self.relative_shares(places)
        shares[[lesion.on_air for lesion in self.lesions]] = -1
        # argmax takes the first of equals, so the gravest are put first.
        order = sorted(range(len(self.lesions)), key=lambda i: -gravity(self.lesions[i].finding))
        return np.asarray(np.array(order)[np.argmax(np.round(shares[order], 9), axis=0)])

    def clear(self, places: Places, margin_px: int) -> NDArray[np.bool_]:
        """Tell which tiles stay `margin_px` away from every finding, shape (n,)."""
        free = np.full(len(places), self.all_placed)
        for lesion in self.lesions:
            free &= lesion.shares(places - margin_px, self.side_px + 2 * margin_px) == 0
        return free

    def pixels(self, place: Sequence[int]) -> NDArray[np.uint8]:
        """Copy a tile out."""
        top, left = place
        return self.grey[top : top + self.side_px, left : left + self.side_px].copy()

    def box_on_scan(self, place: Sequence[int]) -> Box:
        """Box of a tile on the grid of the scan's file."""
        side = float(self.side_px)
        return self.prepared.box_to_scan(Box(float(place[0]), float(place[1]), side, side))


def gravity(finding: Finding) -> int:
    """Rank of a finding: unproven 0, then as `Pathology` goes."""
    return 0 if finding.pathology is None else 1 + list(Pathology).index(finding.pathology)


def field_of(scan: Scan, loaded: LoadedScan, spec: InputSpec, side_px: int) -> Field:
    """Prepare a scan and place its findings.

    Parameters
    ----------
    spec : as acquired, padded to multiples of 1
    side_px : side of the tiles that are to be cut

    Raises
    ------
    SpacingMissingError
        When nobody knows the scan's spacing.
    SpacingError
        When the scan is more than `COARSER` times as coarse as `spec`.
    ScanError
        When no breast is found, no tile fits, or a finding's mask is empty or does not fit.
    """
    spacing = loaded.spacing_mm
    if spacing is None:
        raise SpacingMissingError(
            f"{scan.path}: the size of its pixels is not known, so no tile of a known size can be "
            "cut; assume one (assumed_um), or leave the scan out."
        )
    if max(spacing) > COARSER * spec.spacing_mm:
        raise SpacingError(
            f"{scan.path}: its pixels of {spacing[0]:.3g} x {spacing[1]:.3g} mm are too coarse for "
            f"tiles of {spec.spacing_mm:g} mm a pixel; take a spacing of at least "
            f"{max(spacing) / COARSER:.2g} mm, or leave the scan out."
        )
    try:
        prepared = prepare(spec, loaded.image, spacing)
    except ScanError as error:
        raise ScanError(f"{scan.path}: {error}") from error
    if min(prepared.image.shape) < side_px:
        raise ScanError(
            f"{scan.path}: only {min(prepared.image.shape) * spec.spacing_mm:.0f} mm wide or high, "
            f"so no tile of {side_px * spec.spacing_mm:.0f} mm fits; take smaller tiles."
        )
    placed = [finding for finding in scan.findings or () if finding.roi is not None]
    shape = (loaded.image.shape[0], loaded.image.shape[1])
    grey = np.rint(prepared.image * 255).astype(np.uint8)
    return Field(
        scan=replace(scan, spacing_mm=spacing, spacing_source=loaded.spacing_source),
        prepared=prepared,
        grey=grey,
        grey_sums=_corner_sums(grey),
        breast_sums=_corner_sums(prepared.breast),
        side_px=side_px,
        lesions=tuple(_lesion(scan, finding, shape, prepared, side_px) for finding in placed),
        all_placed=scan.findings is not None and len(placed) == len(scan.findings),
    )


def _lesion(
    scan: Scan, finding: Finding, shape_px: tuple[int, int], prepared: Prepared, side_px: int
) -> Lesion:
    if finding.roi is None:
        raise ValueError(f"{finding.finding_id} has no place")
    rows, columns = np.nonzero(mask_of(finding.roi, shape_px))
    if not len(rows):
        raise ScanError(
            f"{scan.path}: finding {finding.finding_id} covers no pixel of the scan; "
            "check the archive, or leave the scan out."
        )
    # Both axes are mapped on their own, so the ends of a finding's rows and columns are enough
    # to know how large its box is.
    mapped = [
        np.floor(np.asarray(axis) + 0.5).astype(np.intp)
        for axis in prepared.point_from_scan(rows, columns)  # type: ignore[arg-type]
    ]
    first = [int(axis.min()) for axis in mapped]
    size = [int(axis.max()) - low + 1 for axis, low in zip(mapped, first, strict=True)]
    cells = (mapped[0] - first[0]) * size[1] + (mapped[1] - first[1])
    counts = np.bincount(cells, minlength=size[0] * size[1]).reshape(size)
    box = Box(float(first[0]), float(first[1]), float(size[0]), float(size[1]))
    lesion = Lesion(
        finding=finding,
        box=box,
        sums=_corner_sums(counts),
        in_breast=_share_in(prepared.breast, mapped),
    )
    return replace(lesion, largest=_largest_share(lesion, side_px))


def _share_in(breast: NDArray[np.bool_], pixels: Sequence[NDArray[np.intp]]) -> float:
    """Share of some pixels that lie in the breast; those beyond the image do not."""
    rows, columns = pixels
    there = (rows >= 0) & (rows < breast.shape[0]) & (columns >= 0) & (columns < breast.shape[1])
    return float(breast[rows[there], columns[there]].sum() / len(rows))


def _largest_share(lesion: Lesion, side_px: int) -> float:
    """Largest share of a lesion in a tile, looked for every eighth of a tile where it is larger."""
    ranges = [
        np.array([round(first + (length - side_px) / 2)])
        if length <= side_px
        else np.arange(first, first + length - side_px + 1, max(1, side_px // 8))
        for first, length in (
            (int(lesion.box.top), int(lesion.box.height)),
            (int(lesion.box.left), int(lesion.box.width)),
        )
    ]
    places = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 2)
    return float(lesion.shares(places, side_px).max())


def _corner_sums(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """Sum all values above and left of each corner (Crow 1984); shape one larger."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(values, axis=0, dtype=np.int64), axis=1, out=sums[1:, 1:])
    return sums


def _window_sums(sums: NDArray[np.int64], places: Places, side_px: int) -> NDArray[np.int64]:
    """Sum in each square window; what lies outside the summed array counts nothing."""
    top, left = (np.clip(places[:, i], 0, sums.shape[i] - 1) for i in (0, 1))
    bottom, right = (np.clip(places[:, i] + side_px, 0, sums.shape[i] - 1) for i in (0, 1))
    return np.asarray(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])
