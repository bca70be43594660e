"""Simulated CBIS-DDSM: DICOM scans, masks, crops, and the four tables, in both layouts of TCIA.

Patients are numbered from P_90001; the archive's own end at P_02584.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID

from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.simulate.cbis_tables import FOLDER, METADATA, TABLES
from mammoscope.simulate.dicom_files import new_header, save, set_pixels, uid_from
from mammoscope.simulate.exam import MadeExam, MadeScan
from mammoscope.simulate.film import to_film
from mammoscope.simulate.made import (
    Marked,
    make_planned,
    mark,
    plan_lesions,
    true_finding,
    view_name,
    words_of,
)
from mammoscope.simulate.plan import Job, Plan, Written
from mammoscope.simulate.truth import TrueFinding, TrueScan, box_of_mask

NAME = "cbis-ddsm"
MOST_PATIENTS = 9998
SPACING_MM = 0.05
FIRST_PATIENT = 90001
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SCAN, CROP, MASK = "full mammogram images", "cropped images", "ROI mask images"
"""Series descriptions of the three kinds of file."""
_MASS, _CALC = FindingKind.MASS, FindingKind.CALCIFICATION
_KINDS: tuple[tuple[FindingKind, ...], ...] = (
    (_MASS,),
    (_CALC,),
    (_MASS, _MASS),
    # One film in both tables, as 71 of the archive's are.
    (_MASS, _CALC),
    (FindingKind.ARCHITECTURAL_DISTORTION,),
    (_CALC, _CALC),
)
_CROP_MARGIN_PX = 4
_TEST_EVERY = 4
"""Every fourth patient belongs to the test part."""


def write_patient(job: Job) -> Written:
    """Write the scans of one patient; the archive has only those that show something."""
    rng = job.generator()
    spacing_mm = job.plan.spacing_mm or SPACING_MM
    kinds = _KINDS[job.index % len(_KINDS)]
    first = Pathology.MALIGNANT if rng.random() < 0.5 else Pathology.BENIGN
    pathologies = (first, *(Pathology.BENIGN for _ in kinds[1:]))
    lesions = plan_lesions(kinds, pathologies, rng)
    exam = make_planned(rng, spacing_mm=spacing_mm, lesions=lesions)
    scans: list[TrueScan] = []
    rows: list[Mapping[str, str]] = []
    # Some harmless lesions were never called back; the tables have a word for it.
    harmless = first is Pathology.BENIGN and job.index % 5 == 4
    for scan in exam.scans:
        marked = mark(scan, outcome="BENIGN_WITHOUT_CALLBACK" if harmless else None)
        if marked:
            # 12 bits of the scanner in the 16 of the archive.
            image = (to_film(scan, "lumisys", rng) << 4).astype(np.uint16)
            writer = _ScanWriter(job=job, exam=exam, scan=scan, image=image, rng=rng)
            written = writer.write(marked)
            scans += written.scans
            rows += written.rows
    return Written(scans=tuple(scans), rows=tuple(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """A folder of one or two files: its subject, as TCIA names it, and UIDs."""

    subject: str
    study: UID
    series: UID

    def file(self, plan: Plan, number: int) -> str:
        """Return the path of a file in the archive's folder; `number` counts from 0."""
        if plan.layout == "uid":
            return f"{FOLDER}/{self.series}/1-{number + 1}.dcm"
        return f"{FOLDER}/{self.in_tables(number)}"

    def in_tables(self, number: int) -> str:
        """Return the path of a file as the tables say it, whatever the layout on disk."""
        return f"{self.subject}/{self.study}/{self.series}/{number:06d}.dcm"


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScanWriter:
    """Writes one scan with its masks and crops."""

    job: Job
    exam: MadeExam
    scan: MadeScan
    image: NDArray[np.uint16]
    rng: np.random.Generator

    @property
    def patient_id(self) -> str:
        return f"P_{FIRST_PATIENT + self.job.index:05d}"

    @property
    def part(self) -> str:
        return "Test" if self.job.index % _TEST_EVERY == _TEST_EVERY - 1 else "Training"

    def write(self, marked: tuple[Marked, ...]) -> Written:
        """Write the scan once for each table that it stands in."""
        files: list[str] = []
        findings: list[TrueFinding] = []
        rows: list[Mapping[str, str]] = []
        for kind in TABLES:
            own = [one for one in marked if _table_of(one) == kind]
            if not own:
                continue
            series = self._series(f"{kind}-{self.part}_{self._name}")
            files.append(self._save(series, 0, SCAN, self.image))
            rows += self._metadata(series, SCAN, 1)
            for number, one in enumerate(own, start=1):
                findings.append(self._finding(one, f"{kind}.{number}"))
                rows += self._write_abnormality(series, number, one)
        return Written(scans=(self._true_scan(files, findings),), rows=tuple(rows))

    @property
    def _name(self) -> str:
        return f"{self.patient_id}_{view_name(self.scan)}"

    def _series(self, subject: str) -> _Series:
        return _Series(subject=subject, study=uid_from(self.rng), series=uid_from(self.rng))

    def _true_scan(self, files: list[str], findings: list[TrueFinding]) -> TrueScan:
        return TrueScan(
            file=files[0],
            copies=tuple(files[1:]),
            patient_id=self.patient_id,
            # The tables know no dates, so a patient is one exam.
            exam_id=self.patient_id,
            laterality=self.scan.laterality,
            view=self.scan.view,
            shape_px=(self.image.shape[0], self.image.shape[1]),
            spacing_mm=self.scan.spacing_mm,
            breast_density=self.exam.breast_density,
            normal=False,
            findings=tuple(findings),
        )

    def _finding(self, one: Marked, name: str) -> TrueFinding:
        found = true_finding(one, self.job.truth, f"{self._name}.{name}")
        # The tables know masses and calcifications only; words keep the distortion.
        return found if found.kind is _CALC else replace(found, kind=_MASS)

    def _write_abnormality(
        self, scan: _Series, number: int, one: Marked
    ) -> Iterator[Mapping[str, str]]:
        """Write mask and crop into one series; yields its rows of the tables."""
        series = self._series(f"{scan.subject}_{number}")
        # The order of the two differs in the published tables, too.
        crop, mask = (0, 1) if _table_of(one) == "Mass" else (1, 0)
        self._save(series, crop, CROP, self.image[_crop_of(one.region)])
        self._save(series, mask, MASK, one.region.astype(np.uint8) * np.uint8(255))
        yield from self._metadata(series, MASK, 2)
        yield self._row(scan, series, number, one)

    def _row(self, scan: _Series, series: _Series, number: int, one: Marked) -> Mapping[str, str]:
        kind = _table_of(one)
        density, first, second = TABLES[kind]
        words = words_of(one.lesion)
        crop, mask = (0, 1) if kind == "Mass" else (1, 0)
        # A line break ends one path of each row of the published tables.
        crop_end, mask_end = ("", "\n") if kind == "Mass" else ("\n", "")
        side, view = view_name(self.scan).split("_")
        return {
            "table": f"{kind}-{self.part}",
            "patient_id": self.patient_id,
            density: str(self.exam.breast_density),
            "left or right breast": side,
            "image view": view,
            "abnormality id": str(number),
            "abnormality type": "mass" if kind == "Mass" else "calcification",
            first: words[0],
            second: words[1],
            "assessment": str(one.lesion.assessment)[0],
            "pathology": one.outcome,
            "subtlety": str(one.lesion.subtlety),
            "image file path": scan.in_tables(0),
            "cropped image file path": series.in_tables(crop) + crop_end,
            "ROI mask file path": series.in_tables(mask) + mask_end,
        }

    def _save(self, series: _Series, number: int, what: str, image: NDArray[Any]) -> str:
        file = series.file(self.job.plan, number)
        header = self._header(series, number, what)
        header.SmallestImagePixelValue = 0
        header.LargestImagePixelValue = int(np.iinfo(image.dtype).max)
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue"):
            header[keyword].VR = "US"
        set_pixels(header, image, bits=8 * image.dtype.itemsize, rle=True)
        save(header, self.job.folder / file)
        return file

    def _header(self, series: _Series, number: int, what: str) -> Dataset:
        header = new_header(SECONDARY_CAPTURE, uid_from(self.rng))
        header.StudyDate, header.StudyTime = "20161004", "120000"
        header.AccessionNumber = ""
        header.Modality = "MG"
        header.ConversionType = "WSD"
        header.ReferringPhysicianName = ""
        header.SeriesDescription = what
        # The archive puts subject, side and view into both tags.
        header.PatientName = header.PatientID = series.subject
        header.PatientBirthDate = header.PatientSex = ""
        header.BodyPartExamined = "BREAST"
        header.StudyInstanceUID, header.SeriesInstanceUID = series.study, series.series
        header.StudyID = "DDSM"
        header.SeriesNumber = 1
        header.InstanceNumber = number + 1
        header.PatientOrientation = str(self.scan.view)
        header.Laterality = str(self.scan.laterality)
        return header

    def _metadata(self, series: _Series, what: str, count: int) -> Iterator[Mapping[str, str]]:
        location = f"{FOLDER}/{series.series}"
        yield {
            "table": METADATA,
            "Series UID": str(series.series),
            "Collection": FOLDER,
            "3rd Party Analysis": "NO",
            "Subject ID": series.subject,
            "Study UID": str(series.study),
            "Study Date": "10-04-2016",
            "Series Description": what,
            "Modality": "MG",
            "SOP Class Name": "Secondary Capture Image Storage",
            "SOP Class UID": SECONDARY_CAPTURE,
            "Number of Images": str(count),
            "File Size": "0 MB",
            "File Location": f"./{location}",
            "Download Timestamp": "2024-01-01T00:00:00.000",
        }


def _table_of(one: Marked) -> str:
    return "Calc" if one.lesion.kind is _CALC else "Mass"


def _crop_of(region: NDArray[np.bool_]) -> tuple[slice, slice]:
    top, left, height, width = box_of_mask(region)
    margin = _CROP_MARGIN_PX
    return (
        slice(max(top - margin, 0), top + height + margin),
        slice(max(left - margin, 0), left + width + margin),
    )
