"""Points that stand out in a picture's texture, and a description of what lies round each.

A description is the same for a picture and its seven mirrored and turned forms: the patch round a
point is mirrored and turned until its brightness grows to the right and, less, downwards.
Interest points as extrema of differences of Gaussians: Lowe, IJCV 60 (2004) 91-110.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mammoscope.tiles.audit.hashes import SIDE, blurred

POINTS = 16
"""Points of a picture, the most outstanding first."""
SIGMAS = (1.5, 1.9, 2.4, 3.0)
"""Blurs between whose neighbours points stand out, in pixels of a texture."""
GRID = 8
"""A patch is sampled in 8 x 8 places."""
RADIUS, PATCH_BLUR = 10.0, 1.3
"""Half the side of a patch, and the blur at which it is sampled, in pixels of a texture."""
FAINT = 1e-3
"""A patch of less texture is not described."""
SIZES = (0.8, 0.894, 1.0, 1.118, 1.25)
"""Patches of a picture that is looked for are so much larger, to meet others on another scale."""
UNSURE_DEGREES = 12.0
"""Where two of the eight forms are so near to each other, both are looked for."""
PLACE = 4.0
"""Standard deviation of a place in which texture is measured, and pictures compared, in pixels."""
ENOUGH_SLOPE = 0.003
"""Texture of this steepness (squared, in its weaker direction) counts half."""
FORMS = np.array(
    [
        [[rows, 0], [0, columns]] if not swapped else [[0, columns], [rows, 0]]
        for swapped in (False, True)
        for rows in (1, -1)
        for columns in (1, -1)
    ],
    np.int8,
)
"""Shape (8, 2, 2): what becomes of (row, column) in each form: signs first, then an exchange."""
_STEPS = (np.arange(GRID) + 0.5) * (2 / GRID) - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Described patches of many pictures, n in all.

    Attributes
    ----------
    picture : ndarray of shape (n,), int32: position of the picture
    centre : ndarray of shape (n, 2), float32: (row, column) in its texture
    radius : ndarray of shape (n,), float32: half the side of the patch
    form : ndarray of shape (n,), int8: which of `FORMS` the description shows
    words : ndarray of shape (n, 64), float32: the description, mean 0 and length 1
    """

    picture: NDArray[np.int32]
    centre: NDArray[np.float32]
    radius: NDArray[np.float32]
    form: NDArray[np.int8]
    words: NDArray[np.float32]

    def take(self, positions: NDArray[np.intp]) -> "Points":
        """Return some of the points, in the order asked for."""
        return Points(
            picture=self.picture[positions],
            centre=self.centre[positions],
            radius=self.radius[positions],
            form=self.form[positions],
            words=self.words[positions],
        )


def join(parts: Iterable[Points]) -> Points:
    """Put points together."""
    every = list(parts)
    return Points(
        picture=np.concatenate([part.picture for part in every]),
        centre=np.concatenate([part.centre for part in every]),
        radius=np.concatenate([part.radius for part in every]),
        form=np.concatenate([part.form for part in every]),
        words=np.concatenate([part.words for part in every]),
    )


