"""What the Cancer Imaging Archive sends: the list of a collection's series, and metadata.csv.

Its REST interface (NBIA) lists a collection by ``getSeries`` as JSON and sends the files of a
series by ``getImageWithMD5Hash`` as a ZIP with their MD5 checksums. The files are laid down as its
own retriever lays them down under "classic directory names": collection, patient, study UID, series
UID. The table ``metadata.csv`` beside them says which series lies where.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from mammoscope.archives.fetch_sources import MIB, Download, Source
from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.files import write_atomic

METADATA = "metadata.csv"
COLUMNS = (
    "Series UID",
    "Collection",
    "3rd Party Analysis",
    "Data Description URI",
    "Subject ID",
    "Study UID",
    "Study Description",
    "Study Date",
    "Series Description",
    "Manufacturer",
    "Modality",
    "SOP Class Name",
    "SOP Class UID",
    "Number of Images",
    "File Size",
    "File Location",
    "Download Timestamp",
)
"""The columns of the retriever's table; what the list does not tell stays empty."""

_LISTED = {
    "Series UID": "SeriesInstanceUID",
    "Collection": "Collection",
    "3rd Party Analysis": "ThirdPartyAnalysis",
    "Data Description URI": "CollectionURI",
    "Subject ID": "PatientID",
    "Study UID": "StudyInstanceUID",
    "Study Description": "StudyDesc",
    "Study Date": "StudyDate",
    "Series Description": "SeriesDescription",
    "Manufacturer": "Manufacturer",
    "Modality": "Modality",
    "Number of Images": "ImageCount",
}
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MOST_LIST_BYTES = 256 * MIB
# A film has at most 40 million pixels of two bytes, and a mask comes with its crop.
_MOST_SERIES_BYTES = 1024 * MIB

Series = Mapping[str, Any]


def listing(source: Source) -> Download:
    """Say where the list of the series of a collection can be had."""
    asked = urlencode({"Collection": source.collection, "format": "json"})
    return Download(
        url=f"{source.nbia}/getSeries?{asked}", place=".series.json", most_bytes=_MOST_LIST_BYTES
    )


def read_listing(path: Path, source: Source) -> tuple[Series, ...]:
    """Read the list of series, sorted by patient and UID.

    Raises
    ------
    CorruptFileError
        When it is no such list, or a name in it cannot be that of a folder.
    """
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptFileError(
            f"{path}: the list of series is no JSON ({error}); run the same command again."
        ) from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise CorruptFileError(
            f"{path}: the server lists no series of {source.collection}; see {source.page}."
        )
    for row in rows:
        _check_names(path, row)
    return tuple(sorted(rows, key=lambda row: (row["PatientID"], row["SeriesInstanceUID"])))


def _check_names(path: Path, row: Series) -> None:
    for key, shape in (
        ("Collection", _NAME),
        ("PatientID", _NAME),
        ("StudyInstanceUID", _UID),
        ("SeriesInstanceUID", _UID),
    ):
        value = row.get(key)
        if not isinstance(value, str) or len(value) > 100 or not shape.fullmatch(value):
            raise CorruptFileError(
                f"{path}: a series is listed with the {key} {str(value)[:80]!r}, which cannot be; "
                "run the same command again."
            )


def series_download(row: Series, source: Source) -> Download:
    """Say where the files of one series can be had, and where they belong."""
    uid = row["SeriesInstanceUID"]
    count = row.get("ImageCount")
    return Download(
        url=f"{source.nbia}/getImageWithMD5Hash?SeriesInstanceUID={quote(uid)}",
        place="/".join((row["Collection"], row["PatientID"], row["StudyInstanceUID"], uid)),
        packed=True,
        most_bytes=_MOST_SERIES_BYTES,
        scans=count if isinstance(count, int) and count > 0 else None,
    )


def write_metadata(folder: Path, rows: Iterable[Series], sizes: Mapping[str, int]) -> None:
    """Write ``metadata.csv`` for the series that are there.

    Parameters
    ----------
    folder : the archive's
    rows : of the list
    sizes : bytes by UID of the series that are there
    """
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for row in rows:
        uid = row["SeriesInstanceUID"]
        if uid not in sizes:
            continue
        told = {column: row.get(key) for column, key in _LISTED.items()}
        location = "/".join((row["Collection"], row["PatientID"], row["StudyInstanceUID"], uid))
        table.writerow(
            told | {"File Size": f"{sizes[uid] / 1e6:.2f} MB", "File Location": f"./{location}"}
        )
    write_atomic(folder / METADATA, text.getvalue())
