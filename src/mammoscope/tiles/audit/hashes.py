"""What is kept of each picture while leaks are looked for: a digest, and its texture in 64 x 64.

Texture is the picture without its broad shades and with its local contrast made even, so that
brightness, contrast and most of a grey scale's bend are gone, and every part of it counts alike.
Beside it stands where film is bare: the lead letters on it are the same on all films of a hospital,
and specks of dust lie on each other, whoever's films they are.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import csr_array

SIDE = 64
"""Rows and columns of a texture: coarse enough for JPEG of quality 50 to leave it be."""
FINE, BROAD, ROUND = 0.8, 3.5, 6.0
"""Standard deviations, in pixels of a texture, of the blurs between which it lies."""
FLOOR, UNEVEN = 0.1, 0.01
"""Share of a picture's middling texture below which a place counts as flat; and the share of its
mean below which it is left out of the middle."""
BARE_SHARE, BARE_LEVELS = 0.08, 4 / 255
"""Film is bare that is at most so much brighter than a picture's darkest hundredth: a share of the
picture's own range, or of that of its bits, whichever is more."""
BARE_SIDE, BESIDE = 5, 5
"""Bare film is at least so wide, in pixels of a texture: dark tissue is not; and nothing counts
that lies within so many pixels of it, which is the height of a letter and less than a breast."""
ISLAND = 0.12
"""What bare film surrounds and is a smaller share of the picture lies on it: letters and dust."""
PLAQUE, STEP, STEEP = 0.5, 2, 0.6
"""So does what is smaller than that share, does not run across the picture, and is so bright (a
share of its own brightest) so many pixels from bare film, along half its outline: a white plaque
with dark letters, as mini-MIAS has, ends in a step, and a breast fades out. Of the breasts on 430
whole films of CBIS-DDSM and DDSM one in a hundred reaches 0.5 to 0.6 there, plaques 0.65."""
STEPS = 32
"""Texture 1 (one local standard deviation) in the stored integers."""
THREADS = 2
"""Threads that read or compare at once; decoding and products leave the interpreter free."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hashes:
    """What is kept of n pictures.

    Attributes
    ----------
    digests : of pixels, size and type; equal for equal pictures only
    textures : ndarray of shape (n, 64, 64), int8: texture times `STEPS`, clipped
    bare : ndarray of shape (n, 64, 8), uint8: bits of where film is bare, or beside it
    blank : ndarray of shape (n,), bool: pictures of one grey level, of which nothing can be said
    shapes : ndarray of shape (n, 2): rows and columns of each picture
    """

    digests: tuple[bytes, ...]
    textures: NDArray[np.int8]
    bare: NDArray[np.uint8]
    blank: NDArray[np.bool_]
    shapes: NDArray[np.intp]


def hash_pictures(count: int, read: Callable[[int], NDArray[Any]]) -> Hashes:
    """Read every picture once and keep a digest and a texture of it.

    Parameters
    ----------
    count : how many there are
    read : position -> ndarray of shape (rows, columns), uint8 or uint16

    Raises
    ------
    MammoscopeError
        What `read` raises.
    """
    digests: list[bytes] = [b""] * count
    textures = np.zeros((count, SIDE, SIDE), np.int8)
    bare = np.zeros((count, SIDE, SIDE // 8), np.uint8)
    blank = np.zeros(count, np.bool_)
    shapes = np.zeros((count, 2), np.intp)

    def one(position: int) -> None:
        image = read(position)
        digests[position] = digest(image)
        shapes[position] = image.shape
        blank[position] = image.min() == image.max()
        if not blank[position]:
            small = shrink(image)
            textures[position] = np.clip(np.rint(texture_of(small) * STEPS), -127, 127)
            beside = beside_bare_film(small, full_scale(image))
            bare[position] = np.packbits(beside, axis=-1)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(one, range(count)):
            pass
    return Hashes(digests=tuple(digests), textures=textures, bare=bare, blank=blank, shapes=shapes)


def digest(image: NDArray[Any]) -> bytes:
    """Return the SHA-256 of a picture's pixels, size and type."""
    head = f"{image.shape} {image.dtype.str} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(image).data).digest()


