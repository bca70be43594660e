"""Known defects of CBIS-DDSM, planted on its first four simulated patients (classic layout).

The published archive has them all: masks and crops exchanged, masks of another size or shape or
missing, patients and films in both parts of the official split, one picture under two names.
"""

import csv
import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from mammoscope.simulate.cbis import FIRST_PATIENT, MASK
from mammoscope.simulate.cbis_tables import FOLDER, PARTS, table_bytes
from mammoscope.simulate.dicom_files import set_pixels, uid_after
from mammoscope.simulate.truth import PlantedDefect, TrueScan

_TWIN = "P_99999"
"""The patient who is given another one's scan."""
Rows = list[dict[str, str]]


def plant(
    folder: Path, scans: tuple[TrueScan, ...]
) -> tuple[tuple[PlantedDefect, ...], tuple[TrueScan, ...]]:
    """Plant the defects; a film moves to the other part, and one is there twice."""
    exchanged = _first_series(folder, 0)
    smaller, *others = _series_of(folder, 1)
    maskless = _first_series(folder, 2)
    defects = [
        _exchange(folder, exchanged),
        _resize(folder, smaller, "mask of another size", _halved),
        _resize(folder, others[-1], "mask of another shape", _narrowed),
        _lose_mask(folder, maskless),
    ]
    moved, scans = _leak(folder, scans)
    # The scan of the exchanged files stays as it is; the patient's other one is given on.
    own = [scan for scan in scans if scan.patient_id == _patient(0)]
    doubled, twin = _double(folder, own[-1])
    return (*defects, *moved, doubled), (*scans, twin)


def _patient(index: int) -> str:
    return f"P_{FIRST_PATIENT + index:05d}"


def _series_of(folder: Path, index: int) -> list[Path]:
    """List the folders of a patient's abnormalities."""
    named = (folder / FOLDER).glob(f"*_{_patient(index)}_*_[0-9]")
    return sorted(path for path in named if path.is_dir())


def _first_series(folder: Path, index: int) -> Path:
    return _series_of(folder, index)[0]


def _mask_and_crop(series: Path) -> tuple[Path, Path]:
    files = sorted(series.rglob("*.dcm"))
    said = {pydicom.dcmread(path, stop_before_pixels=True).SeriesDescription for path in files[:1]}
    mask, crop = files if MASK in said else reversed(files)
    return mask, crop


def _exchange(folder: Path, series: Path) -> PlantedDefect:
    mask, crop = _mask_and_crop(series)
    spare = mask.with_suffix(".spare")
    mask.rename(spare)
    crop.rename(mask)
    spare.rename(crop)
    what = "Mask and crop have each other's name, other than the table says."
    return _defect(folder, crop, "mask and crop exchanged", what, series.name)


def _resize(
    folder: Path, series: Path, kind: str, change: Callable[[NDArray[Any]], NDArray[Any]]
) -> PlantedDefect:
    mask, _ = _mask_and_crop(series)
    header = pydicom.dcmread(mask)
    image = change(header.pixel_array)
    set_pixels(header, np.ascontiguousarray(image), bits=8, rle=True)
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.save_as(mask, enforce_file_format=True)
    what = f"The mask has {image.shape[0]} x {image.shape[1]} pixels, unlike its scan."
    return _defect(folder, mask, kind, what)


def _halved(image: NDArray[Any]) -> NDArray[Any]:
    return image[::2, ::2]


