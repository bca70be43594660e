"""Masses, distortions and asymmetries as density that is added to the tissue.

A mass is a star-shaped body: its outline is a radius for each direction, its height that of a
round body seen from the side, its edge as soft as its margins say.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_fill_holes, gaussian_filter, label, zoom

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

LEAST = 0.006
"""Added density below which a lesion ends: it could not be seen in the film's grain."""
_EDGE_MM = {
    "CIRCUMSCRIBED": 0.7,
    "MICROLOBULATED": 1.1,
    "OBSCURED": 0.9,
    "SPICULATED": 1.4,
    "ILL_DEFINED": 2.4,
}
_HEIGHTS = {"ARCHITECTURAL_DISTORTION": 0.04, "FOCAL_ASYMMETRIC_DENSITY": 0.09}


@dataclass(frozen=True, slots=True)
class _Polar:
    """Distance in mm and direction from the middle of a square window."""

    radius: Floats
    angle: Floats
    spacing_mm: float


def draw_mass(
    shape: str, margins: str, size_mm: float, spacing_mm: float, rng: np.random.Generator
) -> tuple[Floats, Mask]:
    """Draw a mass, distortion or asymmetry in the middle of a window of its own.

    Parameters
    ----------
    shape, margins : words of DDSM's overlays
    size_mm : longest diameter of the body

    Returns
    -------
    (n, n) float32, added density from 0 to about 0.2, and (n, n) bool, which holds all of it
    """
    rays = margins == "SPICULATED" or shape == "ARCHITECTURAL_DISTORTION"
    reach = size_mm * (1.35 if rays else 0.75) + 4
    place = _polar(reach, spacing_mm)
    body = _body(place, shape, margins, size_mm, rng)
    # A larger body is thicker along the beam, too.
    height = _HEIGHTS.get(shape, 0.18) * np.clip(size_mm / 18, 0.6, 1.0)
    added = np.float32(height) * body
    if rays:
        added = added + _spicules(place, size_mm, rng)
    added *= _rim(place.radius, reach)
    return ended(added, 1.2 / spacing_mm)


def ended(added: Floats, close_px: float) -> tuple[Floats, Mask]:
    """Cut a lesion where it cannot be seen any more and return it with its mask.

    The mask is the cut lesion with gaps up to `close_px` closed and holes filled; what lies apart
    from its largest part is left out of both.
    """
    cut = np.maximum(added - np.float32(LEAST), 0)
    seen = cut > 0
    pad = int(close_px) + 2
    closed = binary_closing(np.pad(seen, pad), iterations=max(1, int(close_px)))
    filled = binary_fill_holes(closed)[pad:-pad, pad:-pad] | seen
    parts = label(filled)[0]
    mask = parts == 1 + np.argmax(np.bincount(parts[filled])[1:])
    return np.where(mask, cut, np.float32(0)), np.asarray(mask, dtype=bool)


def _polar(reach_mm: float, spacing_mm: float) -> _Polar:
    half = int(np.ceil(reach_mm / spacing_mm))
    along = np.arange(-half, half + 1, dtype=np.float32) * np.float32(spacing_mm)
    radius = np.hypot(along[:, None], along[None, :])
    return _Polar(radius, np.arctan2(along[:, None], along[None, :]), spacing_mm)


def _rim(radius: Floats, reach_mm: float) -> Floats:
    """Fall to nothing over the last two millimetres of the window."""
    rim: Floats = np.clip((np.float32(reach_mm) - radius) / 2, 0, 1)
    return rim


def _body(
    place: _Polar, shape: str, margins: str, size_mm: float, rng: np.random.Generator
) -> Floats:
    """Return the body's height in [0, 1]."""
    turns = np.linspace(-np.pi, np.pi, 721)
    smooth = _outline(turns, shape, rng)
    smooth *= size_mm / 2 / smooth.max()
    edge = np.interp(place.angle, turns, smooth * _roughness(turns, margins, rng))
    soft = np.float32(min(_EDGE_MM.get(margins, 2.4), 0.3 * size_mm))
    away = (edge.astype(np.float32) - place.radius) / soft
    inside = 1 / (1 + np.exp(-np.clip(4 * away, -20, 20)))
    even = np.interp(place.angle, turns, np.maximum(smooth, 0.5)).astype(np.float32)
    # A round body is thickest in its middle; a flatter one hides its thickness.
    dome = 0.35 + 0.65 * np.sqrt(np.clip(1 - (place.radius / even) ** 2, 0, 1))
    height: Floats = (
        inside * dome * _clouds(place, 0.12 if margins == "CIRCUMSCRIBED" else 0.3, rng)
    )
    if margins == "OBSCURED":
        height *= _veil(place, size_mm, rng)
    return height


