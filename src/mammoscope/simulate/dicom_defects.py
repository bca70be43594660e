"""Known defects of DICOM folders, planted on the first two simulated patients."""

import shutil
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import UID

from mammoscope.simulate.dicom_files import new_header, save, set_pixels
from mammoscope.simulate.truth import PlantedDefect, TrueScan

_CT = "1.2.840.10008.5.1.4.1.1.2"


def plant(
    folder: Path, scans: tuple[TrueScan, ...]
) -> tuple[tuple[PlantedDefect, ...], tuple[TrueScan, ...]]:
    """Plant the defects; the scans stay as they are."""
    files = [folder / scan.file for scan in scans]
    twin, blind, short = files[1], files[4], files[6]
    copy = twin.with_name("900.dcm")
    shutil.copyfile(twin, copy)
    _forget_view(blind)
    data = short.read_bytes()
    short.write_bytes(data[: len(data) // 2])
    stranger = twin.with_name("901.dcm")
    _write_ct(twin, stranger)
    said = (
        (copy, "duplicate uid", "A copy of another file, with the same SOP Instance UID."),
        (blind, "missing view", "The header does not say the view."),
        (short, "truncated file", "The second half of the file is cut off."),
        (stranger, "no mammogram", "A slice of a CT lies among the mammograms."),
    )
    defects = tuple(
        PlantedDefect(file=path.relative_to(folder).as_posix(), kind=kind, what=what)
        for path, kind, what in said
    )
    return defects, scans


def _forget_view(path: Path) -> None:
    header = pydicom.dcmread(path)
    for keyword in ("ViewPosition", "ViewCodeSequence", "PatientOrientation"):
        if keyword in header:
            delattr(header, keyword)
    header.save_as(path, enforce_file_format=True)


def _write_ct(beside: Path, path: Path) -> None:
    """Write a small CT slice of the same patient and study."""
    mammogram = pydicom.dcmread(beside, stop_before_pixels=True)
    header = new_header(_CT, UID(f"{mammogram.SOPInstanceUID}1"[:64]))
    header.Modality = "CT"
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        setattr(header, keyword, mammogram[keyword].value)
    header.SeriesInstanceUID = UID(f"{mammogram.SeriesInstanceUID}1"[:64])
    header.BodyPartExamined = "CHEST"
    set_pixels(header, np.full((64, 64), 1000, np.uint16), bits=12, rle=False)
    save(header, path)