def _narrowed(image: NDArray[Any]) -> NDArray[Any]:
    """Squeeze a mask to four fifths of its width."""
    columns = np.arange(image.shape[1] * 4 // 5) * 5 // 4
    return image[:, columns]


def _lose_mask(folder: Path, series: Path) -> PlantedDefect:
    mask, _ = _mask_and_crop(series)
    mask.unlink()
    place = mask.parent.relative_to(folder).as_posix()
    what = "The mask was taken away."
    return _defect(folder, mask, "missing mask", what, place, series.name)


def _defect(folder: Path, path: Path, kind: str, what: str, *also: str) -> PlantedDefect:
    return PlantedDefect(file=path.relative_to(folder).as_posix(), kind=kind, what=what, also=also)


def _leak(
    folder: Path, scans: tuple[TrueScan, ...]
) -> tuple[list[PlantedDefect], tuple[TrueScan, ...]]:
    """Move the calcifications of the fourth patient from the test into the training part.

    Its films, which are in the tables of masses too, stand in both parts then.
    """
    patient = _patient(3)
    tables = [folder / f"calc_case_description_{part}_set.csv" for part in ("test", "train")]
    columns, test = _read(tables[0])
    _, train = _read(tables[1])
    moved = [row for row in test if row["patient_id"] == patient]
    test = [row for row in test if row["patient_id"] != patient]
    for row in moved:
        for column in columns[-3:]:
            row[column] = row[column].replace("Calc-Test", "Calc-Training")
    tables[0].write_bytes(table_bytes(columns, test))
    tables[1].write_bytes(table_bytes(columns, [*train, *moved]))
    for place in sorted((folder / FOLDER).glob(f"Calc-Test_{patient}_*")):
        _copy(folder, place, {"Calc-Test": "Calc-Training"})
        shutil.rmtree(place)
    changed = tuple(_moved(scan) if scan.patient_id == patient else scan for scan in scans)
    file = next(scan.copies[0] for scan in changed if scan.patient_id == patient)
    said = (
        ("patient in both parts", "The patient stands in the training and in the test part."),
        ("scan in both parts", "The same films stand in the training and in the test part."),
    )
    defects = [PlantedDefect(file=file, kind=k, what=w, also=(patient,)) for k, w in said]
    return defects, changed


def _moved(scan: TrueScan) -> TrueScan:
    copies = tuple(file.replace("Calc-Test", "Calc-Training") for file in scan.copies)
    return replace(scan, copies=copies)


def _double(folder: Path, scan: TrueScan) -> tuple[PlantedDefect, TrueScan]:
    """Give a scan, with its masks and rows, to a further patient."""
    subject = scan.file.split("/")[1]
    kind, part = subject.split("_")[0].split("-")
    new_words = {scan.patient_id: _TWIN}
    for place in sorted((folder / FOLDER).glob(f"{subject}*")):
        inside = (path.name for path in place.rglob("*") if path.is_dir())
        new_words |= {uid: str(uid_after(uid)) for uid in inside}
        _copy(folder, place, new_words)
    table = folder / f"{kind.lower()}_case_description_{PARTS[part]}_set.csv"
    columns, rows = _read(table)
    own = [row for row in rows if f"{subject}/" in row["image file path"]]
    copies = [{column: _reworded(cell, new_words) for column, cell in row.items()} for row in own]
    table.write_bytes(table_bytes(columns, [*rows, *copies]))
    file = _reworded(scan.file, new_words)
    twin = replace(scan, file=file, patient_id=_TWIN, exam_id=_TWIN, copies=())
    what = f"The same picture as {scan.file}."
    also = (scan.file, subject)
    return PlantedDefect(file=file, kind="identical scan", what=what, also=also), twin


def _copy(folder: Path, place: Path, new_words: Mapping[str, str]) -> None:
    """Copy the files below a folder with other words in paths and headers."""
    for path in sorted(place.rglob("*.dcm")):
        header = pydicom.dcmread(path)
        header.PatientID = header.PatientName = _reworded(str(header.PatientID), new_words)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
            setattr(header, keyword, _reworded(str(header[keyword].value), new_words))
        # The image is another file now, though its pixels are the same.
        header.SOPInstanceUID = uid_after(header.SOPInstanceUID)
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        target = folder / _reworded(path.relative_to(folder).as_posix(), new_words)
        target.parent.mkdir(parents=True, exist_ok=True)
        header.save_as(target, enforce_file_format=True)


def _reworded(text: str, new_words: Mapping[str, str]) -> str:
    for old, new in new_words.items():
        text = text.replace(old, new)
    return text


def _read(table: Path) -> tuple[list[str], Rows]:
    stream = io.StringIO(table.read_text(encoding="ascii"), newline="")
    reader = csv.DictReader(stream)
    rows = list(reader)
    return list(reader.fieldnames or ()), rows
