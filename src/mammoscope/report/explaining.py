"""Explanations of a reading's marks for the page: what each score rests on, and what it is like."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mammoscope.core.reading import Explanation, ScanReading
from mammoscope.report.hanging import HungView, title_of
from mammoscope.report.pictures import heat_colours

SIDE_PX = 320
"""The longer side of a picture of an explanation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """An explanation as the page shows it.

    Attributes
    ----------
    title : the view and the number of its mark
    png : the marked place as the view hangs, coloured where hiding it costs most of the score
    most : the largest share of the score that one patch costs, in words
    nearest : training lesions in words, nearest first
    """

    title: str
    png: bytes
    patch_mm: str
    most: str
    nearest: tuple[str, ...]


def whys(hung: Sequence[HungView]) -> tuple[Why, ...]:
    """Return the explanations of all views, in the order of their marks."""
    return tuple(
        Why(
            title=f"{title_of(view.reading)}, mark {number}",
            png=explained_png(view.reading, one, mirrored=view.mirrored),
            patch_mm=f"{one.patch_mm:.1f}",
            most=f"{100 * max(0.0, float(one.lost.max())):.0f} %",
            nearest=tuple(
                f"{near.lesion_id}: {(near.pathology or 'pathology not known').lower()}, "
                f"distance {near.distance:.2f}"
                for near in one.nearest
            ),
        )
        for view in hung
        if view.reading is not None
        for number, one in enumerate(view.reading.explanations, start=1)
    )


def explained_png(scan: ScanReading, one: Explanation, *, mirrored: bool) -> bytes:
    """Draw the covered part of a scan's picture with the lost shares laid over it, as PNG."""
    rows, columns = (side / scan.picture_spacing_mm for side in scan.spacing_mm)
    box = one.box_px.scaled(rows, columns)
    top, left = max(0, round(box.top)), max(0, round(box.left))
    grey = scan.picture[
        top : max(top + 1, round(box.bottom)), left : max(left + 1, round(box.right))
    ]
    larger = SIDE_PX / max(grey.shape)
    size = (max(1, round(grey.shape[1] * larger)), max(1, round(grey.shape[0] * larger)))
    below = Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    lost = np.clip(one.lost, 0, 1).astype(np.float32)
    # Colours say where, not how much: the patch that costs most has the brightest one.
    lost = lost / max(float(lost.max()), 1e-6)
    above = Image.fromarray(heat_colours(lost)).resize(size, Image.Resampling.NEAREST)
    made = Image.alpha_composite(below, above).convert("RGB")
    if mirrored:
        made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    stream = io.BytesIO()
    made.save(stream, "PNG")
    return stream.getvalue()
