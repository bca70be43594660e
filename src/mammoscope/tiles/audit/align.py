"""Two textures laid over each other as exactly as they fit, and how alike they then are.

The pose is a size and a shift along rows and along columns, improved by least squares (Lucas and
Kanade, IJCAI 1981); mirrored and turned pictures are brought into the same form before.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mammoscope.tiles.audit.hashes import SIDE, THREADS, Hashes, blurred, floats
from mammoscope.tiles.audit.match import MIDDLE, Candidates
from mammoscope.tiles.audit.points import PLACE, textured, turned
from mammoscope.tiles.audit.points import slopes as gradients

ROUNDS = ((2.0, 3), (1.0, 4))
"""Blur in pixels, and steps at it: coarse first, so that a pose may be some pixels off."""
NARROW = (0.7, 1.5)
"""Blurs between which likeness is measured: a breast's outline, much like any other's, is wider."""
AT_ONCE = 128
_PIXELS = np.arange(SIDE, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fits:
    """How pairs of pictures fit, n in all.

    Attributes
    ----------
    likeness : ndarray of shape (n,): correlation of the textures where both pictures are
    told : ndarray of shape (n,): share of the first's area that shows texture to compare
    tissue : ndarray of shape (n,): the same without bare film and what lies on it, in either
    alike : ndarray of shape (n,): the likeness there
    shared : ndarray of shape (n, 2): share of the first and of the second that both show
    size : ndarray of shape (n, 2): pixels of the second to a pixel of the first (rows, columns)
    """

    likeness: NDArray[np.float32]
    told: NDArray[np.float32]
    tissue: NDArray[np.float32]
    alike: NDArray[np.float32]
    shared: NDArray[np.float32]
    size: NDArray[np.float32]


def fit(hashes: Hashes, candidates: Candidates) -> Fits:
    """Lay the pictures of each pair over each other."""
    starts = range(0, len(candidates), AT_ONCE)
    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(
            pool.map(lambda at: _fit_some(hashes, candidates, slice(at, at + AT_ONCE)), starts)
        )
    return Fits(
        likeness=_joined([part.likeness for part in parts]),
        told=_joined([part.told for part in parts]),
        tissue=_joined([part.tissue for part in parts]),
        alike=_joined([part.alike for part in parts]),
        shared=_joined([part.shared for part in parts], 2),
        size=_joined([part.size for part in parts], 2),
    )


def _joined(parts: list[NDArray[np.float32]], *more: int) -> NDArray[np.float32]:
    return np.concatenate(parts) if parts else np.zeros((0, *more), np.float32)


def _fit_some(hashes: Hashes, candidates: Candidates, some: slice) -> Fits:
    textures, form = hashes.textures, candidates.form[some]
    first = turned(floats(textures[candidates.first[some]]), form)
    second = floats(textures[candidates.second[some]])
    size = np.repeat(candidates.size[some, None], 2, axis=1).astype(np.float32)
    shift = (candidates.middle[some] - MIDDLE).astype(np.float32)
    for sigma, steps in ROUNDS:
        still, moving = blurred(first, sigma), blurred(second, sigma)
        slopes = gradients(moving)
        for _ in range(steps):
            size, shift = _step(still, (moving, *slopes), size, shift)
    seen = turned(_not_bare(hashes, candidates.first[some]), form)
    also = _not_bare(hashes, candidates.second[some])
    return _measured((_fine(first), seen), (_fine(second), also), size, shift)


def _not_bare(hashes: Hashes, positions: NDArray[np.int32]) -> NDArray[np.float32]:
    return np.asarray(1 - np.unpackbits(hashes.bare[positions], axis=-1), np.float32)


def _fine(textures: NDArray[np.float32]) -> NDArray[np.float32]:
    narrow = blurred(textures, NARROW[0])
    return narrow - blurred(narrow, NARROW[1])


def _step(
    still: NDArray[np.float32],
    moving: tuple[NDArray[np.float32], ...],
    size: NDArray[np.float32],
    shift: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Improve poses once; a pose that least squares cannot improve stays."""
    rows, columns, inside = _laid(size, shift)
    values, down, right = (rows @ part @ columns.transpose(0, 2, 1) for part in moving)
    from_middle = (_PIXELS - MIDDLE) / SIDE
    slopes = np.stack(
        [down * from_middle[:, None], right * from_middle[None, :], down, right], axis=1
    )
    slopes = (slopes * inside[:, None]).reshape(len(still), 4, -1)
    gain = (still * values * inside).sum(axis=(1, 2)) / (
        (values * values * inside).sum(axis=(1, 2)) + 1e-6
    )
    wrong = (still - np.clip(gain, 0.3, 3)[:, None, None] * values).reshape(len(still), -1, 1)
    squares = slopes @ slopes.transpose(0, 2, 1) + 1e-2 * np.eye(4, dtype=np.float32)
    change = np.linalg.solve(squares, slopes @ wrong)[..., 0]
    change = np.clip(change, -3, 3)
    new_size = np.clip(size + change[:, :2] / SIDE, 0.4, 2.5)
    return np.asarray(new_size, np.float32), np.asarray(shift + change[:, 2:], np.float32)


