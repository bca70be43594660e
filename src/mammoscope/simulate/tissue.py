"""Breast tissue as the film sees it: fat, glands, strands, vessels, skin and muscle.

The density of a place is how much it weakens the beam, from 0 (air) to 1. It is made on a grid of
`GRID_MM` and enlarged afterwards. The glands are a random field with a power-law spectrum
P(f) = B / f**beta, cut at the level that leaves the wanted share of the breast. Measured on
mammograms beta is 2.8 on average (1.5 to 3.5; A Burgess 2003, SPIE 5034) and 3.17 in CC, 3.30 in
MLO views (L Chen et al 2012, Medical Physics 39, 1435).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

from mammoscope.simulate.outline import (
    GRID_MM,
    Silhouette,
    depth_below_skin,
    grid_of,
    muscle_cover,
)
from mammoscope.simulate.strands import draw_lines

Floats = NDArray[np.float32]

SHARES = {1: 0.10, 2: 0.30, 3: 0.60, 4: 0.85}
"""Share of the breast that is glandular, by BI-RADS density (fatty to extremely dense)."""

_FIELD_MM = 2 * GRID_MM
_GAINS = {1: 0.18, 2: 0.25, 3: 0.32, 4: 0.36}
"""Density that full glandular tissue adds, by BI-RADS density: fatty breasts have thin glands."""
_FAT, _SKIN, _MUSCLE = 0.33, 0.14, 0.31
_TILE_PX = 512
_LAYERS = 5
_LOBULES = 420


@dataclass(frozen=True, slots=True)
class Tissue:
    """One breast's tissue on a grid of `GRID_MM`.

    Attributes
    ----------
    density : (rows, columns) float32 in [0, 1]
    depth : (rows, columns) float32, mm below the skin line, negative in the air
    glands : (rows, columns) float32 in [0, 1], where the glandular tissue is
    muscle : (rows, columns) float32 in [0, 1]
    """

    density: Floats
    depth: Floats
    glands: Floats
    muscle: Floats


@dataclass(frozen=True, slots=True)
class _Place:
    """Where things are on the field grid: depth and muscle, distance and angle from the nipple."""

    shape: Silhouette
    depth: Floats
    muscle: Floats
    columns: Floats
    radius: Floats
    angle: Floats


@dataclass(frozen=True, slots=True)
class _Fields:
    """Random fields on the field grid, each of mean 0 and standard deviation 1.

    `coarse` and `cotton` have no direction; `streaks` are drawn out towards the nipple and come in
    `_LAYERS` sheets, one behind the other. `septa` are not random fields but nets of lines between
    fat lobules, of height 0 to about 1.
    """

    coarse: Floats
    cotton: Floats
    streaks: tuple[Floats, ...]
    septa: tuple[Floats, ...]


def make_tissue(
    shape: Silhouette, breast_density: int, patient_seed: int, rng: np.random.Generator
) -> Tissue:
    """Make the tissue of one breast on one film.

    `patient_seed` makes what the two breasts of a patient share in this view; `rng` the rest.
    """
    place = _place(shape)
    fields = _fields(place, patient_seed, rng)
    glands = _glands(place, fields, SHARES[breast_density])
    body = _body(place, fields, glands, _GAINS[breast_density])
    size = grid_of(shape.film_mm, GRID_MM)
    depth, fine_glands, muscle = (_doubled(a, size) for a in (place.depth, glands, place.muscle))
    lines = draw_lines(shape, fine_glands, breast_density, rng)
    fine = _window(power_law((_TILE_PX, _TILE_PX), GRID_MM, 2.6, 12, rng), size)
    density = _doubled(body, size) + _rim(shape, depth) * (lines + 0.009 * fine)
    density += _skin(shape, depth)
    density = np.where(depth > 0, np.clip(density, 0, 1), 0).astype(np.float32)
    return Tissue(gaussian_filter(density, 0.4), depth, fine_glands, muscle)


def power_law(
    shape: tuple[int, int], grid_mm: float, beta: float, largest_mm: float, rng: np.random.Generator
) -> Floats:
    """Return a periodic random field whose power spectrum falls as 1 / f**beta.

    Parameters
    ----------
    largest_mm : structures longer than this do not grow further; the spectrum is flat there

    Returns
    -------
    float32 of `shape`, mean 0, standard deviation 1
    """
    white = fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    rows = fft.fftfreq(shape[0], grid_mm)[:, None]
    columns = fft.rfftfreq(shape[1], grid_mm)[None, :]
    frequency = np.sqrt(rows**2 + columns**2 + largest_mm**-2)
    field = fft.irfft2(white * (frequency ** (-beta / 2)).astype(np.float32), s=shape)
    field -= field.mean()
    plain: Floats = (field / field.std()).astype(np.float32)
    return plain


def thickness(depth: Floats, round_mm: float) -> Floats:
    """Return the way of the beam through a breast with a round rim, as a share of the full way."""
    toward = np.clip(1 - depth / np.float32(round_mm), 0, 1)
    # The bare circle would end too bluntly: compressed breasts have a rim thinner than that.
    whole = np.clip(1 - toward * toward, 0, 1) ** np.float32(0.68)
    return np.where(depth > 0, whole, 0).astype(np.float32)


def _place(shape: Silhouette) -> _Place:
    depth = depth_below_skin(shape, _FIELD_MM)
    rows = np.arange(depth.shape[0], dtype=np.float32)[:, None] * np.float32(_FIELD_MM)
    columns = np.arange(depth.shape[1], dtype=np.float32)[None, :] * np.float32(_FIELD_MM)
    down, behind = rows - np.float32(shape.nipple[0]), np.float32(shape.nipple[1]) - columns
    return _Place(
        shape=shape,
        depth=depth,
        muscle=muscle_cover(shape, _FIELD_MM),
        columns=np.broadcast_to(columns, depth.shape),
        radius=np.hypot(down, behind),
        # Seen from a little before the nipple, so that no direction changes too fast.
        angle=np.arctan2(down, behind + 14),
    )


def _fields(place: _Place, patient_seed: int, rng: np.random.Generator) -> _Fields:
    """Draw the random fields; the coarse ones are partly the patient's."""
    patient = np.random.default_rng(patient_seed)
    tile, size = (_TILE_PX, _TILE_PX), place.depth.shape
    coarse = _alike(tile, (3.9, 70.0), 0.6, (patient, rng))
    streaks = _alike(tile, (2.85, 22.0), 0.5, (patient, rng))
    cotton = power_law(tile, _FIELD_MM, 2.8, 25, rng)
    net = _net(rng)
    bend = 4.5 * _window(power_law(tile, _FIELD_MM, 6.0, 55, rng), size)
    wavy = bend + 1.6 * _window(power_law(tile, _FIELD_MM, 5.0, 14, rng), size)
    shifts = rng.uniform(0, _TILE_PX, (_LAYERS, 2))
    return _Fields(
        coarse=_window(coarse, size),
        cotton=_window(cotton, size),
        streaks=tuple(_radial(streaks, place, bend, (2.5, *shift)) for shift in shifts),
        septa=tuple(_radial(net, place, wavy, (1.7, *shift)) for shift in shifts[:3]),
    )


