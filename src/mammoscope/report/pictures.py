"""Pictures of a view as files: grey picture, heat map, and one with marks drawn on it."""

import io
from functools import cache

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mammoscope.core.geometry import Box
from mammoscope.report.hanging import HungView

HEAT_FLOOR = 0.1
"""Scores below this are not coloured."""
MOST_OPAQUE = 0.75
MARK = (255, 209, 102)
BAR_MM = 20.0
HEAT_STEP = 4
"""The heat map keeps one value for a block of so many pixels a side; the network has fewer."""


def grey_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Encode a grey picture as JPEG of high quality."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def heat_png(heat: NDArray[np.float32]) -> bytes:
    """Encode a heat map as PNG with transparency that falls with the score."""
    # A mean over blocks keeps the map's corners, so that it lies on the picture when stretched.
    rows, columns = (max(1, round(side / HEAT_STEP)) for side in heat.shape)
    whole = Image.fromarray(np.nan_to_num(heat).astype(np.float32))
    small = np.asarray(whole.resize((columns, rows), Image.Resampling.BOX))
    stream = io.BytesIO()
    Image.fromarray(heat_colours(small)).save(stream, "PNG")
    return stream.getvalue()


def heat_colours(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Give scores in [0, 1], of any shape, their red, green, blue and opacity (a last axis)."""
    colours = _colours()[np.clip(np.rint(scores * 255), 0, 255).astype(np.uint8)]
    strength = np.clip((scores - HEAT_FLOOR) / (0.5 - HEAT_FLOOR), 0, 1) * MOST_OPAQUE
    opacity = np.rint(strength * 255).astype(np.uint8)
    return np.concatenate([colours, opacity[..., None]], axis=-1)


@cache
def _colours() -> NDArray[np.uint8]:
    """256 colours that rise evenly to the eye (matplotlib's plasma), shape (256, 3)."""
    table = matplotlib.colormaps["plasma"](np.linspace(0.15, 1, 256))[:, :3]
    return np.asarray(np.rint(table * 255), dtype=np.uint8)


def view_png(view: HungView, spacing_mm: float, subtitle: str) -> bytes:
    """Draw one view with its marks, a scale bar and a line of text, as PNG.

    Parameters
    ----------
    spacing_mm : side of a pixel of the view's picture
    subtitle : second line of text, e.g. the scan's score
    """
    canvas = Image.fromarray(view.picture).convert("RGB")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=26)
    found = view.reading.detections if view.reading else ()
    for number, (box, detection) in enumerate(zip(view.boxes, found, strict=True), start=1):
        _mark(draw, box, f"{number}: {detection.score:.2f}", font, canvas.width)
    rows = canvas.height
    draw.line((12, rows - 16, 12 + BAR_MM / spacing_mm, rows - 16), fill=MARK, width=4)
    draw.text((12, rows - 50), f"{BAR_MM:g} mm", fill=MARK, font=font)
    draw.text((12, 8), view.title, fill=(255, 255, 255), font=font)
    draw.text((12, 40), subtitle, fill=(200, 200, 200), font=ImageFont.load_default(size=20))
    stream = io.BytesIO()
    canvas.save(stream, "PNG")
    return stream.getvalue()


def _mark(
    draw: ImageDraw.ImageDraw,
    box: Box,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    columns: int,
) -> None:
    draw.rectangle((box.left, box.top, box.right, box.bottom), outline=MARK, width=3)
    length = draw.textlength(text, font=font)
    left, top = max(0.0, min(box.left, columns - length - 8)), max(0.0, box.top - 34)
    extent = draw.textbbox((left + 4, top), text, font=font)
    draw.rectangle((extent[0] - 4, extent[1] - 2, extent[2] + 4, extent[3] + 2), fill=(0, 0, 0))
    draw.text((left + 4, top), text, fill=MARK, font=font)
