"""Films of the MIAS database at 50 micrometres: bytes without a heading, lying on their side.

A name such as `mdb001lm` holds the number, the breast (l or r) and the size of the raster (s, m, l
or x). In the file the film lies on its side: its lines run along the 4,320 (or 5,200) pixels from
head to foot or back, and the chest wall is the first of them. Sources: the archive's own README as
quoted in, and the turn as done by, M Heath's programs transpose_MIAS.c and transpose_MIASgt.c
(University of South Florida 2000), which also say that the README has the two numbers of size x
exchanged. Later copies put the same bytes behind the heading of a PGM file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.raster import read_raster

LYING_PX = MappingProxyType(
    {"s": (1600, 4320), "m": (2048, 4320), "l": (2600, 4320), "x": (4000, 5200)}
)
"""(lines, pixels a line) of the raster as it lies in the file, by the letter of its size."""
_NAME = re.compile(r"(mdb(\d{3}))([lr])([smlx])(?:\.(?:raw|pgm))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Film:
    """What a film's name says.

    Attributes
    ----------
    reference : the film as mini-MIAS calls it, such as "mdb001"
    number : 1 to 322
    side : "l" or "r", the breast
    lying_px : (lines, pixels a line) of the raster in the file
    """

    reference: str
    number: int
    side: str
    lying_px: tuple[int, int]

    @property
    def shape_px(self) -> tuple[int, int]:
        """(rows, columns) of the film upright."""
        return self.lying_px[1], self.lying_px[0]

    def upright(self, x: float, y: float) -> tuple[float, float]:
        """Turn a place of the README, y counted from the last line, to (row, column) upright."""
        lines, line_px = self.lying_px
        return (line_px - 1 - x, lines - 1 - y) if self.side == "l" else (x, y)


def film_of(path: str | Path) -> Film | None:
    """Understand a film's file name; None where it is another file."""
    name = _NAME.fullmatch(Path(path).name)
    if name is None:
        return None
    return Film(
        reference=name[1].lower(),
        number=int(name[2]),
        side=name[3].lower(),
        lying_px=LYING_PX[name[4].lower()],
    )


def read_mias_film(path: str | Path) -> NDArray[np.uint8]:
    """Read a film and turn it upright, without mirroring it.

    Returns
    -------
    ndarray of `film_of(path).shape_px`, uint8, head on top; the chest wall is on the left side of
    a left breast and on the right side of a right one

    Raises
    ------
    MissingFileError
        When there is no such file.
    UnknownFormatError
        When its name is not that of a film, which alone tells its size.
    CorruptFileError
        When it has another size than its name says.
    """
    file = Path(path)
    film = film_of(file)
    if film is None:
        raise UnknownFormatError(
            f"{file}: expected a film of MIAS with its size in its name, such as mdb001lm; give it "
            "its own name back."
        )
    lying = _lying(file, film)
    return np.ascontiguousarray(np.rot90(lying, 1 if film.side == "l" else -1))


def _lying(file: Path, film: Film) -> NDArray[np.uint8]:
    """Read a film as it lies in its file, shape `film.lying_px`."""
    lines, line_px = film.lying_px
    if file.suffix.lower() == ".pgm":
        lying = read_raster(file)
        if lying.shape != film.lying_px or lying.dtype != np.uint8:
            raise CorruptFileError(
                f"{file}: {lying.shape[0]} x {lying.shape[1]} pixels of {lying.dtype} where its "
                f"name says {lines} lines of {line_px} bytes; how it lies is not known, get the "
                "archive's own file."
            )
        return lying
    try:
        if not file.is_file():
            raise MissingFileError(f"{file}: there is no such file.")
        size = file.stat().st_size
        octets = np.fromfile(file, dtype=np.uint8, count=lines * line_px)
    except OSError as error:
        raise MissingFileError(
            f"{file}: the file cannot be read ({error.strerror}); allow it, or get the file again."
        ) from error
    if size != lines * line_px:
        raise CorruptFileError(
            f"{file}: {size} bytes where its name says {lines} lines of {line_px}; get it again, "
            "unpacked."
        )
    return octets.reshape(film.lying_px)
