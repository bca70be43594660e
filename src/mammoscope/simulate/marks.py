"""What stands on a film beside the breast: lead letters, label, borders, dust and scratches.

All marks are drawn into the optical density: low is bright on the scan.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mammoscope.core.vocabulary import Laterality
from mammoscope.simulate.exam import MadeScan

Floats = NDArray[np.float32]

_LEAD_OD, _LIGHT_OD, _PATCH_OD = 0.55, 0.05, 0.0
_BLACK_OD = 2.7
_TRIES = 12


def add_film_marks(od: Floats, scan: MadeScan, rng: np.random.Generator) -> None:
    """Add the marks of a DDSM film to its optical density, in place."""
    if rng.random() < 0.35:
        _add_patch(od, scan, rng)
    words, turn = f"{scan.laterality}{scan.view}", rng.uniform(-60, 60)
    _add_lead(od, lettering(words, 7.5 / scan.spacing_mm, turn), scan, rng)
    _add_dust(od, scan, rng)
    _add_borders(od, scan.spacing_mm, rng)


def add_mias_marks(od: Floats, scan: MadeScan, top: int, rng: np.random.Generator) -> None:
    """Add the label of a MIAS film at 0.2 mm to its optical density, in place, below row `top`."""
    columns = od.shape[1]
    high, wide = 120, 78
    block = np.full((high, wide), 0.12, np.float32)
    for line, words in enumerate((str(scan.laterality), str(scan.view)[:2])):
        text = lettering(words, 32.0, 0.0)
        r, c = 14 + 50 * line, (wide - text.shape[1]) // 2
        there = block[r : r + text.shape[0], max(c, 0) : max(c, 0) + text.shape[1]]
        there += (1.9 * text[: there.shape[0], : there.shape[1]]).astype(np.float32)
    left = scan.laterality is Laterality.LEFT
    margin = 14
    c = columns - wide - margin if left else margin
    r = top + int(rng.integers(20, 90))
    quiet = od[r : r + high, c : c + wide]
    if quiet.shape == block.shape and quiet.min() > _BLACK_OD and rng.random() < 0.75:
        od[r : r + high, c : c + wide] = block


def lettering(words: str, height_px: float, turn: float) -> Floats:
    """Return words drawn with Pillow's own font, as coverage in [0, 1], turned by degrees."""
    size = max(8, round(1.35 * height_px))
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(words)
    canvas = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(canvas).text((4 - left, 4 - top), words, fill=255, font=font)
    turned = canvas.rotate(turn, Image.Resampling.BILINEAR, expand=True)
    return np.asarray(turned, dtype=np.float32) / np.float32(255)


def _add_lead(od: Floats, letters: Floats, scan: MadeScan, rng: np.random.Generator) -> None:
    """Lay lead letters into the upper corner away from the chest wall, where air is."""
    high, wide = letters.shape
    rows, columns = od.shape
    if high >= rows // 2 or wide >= columns // 2:
        return
    for _ in range(_TRIES):
        row = int(rng.integers(rows // 60, max(rows // 60 + 1, rows // 4)))
        column = int(rng.integers(0, max(1, columns // 5)))
        start = columns - wide - column if scan.laterality is Laterality.LEFT else column
        here = slice(row, row + high), slice(start, start + wide)
        # Neither on the breast, nor on a patch.
        if od[here].min() > _BLACK_OD:
            lead = _LEAD_OD + rng.uniform(-0.2, 0.5)
            od[here] = od[here] * (1 - letters) + np.float32(lead) * letters
            return


def _add_patch(od: Floats, scan: MadeScan, rng: np.random.Generator) -> None:
    """Cover a label at the film's edge with white, as DDSM does where a name stood."""
    rows, columns = od.shape
    high, wide = (round(rng.uniform(*span) / scan.spacing_mm) for span in ((14, 30), (5, 11)))
    row = int(rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.7, 0.85)]) * rows)
    start = columns - wide if scan.laterality is Laterality.LEFT else 0
    here = slice(row, row + high), slice(start, start + wide)
    if not scan.breast[here].any():
        od[here] = _PATCH_OD


def _add_dust(od: Floats, scan: MadeScan, rng: np.random.Generator) -> None:
    """Add bright specks and one or two hairline scratches along the film's way."""
    rows, columns = od.shape
    count = int(rng.poisson(14))
    for row, column in zip(
        rng.integers(0, rows, count), rng.integers(0, columns, count), strict=True
    ):
        size = max(1, round(rng.uniform(0.05, 0.16) / scan.spacing_mm))
        od[row : row + size, column : column + size] -= np.float32(rng.uniform(0.2, 0.9))
    for _ in range(int(rng.integers(0, 3))):
        column, first = int(rng.integers(0, columns)), int(rng.integers(0, rows))
        length = int(rng.uniform(0.05, 0.5) * rows)
        od[first : first + length, column] -= np.float32(rng.uniform(0.02, 0.09))


def _add_borders(od: Floats, spacing_mm: float, rng: np.random.Generator) -> None:
    """Let the scanner's light shine past the film's slightly turned edges."""
    for turns in range(4):
        if rng.random() < 0.45:
            continue
        side = np.rot90(od, turns)
        length = side.shape[1]
        broad = rng.uniform(0.1, 1.6) / spacing_mm
        slant = rng.uniform(-1.0, 1.0) / spacing_mm
        edge = broad + slant * np.linspace(-0.5, 0.5, length)
        deep = int(max(1, np.ceil(edge.max() + 2)))
        rows = np.arange(deep, dtype=np.float32)[:, None]
        light = np.clip(edge[None, :] - rows, 0, 1).astype(np.float32)
        band = side[:deep]
        band += (np.float32(_LIGHT_OD) - band) * light[: len(band)]
