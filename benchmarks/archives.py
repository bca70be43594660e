"""How fast a large archive is listed and checked, and what memory checking takes.

Usage: python benchmarks/archives.py [--files 100000] [--scans 1000]

Makes trees of many small files in a temporary folder: DDSM (each case with its .ics, outlines of
3,000 steps, and films that are never opened), CBIS-DDSM (a scan, its mask and its crop by a row of
the table) and a folder of DICOM headers. Prints, as JSON, the seconds to open each, and for
checking a quarter of the scans and all of them (films of 1.6 million pixels) the seconds with one
worker and with one a core, and the most memory of all processes.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from mammoscope.archives.open import open_archive
from mammoscope.formats.ljpeg_encode import encode_ljpeg

ICS = """
ics_version 1.0
filename A-{number:04d}-1
DATE_OF_STUDY 21 6 1995
PATIENT_AGE 57
FILM
FILM_TYPE REGULAR
DENSITY 3
DATE_DIGITIZED 4 5 1999
DIGITIZER HOWTEK 43.5
SEQUENCE
LEFT_CC LINES 5296 PIXELS_PER_LINE 2566 BITS_PER_PIXEL 12 RESOLUTION 43.5 OVERLAY
LEFT_MLO LINES 5386 PIXELS_PER_LINE 2836 BITS_PER_PIXEL 12 RESOLUTION 43.5 OVERLAY
RIGHT_CC LINES 5056 PIXELS_PER_LINE 2416 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
RIGHT_MLO LINES 5386 PIXELS_PER_LINE 2596 BITS_PER_PIXEL 12 RESOLUTION 43.5 NON_OVERLAY
"""
FILM_PX = (1600, 1000)
ICS_SMALL = re.sub(
    r"LINES \d+ PIXELS_PER_LINE \d+ (.*) (NON_)?OVERLAY",
    r"LINES {} PIXELS_PER_LINE {} \1 NON_OVERLAY".format(*FILM_PX),
    ICS,
)
VIEWS = ("LEFT_CC", "LEFT_MLO", "RIGHT_CC", "RIGHT_MLO")
# A square of 750 steps a side.
CHAIN = " ".join(["2"] * 750 + ["4"] * 750 + ["6"] * 750 + ["0"] * 750)
OVERLAY = f"""TOTAL_ABNORMALITIES 1
ABNORMALITY 1
LESION_TYPE MASS SHAPE OVAL MARGINS SPICULATED
ASSESSMENT 4
SUBTLETY 3
PATHOLOGY MALIGNANT
TOTAL_OUTLINES 1
BOUNDARY
1000 1200 {CHAIN} #
"""
FILES_A_CASE = 8
CASES_A_VOLUME = 60


def make_ddsm(folder: Path, files: int, ics: str, overlay: str) -> None:
    """Make cancer cases in the archive's order: header, four films, two outlines, small view."""
    for case in range(files // FILES_A_CASE):
        volume, number = divmod(case, CASES_A_VOLUME)
        name = f"A_{number:04d}_1"
        place = folder / "cancers" / f"cancer_{volume + 1:02d}" / f"case{number:04d}"
        place.mkdir(parents=True)
        (place / f"A-{number:04d}-1.ics").write_text(ics.format(number=number))
        (place / f"TAPE_{name}.COMB.16_PGM").touch()
        for view in VIEWS:
            (place / f"{name}.{view}.LJPEG").touch()
        for view in VIEWS[:2] if overlay else ():
            (place / f"{name}.{view}.OVERLAY").write_text(overlay)


def bare_header() -> FileDataset:
    """Make a mammogram's header with pixels that are too few to be a scan."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID = meta.MediaStorageSOPClassUID
    header.Modality, header.PresentationIntentType = "MG", "FOR PRESENTATION"
    header.Rows = header.Columns = 8
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.SamplesPerPixel, header.PixelRepresentation = 1, 0
    header.PhotometricInterpretation = "MONOCHROME2"
    header.ImagerPixelSpacing = [0.07, 0.07]
    header.PixelData = np.zeros((8, 8), np.uint16).tobytes()
    return header


def make_dicom(folder: Path, files: int) -> None:
    """Make headers of four-view exams, with pixels that are too few to be a scan."""
    header = bare_header()
    for index in range(files):
        exam, view = divmod(index, 4)
        side, _, position = VIEWS[view].partition("_")
        header.PatientID = f"made-{exam:06d}"
        header.StudyInstanceUID = f"1.2.3.{exam}"
        header.SeriesInstanceUID = f"1.2.3.{exam}.{view}"
        header.SOPInstanceUID = f"1.2.3.{exam}.{view}.1"
        header.ImageLaterality, header.ViewPosition = side[0], position
        place = folder / f"{exam // 1000:03d}" / f"{exam:06d}"
        place.mkdir(parents=True, exist_ok=True)
        pydicom.dcmwrite(place / f"{view}.dcm", header)


def make_cbis(folder: Path, files: int) -> None:
    """Make masses of CBIS-DDSM in the classic layout: a scan, its mask and its crop each."""
    rows = ["patient_id,breast_density,left or right breast,image view,abnormality id,"
            "abnormality type,mass shape,mass margins,assessment,pathology,subtlety,"
            "image file path,cropped image file path,ROI mask file path"]  # fmt: skip
    header = bare_header()
    for index in range(files // 3):
        patient, view = f"P_{index // 4:05d}", VIEWS[index % 4]
        name = f"Mass-Training_{patient}_{view}"
        places = (f"{name}/1.2/1.3/000000.dcm", f"{name}_1/1.2/1.4/000000.dcm",
                  f"{name}_1/1.2/1.4/000001.dcm")  # fmt: skip
        for place, side in zip(places, (16, 8, 16), strict=True):
            header.Rows = header.Columns = side
            header.PatientID = name if place == places[0] else f"{name}_1"
            header.SOPInstanceUID = f"1.2.4.{index}.{side}"
            header.PixelData = np.zeros((side, side), np.uint16).tobytes()
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            pydicom.dcmwrite(folder / place, header)
        rows.append(f"{patient},2,{view.replace('_', ',')},1,mass,OVAL,SPICULATED,4,MALIGNANT,3,"
                    f"{places[0]},{places[1]},{places[2]}")  # fmt: skip
    table = "\n".join(rows) + "\n"
    (folder / "mass_case_description_train_set.csv").write_text(table)


def make_films(folder: Path, scans: int) -> None:
    """Make cases of DDSM whose films can be decoded, each with pixels of its own."""
    make_ddsm(folder, scans // len(VIEWS) * FILES_A_CASE, ICS_SMALL, "")
    rows, columns = np.mgrid[: FILM_PX[0], : FILM_PX[1]]
    noise = np.random.default_rng(0).integers(0, 64, FILM_PX)
    film = ((rows + columns) % 3000 + noise).astype(np.uint16)
    for number, path in enumerate(sorted(folder.rglob("*.LJPEG"))):
        film[0, :2] = divmod(number, 4096)
        path.write_bytes(encode_ljpeg(film))


def seconds_to_open(name: str, folder: Path) -> dict[str, float]:
    """Open an archive in a process of its own."""
    code = (
        "import json, sys, time\n"
        "from mammoscope.archives.open import open_archive\n"
        "began = time.perf_counter()\n"
        "archive = open_archive(sys.argv[1], sys.argv[2])\n"
        "print(json.dumps({'seconds': round(time.perf_counter() - began, 2),\n"
        "    'scans': len(archive.records), 'findings': sum(\n"
        "    len(s.findings or ()) for s in archive.records)}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name, str(folder)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def memory_of_all_mib(process: int) -> float:
    """Memory of a process and those it started, pages shared between them counted once each."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(entry.name) == process or int(status[1]) == process:
                pss = (entry / "smaps_rollup").read_text()
                total += int(pss.split("Pss:")[1].split()[0])
        except (OSError, IndexError):
            continue
    return total / 1024


def check(folder: Path, workers: int | None) -> dict[str, float]:
    """Check an archive, watching the memory."""
    archive = open_archive("ddsm", folder)
    most, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.1):
            most = max(most, memory_of_all_mib(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    archive.check(workers=workers)
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    return {
        "scans": len(archive.records),
        "seconds": round(seconds, 2),
        "most memory, MiB": round(most),
    }


def main() -> None:
    """Make the trees and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--scans", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        results: dict[str, object] = {"cores": os.cpu_count(), "files": given.files}
        for name in ("ddsm", "cbis-ddsm", "dicom"):
            place = folder / name
            place.mkdir()
            if name == "ddsm":
                make_ddsm(place, given.files, ICS, OVERLAY)
            elif name == "cbis-ddsm":
                make_cbis(place, given.files)
            else:
                make_dicom(place, given.files)
            results[f"open {name}"] = seconds_to_open(name, place)
            shutil.rmtree(place)
        for scans in (given.scans // 4, given.scans):
            place = folder / f"films{scans}"
            place.mkdir()
            make_films(place, scans)
            results[f"check {scans} scans, one worker"] = check(place, 1)
            results[f"check {scans} scans, all cores"] = check(place, None)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