def _laid(
    size: NDArray[np.float32], shift: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Make matrices that read the second picture where the first lies, and tell where it does."""
    from_middle = _PIXELS - np.float32(MIDDLE)
    places = [MIDDLE + size[:, axis, None] * from_middle + shift[:, axis, None] for axis in (0, 1)]
    rows, columns = (_reading(place) for place in places)
    within = [np.asarray(np.abs(place - MIDDLE) <= SIDE / 2, np.float32) for place in places]
    return rows, columns, within[0][:, :, None] * within[1][:, None, :]


def _reading(place: NDArray[np.floating]) -> NDArray[np.float32]:
    """Make matrices, shape (n, 64, 64), that read between pixels, at the border the last ones."""
    near = 1 - np.abs(place.clip(0, SIDE - 1)[:, :, None] - _PIXELS)
    return np.asarray(np.maximum(0, near), np.float32)


def _measured(
    first: tuple[NDArray[np.float32], NDArray[np.float32]],
    second: tuple[NDArray[np.float32], NDArray[np.float32]],
    size: NDArray[np.float32],
    shift: NDArray[np.float32],
) -> Fits:
    """Correlate what both pictures show, place by place; each is its texture and what is tissue."""
    (still, tissue), (moving, also) = first, second
    rows, columns, inside = _laid(size, shift)
    values, tissue_too = (rows @ part @ columns.transpose(0, 2, 1) for part in (moving, also))
    one, two = still * inside, np.asarray(values * inside, np.float32)
    both = np.asarray(inside * tissue * tissue_too, np.float32)
    weight = np.maximum(textured(one), textured(two)) * inside
    of_tissue = weight * both
    told, told_of_tissue = weight.sum(axis=(1, 2)), of_tissue.sum(axis=(1, 2))
    of_first = inside.mean(axis=(1, 2))
    of_second = np.minimum(1, of_first * size.prod(axis=1))
    return Fits(
        likeness=(_alike(one, two, inside) * weight).sum(axis=(1, 2)) / np.maximum(told, 1),
        told=told / SIDE**2,
        tissue=np.asarray(told_of_tissue / SIDE**2, np.float32),
        alike=np.asarray(
            (_alike(one * both, two * both, both) * of_tissue).sum(axis=(1, 2))
            / np.maximum(told_of_tissue, 1),
            np.float32,
        ),
        shared=np.stack([of_first, of_second], axis=1),
        size=size,
    )


def _alike(
    one: NDArray[np.float32], two: NDArray[np.float32], inside: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Correlation round each place, shape (n, 64, 64), of what lies inside both pictures."""
    seen = blurred(inside, PLACE) + 1e-6
    mean_one, mean_two = blurred(one, PLACE) / seen, blurred(two, PLACE) / seen
    product, square_one, square_two = (
        blurred(part, PLACE) / seen for part in (one * two, one * one, two * two)
    )
    spread = (square_one - mean_one**2).clip(0) * (square_two - mean_two**2).clip(0)
    alike = (product - mean_one * mean_two) / np.sqrt(spread + 1e-6)
    # Where next to nothing is inside, rounding would give any number.
    return np.asarray(np.clip(alike, -1, 1), np.float32)
