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

SHARES = {1: 0.08, 2: 0.24, 3: 0.44, 4: 0.62}
"""Share of the breast that is glandular, by BI-RADS density (fatty to extremely dense)."""

_FIELD_MM = 2 * GRID_MM
_NET_MM = 0.25
_GAINS = {1: 0.18, 2: 0.23, 3: 0.27, 4: 0.33}
"""Density that full glandular tissue adds, by BI-RADS density: fatty breasts have thin glands."""
_FAT, _SKIN, _MUSCLE = 0.33, 0.14, 0.31
_TILE_PX = 512
_SHEETS = (0.42, 0.26, 0.19, 0.13)
"""Weights of the sheets of tissue that lie one behind the other: the first is seen best."""
_LOBULES = 120


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

    `coarse` and `cotton` have no direction (`tile` is the periodic one of `cotton`); `streaks` are
    drawn out towards the nipple and come in sheets, one behind the other. `lobules` and `septa`
    are not random fields but nets of fat lobules and of the walls between them, 0 to about 1; the
    walls lie on the grid of `GRID_MM`.
    """

    coarse: Floats
    cotton: Floats
    tile: Floats
    streaks: tuple[Floats, ...]
    lobules: tuple[Floats, ...]
    septa: Floats


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
    fine = _window(power_law((_TILE_PX, _TILE_PX), GRID_MM, 1.8, 2.0, rng), size)
    fine *= np.float32(0.0055) * (1 + np.float32(0.6) * fine_glands)
    # The septa are plainest where the glands run out into them.
    plain = (1 - place.muscle) * np.clip(0.7 + 0.5 * fields.cotton, 0.1, 1.6)
    plain *= 0.17 + 0.26 * glands * (1 - glands)
    lines += _doubled(plain, size) * fields.septa
    density = _doubled(body, size) + _rim(shape, depth) * (lines + fine)
    density += _skin(shape, depth)
    density = np.where(depth > 0, np.clip(density, 0, 1), 0).astype(np.float32)
    return Tissue(gaussian_filter(density, 0.35), depth, fine_glands, muscle)


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
    streaks = _alike(tile, (3.0, 14.0), 0.5, (patient, rng))
    cotton = power_law(tile, _FIELD_MM, 3.0, 25, rng)
    bends = [2.6 * _window(power_law(tile, _FIELD_MM, 6.0, 55, rng), size) for _ in range(2)]
    wave = 0.7 * _window(power_law(tile, _FIELD_MM, 5.0, 14, rng), size)
    shifts = rng.uniform(0, _TILE_PX, (len(_SHEETS), 2))
    ways = _ways(place, bends, _FIELD_MM, 1.6)
    cells = _ways(place, [bends[0] + wave, bends[1] - wave], _NET_MM, 1.3)
    dome, walls = _net(patient)
    fine = tuple(_doubled(way, grid_of(place.shape.film_mm, GRID_MM)) for way in cells)
    return _Fields(
        coarse=_window(coarse, size),
        cotton=_window(cotton, size),
        tile=cotton,
        streaks=tuple(_laid(streaks, ways, shift) for shift in shifts),
        lobules=tuple(_laid(dome, cells, shift) for shift in shifts),
        septa=_weighted([_laid(walls, fine, shift) for shift in shifts[:2]]),
    )


def _weighted(sheets: list[Floats]) -> Floats:
    """Add sheets of tissue up by their weights, the first ones if there are fewer."""
    total = np.zeros_like(sheets[0])
    for weight, sheet in zip(_SHEETS, sheets, strict=False):
        total += np.float32(weight) * sheet
    return total


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


def _ways(
    place: _Place, bends: list[Floats], tile_mm: float, stretch: float
) -> tuple[Floats, Floats]:
    """Return coordinates that lay a tile round the nipple, `stretch` times as long on the way."""
    out = (place.radius + bends[0]) / np.float32(stretch * tile_mm)
    around = (place.angle * (30 + 0.45 * place.radius) + bends[1]) / np.float32(tile_mm)
    return out, around


def _laid(tile: Floats, ways: tuple[Floats, ...], shift: NDArray[np.float64]) -> Floats:
    """Look a periodic tile up at shifted coordinates."""
    at = [way + np.float32(by) for way, by in zip(ways, shift, strict=True)]
    found: Floats = map_coordinates(tile, at, order=1, mode="grid-wrap", output=np.float32)
    return found


def _net(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw fat lobules and the septa between them as periodic tiles: cells round points.

    The first tile is 1 in the middle of a lobule and 0 on its border; the second holds ridges on
    the borders, each of a strength of its own: a few are plain, most are faint.
    """
    margin = _TILE_PX // 16
    number = _seeded(rng, margin)
    out, nearest = distance_transform_edt(number == 0, return_indices=True)
    cell = number[nearest[0], nearest[1]]
    strengths = np.minimum(rng.lognormal(-1.2, 0.75, 997), 0.9).astype(np.float32)
    ridges = np.zeros(cell.shape, np.float32)
    for axis in (0, 1):
        other = np.roll(cell, 1, axis)
        pair = (cell + other) * 31 + cell * other
        ridges = np.maximum(ridges, np.where(cell != other, strengths[pair % 997], 0))
    inward = distance_transform_edt(ridges == 0)
    dome = inward / (inward + out + 1e-3)
    inner = (slice(margin, margin + _TILE_PX),) * 2
    round_dome: Floats = gaussian_filter((dome * (2 - dome)).astype(np.float32), 1.0)[inner]
    soft: Floats = gaussian_filter(ridges, 0.65)[inner] * np.float32(1.6)
    return round_dome, soft