def _outline(
    turns: NDArray[np.float64], shape: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the radius of each shape for each direction, on no scale."""
    flat = {"ROUND": rng.uniform(0.93, 1.0), "OVAL": rng.uniform(0.58, 0.78)}.get(
        shape, rng.uniform(0.72, 0.95)
    )
    turn = turns - rng.uniform(-np.pi, np.pi)
    oval = flat / np.hypot(flat * np.cos(turn), np.sin(turn))
    bumps = np.ones_like(turns)
    if shape == "LOBULATED":
        lobes = int(rng.integers(3, 6))
        bumps += rng.uniform(0.18, 0.30) * np.abs(np.cos(0.5 * lobes * turn))
        bumps += 0.04 * np.sin(2 * turn + rng.uniform(0, 6))
    elif shape not in ("ROUND", "OVAL"):
        for wave in range(2, 9):
            bumps += 0.24 / wave * rng.normal() * np.sin(wave * turn + rng.uniform(0, 6.3))
    return oval * np.clip(bumps, 0.45, None)


def _roughness(
    turns: NDArray[np.float64], margins: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return what the margins do to the radius."""
    rough = np.ones_like(turns)
    if margins == "MICROLOBULATED":
        lobes = int(rng.integers(11, 18))
        uneven = 0.5 * lobes * turns + 1.2 * np.sin(turns + rng.uniform(0, 6)) + rng.uniform(0, 6)
        lobe = 0.05 + 0.03 * np.sin(2 * turns + rng.uniform(0, 6))
        rough += lobe * np.abs(np.sin(uneven))
    size = {"CIRCUMSCRIBED": 0.01, "MICROLOBULATED": 0.03, "OBSCURED": 0.03}.get(margins, 0.10)
    for wave in range(4, 16):
        rough += size * 1.6 / wave * rng.normal() * np.sin(wave * turns + rng.uniform(0, 6.3))
    return rough


def _clouds(place: _Polar, depth: float, rng: np.random.Generator) -> Floats:
    """Return a slow random unevenness round 1."""
    side = len(place.radius)
    coarse = gaussian_filter(rng.standard_normal((24, 24), dtype=np.float32), 1.2, mode="wrap")
    coarse /= max(float(coarse.std()), 1e-6)
    fine = zoom(coarse, side / 24 + 0.1, order=1)[:side, :side]
    uneven: Floats = np.clip(1 + np.float32(depth) * 0.5 * fine, 0.4, 1.5)
    return uneven


def _veil(place: _Polar, size_mm: float, rng: np.random.Generator) -> Floats:
    """Return how much of an obscured mass is seen: less and less towards one side."""
    toward = place.radius * np.cos(place.angle - np.float32(rng.uniform(-np.pi, np.pi)))
    veil: Floats = np.clip(0.72 + 0.9 * toward / np.float32(size_mm), 0.3, 1)
    return veil


def _spicules(place: _Polar, size_mm: float, rng: np.random.Generator) -> Floats:
    """Draw thin rays out of the body, each narrower and fainter towards its end.

    They come in bundles, begin under the body and run nearly straight.
    """
    count = int(rng.integers(36, 64))
    lengths = size_mm * np.clip(rng.lognormal(-0.75, 0.45, count), 0.25, 0.95)
    along = np.linspace(0, 1, 700)
    bundles = rng.uniform(-np.pi, np.pi, count // 2)
    angle = rng.choice(bundles, count) + rng.normal(0, 0.2, count)
    # Each ray bends once and trembles a little.
    bent = angle[:, None] + rng.normal(0, 0.07, (count, 1)) * along**2
    bent += 0.006 * np.sin(rng.uniform(4, 16, (count, 1)) * along + rng.uniform(0, 6, (count, 1)))
    out = 0.18 * size_mm + along * (lengths[:, None] + 0.18 * size_mm)
    ink = rng.lognormal(-0.4, 0.5, (count, 1)) * (1 - along) ** 1.3
    half, side = len(place.radius) // 2, len(place.radius)
    rows = np.rint(out * np.sin(bent) / place.spacing_mm).astype(np.intp) + half
    columns = np.rint(out * np.cos(bent) / place.spacing_mm).astype(np.intp) + half
    kept = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    # Broad near the body, a hair at the end: two widths laid over each other.
    sigma = max(rng.uniform(0.10, 0.16) / place.spacing_mm, 0.5)
    rays = np.zeros((side, side), np.float32)
    for width, share in ((sigma, 1.0), (2.6 * sigma, 1.1)):
        fade = ink * np.clip(share - along, 0, 1) ** (width / sigma - 1)
        flat = np.bincount((rows * side + columns)[kept], fade[kept], minlength=side * side)
        rays += _lines(flat.reshape(side, side).astype(np.float32), width)
    # Over the body they cannot be told from it.
    rays *= np.clip(place.radius / np.float32(0.25 * size_mm) - np.float32(0.75), 0, 1)
    return rays


def _lines(ink: Floats, sigma: float) -> Floats:
    """Blur drawn points to lines whose plain parts add about the density of a spicule."""
    drawn = gaussian_filter(ink, sigma)
    top = float(np.quantile(drawn[drawn > 0.02 * drawn.max()], 0.9)) if drawn.max() > 0 else 1.0
    lines: Floats = np.float32(0.034) * np.clip(drawn / np.float32(top), 0, 1.5)
    return lines
