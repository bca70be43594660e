"""The tables of a simulated CBIS-DDSM: four of cases, and the data retriever's list of series."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from mammoscope.simulate.plan import Plan

FOLDER = "CBIS-DDSM"
"""Of the collection; it holds the DICOM files."""
METADATA = "metadata.csv"
TABLES = {
    "Mass": ("breast_density", "mass shape", "mass margins"),
    "Calc": ("breast density", "calc type", "calc distribution"),
}
PARTS = {"Training": "train", "Test": "test"}
"""The word in folders' names, and in the tables'."""
_METADATA_COLUMNS = (
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
"""Those of a download by the NBIA Data Retriever."""


def write_tables(folder: Path, plan: Plan, rows: Iterable[Mapping[str, str]]) -> None:
    """Write the four tables, and ``metadata.csv`` where the layout has one."""
    every = list(rows)
    for kind, (density, first, second) in TABLES.items():
        for part, word in PARTS.items():
            columns = (
                "patient_id",
                density,
                "left or right breast",
                "image view",
                "abnormality id",
                "abnormality type",
                first,
                second,
                "assessment",
                "pathology",
                "subtlety",
                "image file path",
                "cropped image file path",
                "ROI mask file path",
            )
            own = [row for row in every if row["table"] == f"{kind}-{part}"]
            name = f"{kind.lower()}_case_description_{word}_set.csv"
            (folder / name).write_bytes(table_bytes(columns, own))
    if plan.layout == "uid":
        files = [row for row in every if row["table"] == METADATA]
        (folder / METADATA).write_bytes(table_bytes(_METADATA_COLUMNS, files))


def table_bytes(columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """Write rows as CSV with CR LF, as the archive's tables are."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, tuple(columns), extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode("ascii")
