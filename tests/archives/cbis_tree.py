"""Builder of small CBIS-DDSM downloads in both layouts; tests load it by its path."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset

from mammoscope.archives import cbis_ddsm
from mammoscope.archives.archive import Archive
from mammoscope.core.geometry import MaskFile
from mammoscope.core.records import Problem, Scan

EXPLICIT = "1.2.840.10008.1.2.1"
ONE = "Mass-Training_P_90001_LEFT_CC"
SHAPE = (60, 40)
BOX = (slice(20, 32), slice(10, 18))
"""Where the mask of a made abnormality lies, unless a test says otherwise."""
HEADING = [
    "patient_id",
    "breast_density",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "mass shape",
    "mass margins",
    "assessment",
    "pathology",
    "subtlety",
    "image file path",
    "cropped image file path",
    "ROI mask file path",
]


def write_dicom(path: Path, image: NDArray[Any], patient_id: str, description: str = "") -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = EXPLICIT
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID = meta.MediaStorageSOPClassUID
    file.SOPInstanceUID = "1.2.3.4"
    file.Modality = "MG"
    file.BodyPartExamined = "BREAST"
    file.PatientID = patient_id
    file.SeriesDescription = description
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.Rows, file.Columns = image.shape
    file.BitsAllocated = file.BitsStored = 8 * image.dtype.itemsize
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = 0
    file.PixelData = image.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)
    return path


def grey(shape: tuple[int, int] = SHAPE, seed: int = 1) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 60000, shape, dtype=np.uint16)


def mask(shape: tuple[int, int] = SHAPE, box: tuple[slice, slice] = BOX) -> NDArray[np.uint8]:
    image = np.zeros(shape, np.uint8)
    image[box] = 255
    return image


@dataclass
class Tree:
    """A download under `folder`; scans and abnormalities are added, then the tables written."""

    folder: Path
    layout: str = "names"
    rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    series: list[dict[str, str]] = field(default_factory=list)
    uids: dict[str, tuple[str, str]] = field(default_factory=dict)

    def place(self, name: str, what: str) -> Path:
        """Folder of a series, with its line in metadata.csv where folders are UIDs alone."""
        study, series = self.uids.setdefault(
            name, (f"1.9.{len(self.uids) + 1}", f"1.8.{len(self.uids) + 1}")
        )
        if self.layout == "names":
            return self.folder / "CBIS-DDSM" / name / study / series
        if self.layout == "texts":
            text = f"1.000000-{what}-{series[4:]:0>5}"
            return self.folder / "CBIS-DDSM" / name / "08-29-2017-DDSM-NA-94942" / text
        if not any(known["Series UID"] == series for known in self.series):
            self.series.append(
                {
                    "Series UID": series,
                    "Collection": "CBIS-DDSM",
                    "Subject ID": name,
                    "Study UID": study,
                    "Number of Images": "1" if what.startswith("full") else "2",
                    "File Location": f".\\CBIS-DDSM\\{study}\\{series}",
                }
            )
        return self.folder / "CBIS-DDSM" / study / series

    def scan(self, name: str, image: NDArray[Any] | None = None) -> Path:
        what = "full mammogram images"
        number = "000000.dcm" if self.layout == "names" else "1-1.dcm"
        image = grey() if image is None else image
        return write_dicom(self.place(name, what) / number, image, name, what)

    def row(self, name: str, number: int = 1, **changes: str) -> None:
        """Add the table's row of an abnormality; paths are as published, line break included."""
        kind_part, _, patient, side, view = name.split("_")
        full = "/".join((name, *self.uids.get(name, ("1.9", "1.8")), "000000.dcm"))
        own = f"{name}_{number}"
        roi = "/".join((own, *self.uids.get(own, ("1.9", "1.8"))))
        kind, part = kind_part.split("-")
        row = {
            "patient_id": f"P_{patient}",
            "breast_density": "3",
            "left or right breast": side,
            "image view": view,
            "abnormality id": str(number),
            "abnormality type": {"Mass": "mass", "Calc": "calcification"}[kind],
            "mass shape": "OVAL",
            "mass margins": "N/A",
            "assessment": "4",
            "pathology": "MALIGNANT",
            "subtlety": "5",
            "image file path": full,
            "cropped image file path": f"{roi}/000000.dcm",
            "ROI mask file path": f"{roi}/000001.dcm\n",
        }
        table = f"{kind.lower()}_case_description_{'train' if part == 'Training' else 'test'}_set"
        self.rows.setdefault(table, []).append({**row, **changes})

    def marks(
        self,
        name: str,
        number: int = 1,
        *,
        drawn: NDArray[Any] | None = None,
        crop: NDArray[Any] | None = None,
        mask_first: bool = False,
    ) -> tuple[Path, Path]:
        """Write mask and crop of an abnormality into one series; the mask second as named."""
        own = f"{name}_{number}"
        place = self.place(own, "ROI mask images")
        names = ["000000.dcm", "000001.dcm"] if self.layout == "names" else ["1-1.dcm", "1-2.dcm"]
        second, first = (place / n for n in (reversed(names) if not mask_first else names))
        return (
            write_dicom(second, mask() if drawn is None else drawn, own, "ROI mask images"),
            write_dicom(first, grey()[BOX] if crop is None else crop, own, "cropped images"),
        )

    def whole(self, name: str, numbers: int = 1, **changes: str) -> None:
        """Add a scan with its abnormalities, all of it as it should be."""
        self.scan(name, grey(seed=len(self.uids)))
        for number in range(1, numbers + 1):
            self.marks(name, number)
            self.row(name, number, **changes)

    def read(self) -> Archive:
        for table, rows in self.rows.items():
            heading = list(HEADING)
            if table.startswith("calc"):
                heading[1], heading[6:8] = "breast density", ["calc type", "calc distribution"]
            with (self.folder / f"{table}.csv").open("w", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(heading)
                writer.writerows(row.values() for row in rows)
        if self.series:
            with (self.folder / "metadata.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, self.series[0])
                writer.writeheader()
                writer.writerows(self.series)
        return cbis_ddsm.read(self.folder)


def odd(archive: Archive) -> list[Problem]:
    """Problems but for the tables that a made tree does without."""
    return [problem for problem in archive.problems if problem.what != "the table is missing"]


def whats(problems: list[Problem] | tuple[Problem, ...]) -> str:
    return "\n".join(f"{problem.where}: {problem.what}" for problem in problems)


def looked(archive: Archive) -> str:
    return whats([p for scan in archive.records for p in cbis_ddsm.look(scan).problems])


def place_of(scan: Scan, index: int = 0) -> MaskFile:
    roi = (scan.findings or ())[index].roi
    assert isinstance(roi, MaskFile)
    return roi
