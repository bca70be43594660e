"""Which of an abnormality's files is its mask and which its crop, told by looking at them.

CBIS-DDSM keeps both in one series (or in two), numbers them either way, and its tables often name
one for the other. A mask has the size of its scan and two grey levels; a crop is small and has
many. Some masks were drawn on another grid than their scan's, mostly on one of 50 micrometres
where the scan has 43.5.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.archives.cbis_heads import Head
from mammoscope.archives.cbis_tables import TableRow
from mammoscope.archives.pictures import pixel_digest
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.records import Problem
from mammoscope.formats.masks import Shape, fits, read_stored

MARGIN_PX = 100
"""How much larger or smaller than its mask's box a crop may be, beside a factor of two: what is
published does not say how crops were cut, so that only gross mistakes are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The mask and the crop of an abnormality; None where there is none that can be used."""

    mask: Path | None = None
    cut_out: Path | None = None
    problems: tuple[Problem, ...] = ()


def tell_apart(row: TableRow, heads: Mapping[Path, Head], scan_px: Shape | None) -> Marks:
    """Tell the mask from the crop, by the headers where they suffice, else by the pixels.

    Parameters
    ----------
    row : the abnormality
    heads : headers of the files that bear its name
    scan_px : (rows, columns) of its scan; None where unknown
    """
    if not heads:
        # That nothing is there, or nothing can be read, was told by name already.
        return Marks()
    full = [path for path, head in heads.items() if head.shape_px == scan_px]
    doubts: list[Problem] = []
    mask = full[0] if len(full) == 1 else _mask_among(row, full or list(heads), doubts)
    rest = [path for path in heads if path != mask and path not in full]
    cut_out = rest[0] if mask is not None and len(rest) == 1 else None
    if mask is None:
        return Marks(problems=tuple(doubts))
    if cut_out is not None and _are_exchanged(row, mask, cut_out):
        doubts.append(
            Problem(
                where=row.where,
                what=f"mask and crop of {row.series} are exchanged: {cut_out.name} is the crop",
                remedy="nothing: the files were looked at, and the mask is used as the mask",
            )
        )
    if scan_px is not None and not full:
        fit = fits(heads[mask].shape_px, scan_px)
        doubts.append(_other_size(mask, heads[mask].shape_px, scan_px, fit=fit))
        mask = mask if fit else None
    return Marks(mask=mask, cut_out=cut_out, problems=tuple(doubts))


def is_mask(image: NDArray[Any]) -> bool:
    """Tell whether an image has exactly two grey levels, the lower one zero."""
    top = image.max()
    return bool(top > 0 and ((image == 0) | (image == top)).all() and (image == 0).any())


def _mask_among(row: TableRow, paths: Sequence[Path], doubts: list[Problem]) -> Path | None:
    """Look at the pixels of files whose headers leave it open; copies of one mask count once."""
    masks: dict[str, Path] = {}
    for path in paths:
        try:
            image = read_stored(path)
        except MammoscopeError as error:
            what = str(error).removeprefix(f"{path}: ")
            doubts.append(Problem(where=str(path), what=what, remedy="get it again"))
            continue
        if is_mask(image):
            masks.setdefault(pixel_digest(image), path)
    if len(masks) == 1:
        return next(iter(masks.values()))
    said = f"{len(masks)} different masks" if masks else "no mask"
    names = ", ".join(path.name for path in paths)
    doubts.append(
        Problem(
            where=str(paths[0].parent),
            what=f"{said} for {row.series} (files: {names})",
            remedy="fetch that series again; the finding is kept without a place",
        )
    )
    return None


def _are_exchanged(row: TableRow, mask: Path, cut_out: Path) -> bool:
    if row.mask_file is None or row.cut_out_file is None:
        return False
    if mask.parent == cut_out.parent:
        # Downloads number the files in two ways; only names of the tables' own way can be compared.
        return (mask.name, cut_out.name) == (row.cut_out_file.name, row.mask_file.name)
    return _lies_in(mask, row.cut_out_file) and _lies_in(cut_out, row.mask_file)


def _lies_in(path: Path, published: PurePosixPath) -> bool:
    return path.parent.name == published.parent.name


def _other_size(mask: Path, shape: Shape, scan_px: Shape, *, fit: bool) -> Problem:
    what = (
        f"the mask has {shape[0]} x {shape[1]} pixels and its scan {scan_px[0]} x {scan_px[1]}, "
        + ("the same shape in another size" if fit else "another shape")
    )
    remedy = (
        "nothing: it is read at the size of the scan"
        if fit
        else "look at both; the finding is kept without a place"
    )
    return Problem(where=str(mask), what=what, remedy=remedy)


def look_at_mask(
    finding_id: str, mask: Path, cut_out: Path | None, scan_px: Shape
) -> Iterator[Problem]:
    """Look at the pixels of a mask and of the crop that was cut by it.

    Parameters
    ----------
    finding_id : of the finding that it marks
    mask, cut_out : files
    scan_px : (rows, columns) of the scan
    """
    try:
        image = read_stored(mask)
        cut = read_stored(cut_out).shape if cut_out is not None else None
    except MammoscopeError as error:
        where = str(error).split(": ")[0]
        what = str(error).removeprefix(f"{where}: ")
        yield Problem(where=where, what=what, remedy="get it again")
        return
    if not is_mask(image):
        yield Problem(
            where=str(mask),
            what=f"no mask: {finding_id} should be marked by two grey levels, of which one is 0",
            remedy="fetch that series again; do not trust the finding's place",
        )
        return
    if 2 * np.count_nonzero(image) > image.size:
        yield Problem(
            where=str(mask),
            what=f"the mask of {finding_id} marks more than half of the scan",
            remedy="look at it: it may be inside out",
        )
    if cut is not None and not _was_cut_by(cut, image, scan_px):
        yield Problem(
            where=str(cut_out),
            what=f"the crop of {finding_id} has {cut[0]} x {cut[1]} pixels, unlike its mask's box",
            remedy="look at both: one of them may belong to another abnormality",
        )


def _was_cut_by(cut: tuple[int, ...], mask: NDArray[Any], scan_px: Shape) -> bool:
    """Tell whether a crop may be the box of a mask: not half as large, nor twice and a margin."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    scales = scan_px[0] / mask.shape[0], scan_px[1] / mask.shape[1]
    sides = (int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1))
    return all(
        side * scale / 2 - MARGIN_PX <= size <= side * scale * 2 + MARGIN_PX
        for size, side, scale in zip(cut, sides, scales, strict=True)
    )