def _alike(
    tile: tuple[int, int],
    spectrum: tuple[float, float],
    likeness: float,
    sources: tuple[np.random.Generator, np.random.Generator],
) -> Floats:
    """Mix a field that the patient's two breasts share with one of the breast's own."""
    shared, ours = (power_law(tile, _FIELD_MM, *spectrum, source) for source in sources)
    mixed = np.sqrt(np.float32(likeness)) * shared + np.sqrt(np.float32(1 - likeness)) * ours
    plain: Floats = mixed.astype(np.float32)
    return plain


def _window(tile: Floats, size: tuple[int, int]) -> Floats:
    """Repeat a periodic tile over a grid."""
    rows, columns = np.arange(size[0]) % len(tile), np.arange(size[1]) % tile.shape[1]
    window: Floats = tile[np.ix_(rows, columns)]
    return window


def _radial(tile: Floats, place: _Place, bend: Floats, lie: tuple[float, float, float]) -> Floats:
    """Lay a periodic tile round the nipple; `lie` is its stretch along the way and its shift."""
    stretch, out_px, around_px = lie
    out = (place.radius + bend) / (stretch * _FIELD_MM) + out_px
    around = (place.angle * (30 + 0.45 * place.radius) + bend) / _FIELD_MM + around_px
    found: Floats = map_coordinates(
        tile, [out, around], order=1, mode="grid-wrap", output=np.float32
    )
    return found