def find_points(textures: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find up to `POINTS` points in each texture, shape (n, 64, 64).

    Returns
    -------
    Which texture each point is of, shape (p,), and its (row, column), shape (p, 2).
    """
    levels = [blurred(textures, sigma) for sigma in SIGMAS]
    edge = int(RADIUS)
    inner = slice(edge, SIDE - edge)
    count = len(textures)
    stand_out = np.stack([np.abs(a - b) for a, b in pairwise(levels)], axis=1)
    peaks = stand_out.max(axis=1)
    around = _widest(_widest(peaks, 1), 2)
    strength = np.where(peaks >= around, peaks * textured(levels[0]), 0)[:, inner, inner].reshape(
        count, (SIDE - 2 * edge) ** 2
    )
    best = np.argpartition(-strength, POINTS, axis=1)[:, :POINTS]
    found = np.take_along_axis(strength, best, axis=1) > 0
    rows, columns = np.divmod(best, SIDE - 2 * edge)
    where = np.nonzero(found)[0]
    return where, np.stack([rows[found] + edge, columns[found] + edge], axis=1)


def slopes(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how fast images of shape (n, 64, 64) grow brighter downwards and to the right."""
    down, right = np.gradient(images, axis=(1, 2))
    return np.asarray(down, np.float32), np.asarray(right, np.float32)


def textured(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tell where texture runs in more than one direction, in [0, 1], shape (n, 64, 64).

    A straight edge, such as a film's, lies on any other: it says nothing. The measure is the
    smaller eigenvalue of the structure tensor, alone and beside the larger one (Harris and
    Stephens, Alvey 1988).
    """
    down, right = slopes(images)
    dd, rr, dr = (blurred(part, PLACE) for part in (down * down, right * right, down * right))
    both = dd + rr
    smaller = (both / 2 - np.sqrt((dd - rr) ** 2 / 4 + dr * dr)).clip(0)
    evenness = 2 * smaller / (both + 1e-9)
    return np.asarray(evenness * smaller / (smaller + ENOUGH_SLOPE), np.float32)


def describe(textures: NDArray[np.float32], pictures: NDArray[np.intp], *, sought: bool) -> Points:
    """Describe what lies round the points of textures, shape (n, 64, 64).

    Parameters
    ----------
    pictures : ndarray of shape (n,): position of each picture
    sought : in several sizes, and in two forms where in doubt: each is to be looked for among
        others that were described once
    """
    owner, centre = find_points(textures)
    smooth = blurred(textures, PATCH_BLUR)
    parts = []
    for size in SIZES if sought else (1.0,):
        patches = _sampled(smooth, owner, centre, RADIUS * size)
        for form, these in _forms(patches, sought=sought):
            radius = np.full(len(form), RADIUS * size)
            words = turned(patches[these], form).reshape(len(form), GRID**2)
            parts.append((owner[these], centre[these], radius, form, words))
    owners, centres, radii, forms, words = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    words = words - words.mean(axis=1, keepdims=True)
    length = np.linalg.norm(words, axis=1)
    told = length > FAINT
    return Points(
        picture=pictures[owners[told]].astype(np.int32),
        centre=centres[told].astype(np.float32),
        radius=radii[told].astype(np.float32),
        form=forms[told].astype(np.int8),
        words=(words[told] / length[told, None]).astype(np.float32),
    )


def _widest(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Largest value among each and its two neighbours on either side along an axis."""
    moved = np.moveaxis(values, axis, -1)
    padded = np.pad(moved, [(0, 0)] * (moved.ndim - 1) + [(2, 2)])
    length = moved.shape[-1]
    widest = padded[..., :length].copy()
    for offset in range(1, 5):
        np.maximum(widest, padded[..., offset : offset + length], out=widest)
    return np.moveaxis(widest, -1, axis)


def _sampled(
    smooth: NDArray[np.float32],
    owner: NDArray[np.intp],
    centre: NDArray[np.intp],
    radius: float,
) -> NDArray[np.float32]:
    """Read patches between pixels, shape (p, 8, 8); beyond the border its last pixels go on."""
    offsets = _STEPS * radius
    rows = np.clip(centre[:, :1] + offsets, 0, SIDE - 1.001)
    columns = np.clip(centre[:, 1:] + offsets, 0, SIDE - 1.001)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    down = (rows - top).astype(np.float32)[:, :, None]
    right = (columns - left).astype(np.float32)[:, None, :]
    flat = smooth.reshape(-1)
    at = owner[:, None, None] * (SIDE * SIDE) + top[:, :, None] * SIDE + left[:, None, :]
    upper = flat[at] * (1 - right) + flat[at + 1] * right
    lower = flat[at + SIDE] * (1 - right) + flat[at + SIDE + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def _forms(
    patches: NDArray[np.float32], *, sought: bool
) -> list[tuple[NDArray[np.int8], NDArray[np.intp]]]:
    """Find the form in which each patch grows brighter to the right and, less, downwards.

    Returns
    -------
    Forms and the patches that take them; a second pair holds the next nearest form of those in
    doubt, where `sought`.
    """
    down = np.einsum("pyx,y->p", patches, _STEPS)
    right = np.einsum("pyx,x->p", patches, _STEPS)
    form = _form(down, right)
    everyone = np.arange(len(patches))
    if not sought:
        return [(form, everyone)]
    angle = np.degrees(np.arctan2(np.abs(down), np.abs(right)))
    nearest = np.round(angle / 45)
    doubt = np.flatnonzero(np.abs(angle - 45 * nearest) < UNSURE_DEGREES)
    # At 0 degrees the sign of `down` may be wrong, at 90 that of `right`, at 45 which is larger.
    other = np.where(
        nearest == 1,
        form ^ 4,
        np.where(nearest == 0, _form(-down, right), _form(down, -right)),
    ).astype(np.int8)
    return [(form, everyone), (other[doubt], doubt)]


def _form(down: NDArray[np.floating], right: NDArray[np.floating]) -> NDArray[np.int8]:
    swapped = np.abs(down) > np.abs(right)
    return np.asarray(4 * swapped + 2 * (down < 0) + (right < 0), np.int8)


def turned(images: NDArray[np.float32], form: NDArray[np.int8]) -> NDArray[np.float32]:
    """Mirror and turn square images, shape (n, side, side), each into its form of `FORMS`."""
    outcome = images.copy()
    for number in range(8):
        here = form == number
        part = images[here]
        part = part[:, ::-1] if number & 2 else part
        part = part[:, :, ::-1] if number & 1 else part
        outcome[here] = part.transpose(0, 2, 1) if number & 4 else part
    return outcome
