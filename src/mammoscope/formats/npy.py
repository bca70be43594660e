"""NumPy's own files of arrays, mapped into memory and never unpickled."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.one_line import one_line

LAST_LETTER = 0x10FFFF
"""Largest code point of Unicode."""
_MAGIC = b"\x93NUMPY"


def map_npy(path: str | Path) -> NDArray[Any]:
    """Map the array of a `.npy` file into memory; nothing is read before it is used.

    Returns
    -------
    ndarray of the file's own shape and type, read-only

    Raises
    ------
    MissingFileError
        When there is no such file.
    UnknownFormatError
        When it is no `.npy` file, or one of Python objects.
    CorruptFileError
        When its heading is damaged or promises more than the file holds.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file; give a .npy file.")
    with file.open("rb") as stream:
        head = stream.read(len(_MAGIC))
    if head != _MAGIC:
        raise UnknownFormatError(f"{file}: no .npy file; unpack it first where it is packed.")
    try:
        with warnings.catch_warnings():
            # NumPy warns of headings that Python 2 wrote; they are read all the same.
            warnings.simplefilter("ignore", UserWarning)
            array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        # NumPy reads the heading as a line of Python; damage there ends in many kinds of errors.
        if "object" in str(error).lower():
            raise UnknownFormatError(
                f"{file}: an array of Python objects, which only unpickling could read and which "
                "could run any program; save it as an array of numbers or text."
            ) from error
        raise CorruptFileError(
            f"{file}: the .npy file is damaged or cut short ({one_line(error)}); get it again."
        ) from error
    if array.dtype.kind == "U" and not _is_text(array):
        raise CorruptFileError(
            f"{file}: the text in the .npy file is damaged: a letter is none of Unicode's; get it "
            "again."
        )
    return array


def _is_text(array: NDArray[Any]) -> bool:
    """Tell whether all letters, 4 bytes each, exist: NumPy itself fails on others unpredictably."""
    if not array.size or not array.dtype.itemsize:
        return True
    letters = np.ascontiguousarray(array).view(
        np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
    )
    return int(letters.max()) <= LAST_LETTER
