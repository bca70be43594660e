"""Simulated exams as plain DICOM: one study a patient, four digital mammograms for presentation."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition
from mammoscope.simulate.dicom_files import new_header, save, set_pixels, uid_from
from mammoscope.simulate.exam import LesionPlan, MadeExam, MadeScan
from mammoscope.simulate.film import to_digital
from mammoscope.simulate.made import make_planned, mark, plan_lesions, true_finding
from mammoscope.simulate.plan import Job, Written
from mammoscope.simulate.truth import TrueScan

NAME = "dicom"
MOST_PATIENTS = 9999
SPACING_MM = 0.07
BITS = 12
MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"
"""Digital Mammography X-Ray Image Storage, for presentation."""
_VIEW_CODES = {
    # DICOM PS3.16, CID 4014, SNOMED CT.
    ViewPosition.CC: ("399162004", "cranio-caudal"),
    ViewPosition.MLO: ("399368009", "medio-lateral oblique"),
}
_ORIENTATIONS = {
    # PS3.3, C.8.11.7.1.6: where rows and columns lead, the chest wall at the image's edge.
    (Laterality.RIGHT, ViewPosition.CC): ["P", "L"],
    (Laterality.LEFT, ViewPosition.CC): ["A", "R"],
    (Laterality.RIGHT, ViewPosition.MLO): ["P", "FL"],
    (Laterality.LEFT, ViewPosition.MLO): ["A", "FR"],
}


def write_patient(job: Job) -> Written:
    """Write the exam of one patient."""
    rng = job.generator()
    exam = make_planned(
        rng, spacing_mm=job.plan.spacing_mm or SPACING_MM, lesions=_lesions(job.index, rng)
    )
    study = _Study(
        job=job,
        exam=exam,
        study=uid_from(rng),
        series=uid_from(rng),
        date=f"20{int(rng.integers(10, 25)):02d}{int(rng.integers(1, 13)):02d}15",
    )
    scans = [_write_scan(study, number, scan, rng) for number, scan in enumerate(exam.scans, 1)]
    return Written(scans=tuple(scans))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Study:
    job: Job
    exam: MadeExam
    study: UID
    series: UID
    date: str

    @property
    def patient_id(self) -> str:
        return f"SIM{self.job.index + 1:04d}"


def _write_scan(study: _Study, number: int, scan: MadeScan, rng: np.random.Generator) -> TrueScan:
    image = to_digital(scan, rng)
    header = _header(study, scan, uid_from(rng))
    header.InstanceNumber = number
    _set_spacing(header, scan.spacing_mm, calibrated=study.job.index % 2 == 0)
    set_pixels(header, image, bits=BITS, rle=False)
    path = study.job.folder / study.patient_id / str(study.study) / f"{number:03d}.dcm"
    save(header, path)
    return TrueScan(
        file=path.relative_to(study.job.folder).as_posix(),
        patient_id=study.patient_id,
        exam_id=str(study.study),
        laterality=scan.laterality,
        view=scan.view,
        shape_px=(image.shape[0], image.shape[1]),
        spacing_mm=scan.spacing_mm,
        breast_density=study.exam.breast_density,
        # A folder of DICOM files says nothing about findings.
        normal=False,
        findings=tuple(
            true_finding(one, study.job.truth, f"{study.patient_id}.{number}.{n}")
            for n, one in enumerate(mark(scan), start=1)
        ),
    )


def _lesions(index: int, rng: np.random.Generator) -> tuple[LesionPlan, ...]:
    kinds = (
        (),
        (FindingKind.MASS,),
        (),
        (FindingKind.CALCIFICATION,),
        (FindingKind.ARCHITECTURAL_DISTORTION,),
    )[index % 5]
    pathology = Pathology.MALIGNANT if rng.random() < 0.5 else Pathology.BENIGN
    return plan_lesions(kinds, [pathology] * len(kinds), rng)


def _header(study: _Study, scan: MadeScan, instance: UID) -> Dataset:
    header = new_header(MAMMOGRAPHY, instance)
    header.Modality = "MG"
    header.PresentationIntentType = "FOR PRESENTATION"
    header.ImageType = ["DERIVED", "PRIMARY"]
    header.PatientID = study.patient_id
    header.PatientName = f"SIMULATED^{study.patient_id}"
    header.PatientSex = "F"
    header.PatientBirthDate = header.AccessionNumber = header.ReferringPhysicianName = ""
    header.PatientAge = f"{study.exam.age:03d}Y"
    header.StudyInstanceUID, header.SeriesInstanceUID = study.study, study.series
    header.StudyDate = header.SeriesDate = header.ContentDate = study.date
    header.StudyTime = header.ContentTime = "120000"
    header.StudyID = str(study.job.index + 1)
    header.SeriesNumber = 1
    header.SeriesDescription = "SIMULATED"
    _set_view(header, scan)
    _set_greys(header)
    return header


def _set_view(header: Dataset, scan: MadeScan) -> None:
    header.BodyPartExamined = "BREAST"
    header.ImageLaterality = str(scan.laterality)
    header.ViewPosition = str(scan.view)
    header.PatientOrientation = _ORIENTATIONS[scan.laterality, scan.view]
    view = _code(*_VIEW_CODES[scan.view])
    view.ViewModifierCodeSequence = Sequence([])
    header.ViewCodeSequence = Sequence([view])
    header.AnatomicRegionSequence = Sequence([_code("76752008", "Breast")])


def _set_greys(header: Dataset) -> None:
    header.BurnedInAnnotation = "NO"
    header.LossyImageCompression = "00"
    header.PixelIntensityRelationship = "LOG"
    header.PixelIntensityRelationshipSign = -1
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = 0, 1, "US"
    header.WindowCenter, header.WindowWidth = 1 << (BITS - 1), 1 << BITS
    header.PresentationLUTShape = "IDENTITY"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _set_spacing(header: Dataset, spacing_mm: float, *, calibrated: bool) -> None:
    """Give the spacing at the detector, and for some exams the calibrated one beside it."""
    header.ImagerPixelSpacing = [spacing_mm, spacing_mm]
    if calibrated:
        header.PixelSpacing = [spacing_mm, spacing_mm]
