"""The DICOMDIR of a disk: which files it refers to (DICOM PS3.3 annex F, PS3.10 section 8)."""

import warnings
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.one_line import one_line

DIRECTORY = "1.2.840.10008.1.3.10"
"""Media storage directory: the kind of file that a DICOMDIR is."""
UNDEFINED = 0xFFFFFFFF
"""The length of a sequence that ends with a mark of its own."""


def read_dicomdir(path: str | Path) -> tuple[tuple[str, ...], ...]:
    """Read which files a DICOMDIR refers to.

    Returns
    -------
    Each file once, in the order of the DICOMDIR, as the parts of its path below the DICOMDIR's
    folder. The parts are as written: whether they stay in that folder must still be seen.

    Raises
    ------
    MissingFileError, UnknownFormatError, CorruptFileError
        When the file is not there, is no DICOMDIR, or is damaged.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file.")
    try:
        with warnings.catch_warnings():
            # pydicom warns of values against the standard; each is looked at here.
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(file)
            kind = str(header.file_meta.get("MediaStorageSOPClassUID", ""))
            _check_length(header)
            records = header.get("DirectoryRecordSequence")
            parts = [] if records is None else [_parts(record) for record in records]
            if kind == DIRECTORY:
                _check_offsets(header, records, file.stat().st_size)
    except InvalidDicomError as error:
        raise UnknownFormatError(f"{file}: no DICOMDIR; get it again or take it away.") from error
    except PermissionError as error:
        raise MissingFileError(
            f"{file}: the file may not be opened; change its permissions or get it again."
        ) from error
    except Exception as error:  # whatever meets pydicom first in damaged bytes
        raise CorruptFileError(
            f"{file}: the DICOMDIR is damaged or cut short ({one_line(error)}); get it again or "
            "take it away, and the files themselves are read."
        ) from error
    if kind != DIRECTORY:
        raise UnknownFormatError(
            f"{file}: a DICOM file, but no DICOMDIR; give it another name, and it is read too."
        )
    return tuple(dict.fromkeys(found for found in parts if found))


def _check_length(header: pydicom.Dataset) -> None:
    """Refuse a list of records that is shorter than it says, before it is taken apart."""
    raw: Any = header.get_item("DirectoryRecordSequence")
    if isinstance(raw, RawDataElement) and len(raw.value or b"") < raw.length < UNDEFINED:
        raise ValueError("the list of records is cut short")


def _check_offsets(header: Any, records: Any, size: int) -> None:
    """Refuse a file that was cut short: its records tell where the next ones begin."""
    offsets = [header.get("OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity")]
    for record in records or ():
        offsets.append(record.get("OffsetOfTheNextDirectoryRecord"))
        offsets.append(record.get("OffsetOfReferencedLowerLevelDirectoryEntity"))
    if not records or any(int(offset or 0) >= size for offset in offsets):
        raise ValueError("records are missing")


def _parts(record: Any) -> tuple[str, ...]:
    value = record.get("ReferencedFileID")
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(str(part) for part in value)