def texture_of(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the texture of a shrunk picture, shape (64, 64), in local standard deviations.

    Flat places are near 0. Adding to the picture or multiplying it changes nothing.
    """
    fine = blurred(small, FINE)
    detail = fine - blurred(small, BROAD)
    spread = blurred(detail * detail, ROUND)
    # Of what is not flat the middle: a film's edge is a hundred times steeper than any tissue.
    uneven = spread[spread > UNEVEN * spread.mean()]
    ground = FLOOR * float(np.median(uneven)) if uneven.size else 0.0
    return np.asarray(detail / np.sqrt(spread + ground + 1e-12), np.float32)


def beside_bare_film(small: NDArray[np.float32], scale: float) -> NDArray[np.bool_]:
    """Tell which pixels of a shrunk picture show bare film or lie beside it.

    Parameters
    ----------
    small : ndarray of shape (64, 64), grey levels
    scale : the largest grey level that there may be
    """
    low, high = np.percentile(small, (1, 99))
    dark = small < low + max(BARE_SHARE * (high - low), BARE_LEVELS * scale)
    # Opened, then widened: what is as narrow as a shadow in fat vanishes first.
    bare = ndimage.maximum_filter(
        ndimage.minimum_filter(dark, BARE_SIDE, mode="nearest"), BARE_SIDE, mode="nearest"
    )
    if bare.any():
        bare |= _laid_on_film(small - low, bare)
    return np.asarray(ndimage.maximum_filter(bare, 1 + 2 * BESIDE, mode="nearest"))


def _laid_on_film(levels: NDArray[np.float32], bare: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which pixels beside bare film are of letters, dust and plaques rather than of a breast.

    Parameters
    ----------
    levels : ndarray of shape (64, 64), grey levels above the darkest
    bare : ndarray of shape (64, 64), where film is bare
    """
    islands, count = ndimage.label(~bare)
    sizes = np.bincount(islands.ravel(), minlength=count + 1)
    laid = sizes < ISLAND * bare.size
    inwards = ndimage.distance_transform_cdt(~bare, "chessboard")
    for number in np.flatnonzero(~laid & (sizes < PLAQUE * bare.size)):
        island = islands == number
        brightest = np.percentile(levels[island], 95)
        edge = levels[island & (inwards == STEP)]
        # A film's own edge is a step, too, but the breast behind it runs across the picture.
        across = (island[0].any() and island[-1].any()) or (
            island[:, 0].any() and island[:, -1].any()
        )
        steep = edge.size > 0 and np.median(edge) >= STEEP * brightest
        laid[number] = steep and not across
    laid[0] = False
    return np.asarray(laid[islands])


def full_scale(image: NDArray[Any]) -> float:
    """Return the largest level of the bits that a picture uses: 16 bits often hold 10 or 12."""
    if image.dtype == np.uint8:
        return 255.0
    return float((1 << max(8, int(image.max()).bit_length())) - 1)


def floats(textures: NDArray[np.int8]) -> NDArray[np.float32]:
    """Turn stored textures into local standard deviations."""
    return np.asarray(textures / np.float32(STEPS), np.float32)


def shrink(image: NDArray[Any]) -> NDArray[np.float32]:
    """Squash a picture to 64 x 64 pixels, each the mean of what it covers."""
    rows, columns = image.shape
    # Whole films first lose what no eye could see in 64 rows: the product below is dear.
    step = max(1, min(rows, columns) // 512)
    if step > 1:
        cut = image[: rows // step * step, : columns // step * step]
        parts = cut.reshape(rows // step, step, columns // step, step)
        image = parts.mean(axis=(1, 3), dtype=np.float32)
        rows, columns = image.shape
    down = _means(rows) @ image.astype(np.float32)
    return np.ascontiguousarray((_means(columns) @ down.T).T)


def blurred(images: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur images of 64 x 64, shape (..., 64, 64); at the border only what is there counts."""
    matrix = _blur(sigma)
    return np.asarray(matrix @ (images @ matrix.T), np.float32)


@lru_cache(maxsize=256)
def _means(length: int) -> Any:
    """Shape (64, length), sparse: which share of each old pixel goes into each new one.

    A full matrix would be slower: for one so small, threads of the product wait on each other.
    """
    edges = np.arange(SIDE + 1) * (length / SIDE)
    old = np.arange(length)
    first, last = edges[:-1, None], edges[1:, None]
    covered = np.clip(np.minimum(last, old + 1) - np.maximum(first, old), 0, None)
    return csr_array((covered / covered.sum(axis=1, keepdims=True)).astype(np.float32))


@lru_cache(maxsize=32)
def _blur(sigma: float) -> NDArray[np.float32]:
    apart = np.subtract.outer(np.arange(SIDE), np.arange(SIDE)) / sigma
    weights = np.exp(-0.5 * apart**2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