def _net(rng: np.random.Generator) -> Floats:
    """Draw the septa between fat lobules as a periodic tile: the borders of cells round points.

    Each border has a strength of its own; a few are plain, most are faint.
    """
    margin = _TILE_PX // 8
    whole = _TILE_PX + 2 * margin
    seeds = rng.integers(0, _TILE_PX, (_LOBULES, 2))
    number = np.zeros((whole, whole), dtype=np.int64)
    for down in (-_TILE_PX, 0, _TILE_PX):
        for right in (-_TILE_PX, 0, _TILE_PX):
            at = seeds + np.array([down, right]) + margin
            kept = ((at >= 0) & (at < whole)).all(axis=1)
            number[at[kept, 0], at[kept, 1]] = np.flatnonzero(kept) + 1
    nearest = distance_transform_edt(number == 0, return_distances=False, return_indices=True)
    cell = number[nearest[0], nearest[1]]
    strengths = np.minimum(rng.lognormal(-1.1, 0.7, 997), 1.2).astype(np.float32)
    lines = np.zeros(cell.shape, np.float32)
    for axis in (0, 1):
        other = np.roll(cell, 1, axis)
        pair = (cell + other) * 31 + cell * other
        lines = np.maximum(lines, np.where(cell != other, strengths[pair % 997], 0))
    inner = slice(margin, margin + _TILE_PX)
    soft: Floats = gaussian_filter(lines, 0.9)[inner, inner] * np.float32(2.2)
    return soft


def _glands(place: _Place, fields: _Fields, share: float) -> Floats:
    """Return where the glandular tissue is, in [0, 1]: a ragged disc behind the nipple.

    Several sheets lie one behind the other, as the beam sees them; their common level is set so
    that about `share` of the breast outside the muscle is glandular.
    """
    behind = place.radius / np.float32(place.shape.nipple[1])
    disc = 1.5 - 1.5 * np.clip(behind - 0.5, 0, None) - 0.8 * place.angle**2
    disc -= 2.2 * np.exp(-place.depth.clip(0) / 5.0) + 0.8 * np.exp(-place.columns / 8.0)
    disc -= 1.4 * place.muscle
    common = disc + 0.50 * fields.coarse
    sheets = [common + 0.42 * streaks for streaks in fields.streaks]
    counted = (place.depth > 0) & (place.muscle < 0.5)
    level = np.quantile(np.mean([sheet[counted][::5] for sheet in sheets], axis=0), 1 - share)
    glands = np.zeros_like(common)
    for sheet in sheets:
        soft = np.clip((sheet - np.float32(level)) / np.float32(0.95) + np.float32(0.5), 0, 1)
        glands += soft * soft * (3 - 2 * soft)
    mean: Floats = glands * (1 - place.muscle) / np.float32(_LAYERS)
    return mean


def _body(place: _Place, fields: _Fields, glands: Floats, gain: float) -> Floats:
    """Add up fat, glands, septa, muscle and nipple, without the thin lines."""
    thick = _rim(place.shape, place.depth)
    streaks = (fields.streaks[0] + fields.streaks[1] + fields.streaks[2]) / np.float32(3**0.5)
    texture = 0.82 + 0.10 * fields.coarse + 0.10 * streaks + 0.04 * fields.cotton
    septa = np.sum(fields.septa, axis=0) * np.clip(0.8 + 0.5 * fields.cotton, 0.1, 1.6)
    fat = _FAT * (1 + 0.05 * fields.cotton + 0.04 * fields.coarse)
    body = fat + gain * glands * np.clip(texture, 0.3, 1.2)
    body += 0.050 * septa * (1 - 0.45 * glands) * (1 - place.muscle)
    inner = gaussian_filter(place.muscle, 12 / _FIELD_MM)
    body += _MUSCLE * place.muscle * (0.55 + 0.45 * inner + 0.03 * (fields.coarse + streaks))
    nipple = np.exp(-((place.radius / 5.0) ** 2))
    total: Floats = (thick * body + 0.08 * nipple * (place.depth > 0)).astype(np.float32)
    return total


def _rim(shape: Silhouette, depth: Floats) -> Floats:
    """Return the breast's thickness, which falls off over the outer third of its depth."""
    return thickness(depth, 0.42 * shape.nipple[1])


def _skin(shape: Silhouette, depth: Floats) -> Floats:
    """Return what 1.6 mm of skin add: most where the beam runs along them."""
    round_mm = 0.42 * shape.nipple[1]
    skin: Floats = np.float32(_SKIN) * (
        thickness(depth, round_mm) - thickness(depth - np.float32(1.6), round_mm - 1.6)
    )
    return skin


def _doubled(coarse: Floats, size: tuple[int, int]) -> Floats:
    """Bring a map from the field grid to one of `GRID_MM`; both begin with the same centre."""
    share = GRID_MM / _FIELD_MM
    start = 0.5 - 0.5 * share
    box = (start, start, start + size[1] * share, start + size[0] * share)
    picture = Image.fromarray(coarse)
    large = picture.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=box)
    return np.array(large, dtype=np.float32)