def _seeded(rng: np.random.Generator, margin: int) -> NDArray[np.int64]:
    """Give a number to the middles of the lobules on a tile that repeats over a margin."""
    whole = _TILE_PX + 2 * margin
    seeds = rng.integers(0, _TILE_PX, (_LOBULES, 2))
    number = np.zeros((whole, whole), dtype=np.int64)
    for down in (-_TILE_PX, 0, _TILE_PX):
        for right in (-_TILE_PX, 0, _TILE_PX):
            at = seeds + np.array([down, right]) + margin
            kept = ((at >= 0) & (at < whole)).all(axis=1)
            number[at[kept, 0], at[kept, 1]] = np.flatnonzero(kept) + 1
    return number


def _glands(place: _Place, fields: _Fields, share: float) -> Floats:
    """Return where the glandular tissue is, in [0, 1]: a disc behind the nipple.

    Fat lobules eat into the disc, so that it ends in hollows with points between them. Several
    sheets lie one behind the other, as the beam sees them; their common level is set so that about
    `share` of the breast outside the muscle is glandular.
    """
    common = _disc(place, fields.coarse) + 0.31 * fields.coarse
    sheets = [
        common + 0.20 * streaks - 0.66 * lobule
        for streaks, lobule in zip(fields.streaks, fields.lobules, strict=True)
    ]
    room = _room(place, fields)
    counted = (room > 0.5) & (place.muscle < 0.5)
    whole = (place.depth > 0) & (place.muscle < 0.5)
    wanted = min(0.95, share * float(whole.sum()) / max(1.0, float(counted.sum())))
    mean = _weighted([sheet[counted][::5] for sheet in sheets])
    level = np.float32(np.quantile(mean, 1 - wanted))
    glands = np.zeros_like(common)
    for weight, width, sheet in zip(_SHEETS, (1.3, 2.0, 2.6, 2.6), sheets, strict=True):
        glands += np.float32(weight) * _step((sheet - level) / np.float32(width))
    # The disc is thickest in its middle.
    glands *= np.float32(0.55) + np.float32(0.45) * _step((common - level - 0.2) / np.float32(1.8))
    free: Floats = glands * (1 - np.float32(0.75) * place.muscle) * room
    return free


def _room(place: _Place, fields: _Fields) -> Floats:
    """Return where glands may lie: not in the fat below the skin, which ends at the nipple."""
    tip = np.exp(-((place.radius / 15) ** 2))
    fat_mm = (11 + 3 * fields.coarse + 2.5 * fields.lobules[0]) * (1 - 0.9 * tip)
    return _step(((place.depth - fat_mm) / 7.0).astype(np.float32))


def _step(height: Floats) -> Floats:
    """Rise softly from 0 at -0.5 to 1 at 0.5."""
    soft = np.clip(height + np.float32(0.5), 0, 1)
    risen: Floats = soft * soft * (3 - 2 * soft)
    return risen


def _disc(place: _Place, coarse: Floats) -> Floats:
    """Return how much each place is inside the disc of glands, before most noise.

    It lies free of the skin but at the nipple, of the chest wall and of the muscle.
    """
    behind = place.radius / np.float32(place.shape.nipple[1])
    tip = np.exp(-((place.radius / 13) ** 2))
    disc = 1.6 - 1.5 * np.clip(behind - 0.45, 0, None) - 0.55 * place.angle**2
    disc -= 4.0 * np.exp(-place.depth.clip(0) / 6.0) * (1 - 0.85 * tip)
    disc -= 1.5 * np.exp(-(place.columns + 7 * coarse).clip(0) / 11.0)
    near = gaussian_filter(place.muscle, 7 / _FIELD_MM)
    inside: Floats = (disc - 1.5 * near).astype(np.float32)
    return inside


def _body(place: _Place, fields: _Fields, glands: Floats, gain: float) -> Floats:
    """Add up fat, glands, septa, muscle and nipple, without the thin lines."""
    thick = _rim(place.shape, place.depth)
    streaks = (fields.streaks[0] + fields.streaks[1] + fields.streaks[2]) / np.float32(3**0.5)
    texture = 0.80 + 0.055 * fields.coarse + 0.045 * streaks + 0.03 * fields.cotton
    fat = _FAT * (1 + 0.035 * fields.cotton + 0.05 * fields.coarse)
    body = fat + gain * glands * np.clip(texture, 0.3, 1.2)
    body += _muscle(place, fields)
    nipple = np.exp(-((place.radius / 5.0) ** 2))
    total: Floats = (thick * body + 0.08 * nipple * (place.depth > 0)).astype(np.float32)
    return total


def _muscle(place: _Place, fields: _Fields) -> Floats:
    """Return what the pectoral muscle adds: thick at the border, with faint fibres along it."""
    if place.shape.muscle is None:
        return np.zeros_like(place.muscle)
    down, right = place.shape.muscle[-1] - place.shape.muscle[0]
    turn = np.arctan2(down, right)
    rows = np.arange(len(place.muscle), dtype=np.float32)[:, None]
    columns = np.arange(place.muscle.shape[1], dtype=np.float32)[None, :]
    along = rows * np.sin(turn) + columns * np.cos(turn)
    across = rows * np.cos(turn) - columns * np.sin(turn)
    # Fibres spread a little towards the arm.
    across = across * (1 + 0.0006 * along) + 2 * fields.coarse
    fibres = map_coordinates(
        fields.tile, [across, along / 9], order=1, mode="grid-wrap", output=np.float32
    )
    inner = gaussian_filter(place.muscle, 14 / _FIELD_MM)
    fade = 1.08 - 0.3 * rows / np.float32(place.shape.muscle[-1, 0] / _FIELD_MM)
    even = (0.45 + 0.55 * inner) * fade
    added: Floats = (
        np.float32(_MUSCLE) * place.muscle * (even + 0.04 * fields.coarse + 0.05 * fibres)
    )
    return added


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
