"""The small views of DDSM, TAPE_*.COMB.16_PGM: the four films of a case in one picture.

A PGM of 16 bits with one line feed more than a PGM has before its samples, a habit of the
University of South Florida (README.pgm of its software heathusf 1.1.0); an ordinary reader of PGM
shifts every sample by one byte.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.formats.packed import read_packed

LARGEST_BYTES = 50_000_000
"""Real files have about half a million bytes."""
GAP_PX = 10
"""So many black rows or columns lie between the films."""
WHITE = 65535
"""The paper round a film that is smaller than its neighbour."""
_HEADER = re.compile(rb"P5\s+(\d{1,5})\s+(\d{1,5})\s+(\d{1,5})\s")


def read_tape(path: str | Path) -> NDArray[np.uint16]:
    """Read a small view.

    Returns
    -------
    ndarray of shape (rows, columns), uint16: raw grey levels as the scanner gave them, 0 between
    the films and 65535 round smaller ones

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is no PGM of 16 bits, or has bytes too few or too many.
    """
    data = read_packed(path, LARGEST_BYTES)
    header = _HEADER.match(data)
    if header is None:
        raise CorruptFileError(f"{path}: not a PGM picture, as DDSM's small views are.")
    columns, rows, top = (int(number) for number in header.groups())
    size = 2 * rows * columns
    extra = data[header.end() : len(data) - size] if len(data) - size >= header.end() else None
    if not (rows and columns and 256 <= top <= 65535):
        raise CorruptFileError(f"{path}: its heading is no picture of 16 bits; get it again.")
    # Without the extra line feed a first byte of 10 means that one is missing at the end.
    cut = extra == b"" and data[header.end() : header.end() + 1] == b"\n"
    if cut or extra not in (b"", b"\n"):
        raise CorruptFileError(
            f"{path}: {len(data) - header.end()} bytes follow the heading, expected a line feed "
            f"and {size} bytes of samples; get the file again."
        )
    return (
        np.frombuffer(data, ">u2", rows * columns, len(data) - size)
        .reshape(rows, columns)
        .astype(np.uint16)
    )


def films_of(tape: NDArray[np.uint16]) -> dict[tuple[Laterality, ViewPosition], NDArray[np.uint16]]:
    """Cut the four films out of a small view.

    MLO stands above CC and the right breast on the left side; black strips part them.

    Parameters
    ----------
    tape : ndarray of shape (rows, columns), uint16, as `read_tape` returns it

    Returns
    -------
    The films by laterality and view, without the white paper round them; empty where the black
    strips are not there
    """
    bands = _parted(tape)
    films: dict[tuple[Laterality, ViewPosition], NDArray[np.uint16]] = {}
    for view, band in zip((ViewPosition.MLO, ViewPosition.CC), bands, strict=False):
        halves = _parted(band.T)
        for side, half in zip((Laterality.RIGHT, Laterality.LEFT), halves, strict=False):
            films[side, view] = _without_paper(half.T)
    return films if len(films) == 4 and all(film.size for film in films.values()) else {}


def _parted(image: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], ...]:
    """Part an image at its one strip of black rows; () where there is none, or more than one."""
    black = np.concatenate(([False], (image == 0).all(axis=1), [False]))
    edges = np.flatnonzero(black[1:] != black[:-1]).reshape(-1, 2)
    strips = [(start, stop) for start, stop in edges if stop - start == GAP_PX]
    if len(strips) != 1:
        return ()
    start, stop = strips[0]
    return image[:start], image[stop:]


def _without_paper(film: NDArray[np.uint16]) -> NDArray[np.uint16]:
    rows = np.flatnonzero((film != WHITE).any(axis=1))
    columns = np.flatnonzero((film != WHITE).any(axis=0))
    if not len(rows):
        return film[:0]
    return film[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
