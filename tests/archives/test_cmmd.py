"""CMMD: made folders in the layout of The Cancer Imaging Archive."""

import csv

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from mammoscope.archives.cmmd import is_here, read
from mammoscope.core.errors import AnnotationError, LayoutError, MissingFileError
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, ViewPosition

HEADING = ("ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype")
ROWS = (
    ("D1-0001", "R", "44", "2", "calcification", "Benign", ""),
    ("D2-0002", "L", "51", "4", "both", "Malignant", "Luminal A"),
)
SCANS = (
    ("D1-0001", "R", "CC"),
    ("D1-0001", "R", "MLO"),
    ("D2-0002", "L", "CC"),
    ("D2-0002", "R", "CC"),
)
VIEWS = {"CC": "399162004", "MLO": "399368009"}


def dicom(number, patient, side, view):
    """A header as the archive's: the view is in the code sequence, not in View Position."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = VIEWS[view], "SCT"
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    header.SOPInstanceUID = f"1.3.6.{number}"
    header.StudyInstanceUID = f"1.3.7.{int(patient[-4:])}"
    header.Modality, header.PatientID, header.ImageLaterality = "MG", patient, side
    header.ViewCodeSequence = [code]
    header.ImagerPixelSpacing = [0.094, 0.094]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows = header.Columns = 2
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.PixelData = np.full((2, 2), number, np.uint8).tobytes()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    return header


@pytest.fixture
def make(tmp_path):
    def made(rows=ROWS, scans=SCANS, delimiter=","):
        with (tmp_path / "CMMD_clinicaldata_revision.csv").open("w", newline="") as stream:
            csv.writer(stream, delimiter=delimiter).writerows([HEADING, *rows])
        for number, (patient, side, view) in enumerate(scans, start=1):
            place = tmp_path / "CMMD" / patient / "07-18-2010-NA-NA-79377" / "1.000000-NA-70244"
            place.mkdir(parents=True, exist_ok=True)
            path = place / f"1-{number}.dcm"
            dicom(number, patient, side, view).save_as(path, enforce_file_format=True)
        return tmp_path

    return made


def by_id(archive):
    return {scan.scan_id: scan for scan in archive.scans()}


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_side_and_view_come_from_headers_and_the_rest_from_the_table(make, delimiter):
    archive = read(make(delimiter=delimiter))

    assert archive.problems == ()
    assert archive.patients() == ("D1-0001", "D2-0002")
    assert sorted(by_id(archive)) == [
        "D1-0001_R_CC",
        "D1-0001_R_MLO",
        "D2-0002_L_CC",
        "D2-0002_R_CC",
    ]
    scan = by_id(archive)["D1-0001_R_MLO"]
    assert (scan.laterality, scan.view) == (Laterality.RIGHT, ViewPosition.MLO)
    assert scan.spacing_mm == (0.094, 0.094)
    assert scan.facts["age"] == "44"
    assert [(e.exam_id, len(e.scans)) for e in archive.exams()] == [("D1-0001", 2), ("D2-0002", 2)]


def test_a_label_belongs_to_its_breast_and_has_no_place(make):
    scans = by_id(read(make()))
    (benign,) = scans["D1-0001_R_CC"].findings
    (malignant,) = scans["D2-0002_L_CC"].findings

    assert (benign.kind, benign.pathology) == (FindingKind.CALCIFICATION, Pathology.BENIGN)
    assert malignant.pathology is Pathology.MALIGNANT
    assert malignant.descriptors == ("both", "Malignant", "Luminal A")
    assert {benign.roi, malignant.roi} == {None}


def test_the_other_breast_is_not_called_free_of_findings(make):
    assert by_id(read(make()))["D2-0002_R_CC"].findings is None


def test_a_breast_without_a_scan_and_a_patient_without_a_row_are_told_of(make):
    rows = (*ROWS, ("D1-0003", "L", "60", "2", "mass", "Benign", ""))
    problems = read(make(rows, (*SCANS, ("D9-9999", "L", "CC")))).problems

    assert {p.what for p in problems} == {
        "1 of the 3 breasts it names have no scan here: D1-0003 L",
        "scans of patients whom the table does not name: D9-9999",
    }


def test_a_second_scan_of_a_view_is_told_of(make):
    (problem,) = read(make(scans=(*SCANS, SCANS[0]))).problems
    assert problem.what.startswith("a second scan D1-0001_R_CC")


def test_a_file_that_is_no_mammogram_is_told_of(make):
    folder = make()
    other = dicom(9, "D1-0001", "R", "CC")
    other.Modality = "CT"
    other.save_as(folder / "CMMD" / "other.dcm", enforce_file_format=True)
    (problem,) = read(folder).problems
    assert problem.where.endswith("other.dcm")


@pytest.mark.parametrize(
    "row",
    [
        ("D1-0003", "L", "60", "2", "mass", "Unknown", ""),
        ("D1-0003", "L", "60", "2", "lump", "Benign", ""),
        ("D1-0003", "both", "60", "2", "mass", "Benign", ""),
        ("", "L", "60", "2", "mass", "Benign", ""),
        ("D1-0003", "L", "60"),
    ],
)
def test_a_damaged_row_stops_every_use_of_the_scans(make, row):
    archive = read(make((*ROWS, row)))
    with pytest.raises(AnnotationError, match=r"revision\.csv, line 4: the row cannot"):
        archive.scans()


def test_a_second_row_for_a_breast_is_told_of(make):
    (problem,) = read(make((*ROWS, ROWS[0]))).problems
    assert problem.what == "a second row for D1-0001 R"


def test_other_folders_are_not_taken_for_it(make, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    assert is_here(make())
    assert not is_here(other)
    with pytest.raises(LayoutError, match=r"revision\.xlsx, or the same saved as"):
        read(other)
    (other / "CMMD_clinicaldata_revision.xlsx").write_bytes(b"no workbook")
    assert is_here(other)
    with pytest.raises(AnnotationError, match="no Excel file"):
        read(other)


def test_a_folder_without_any_scan_is_refused(make):
    with pytest.raises(MissingFileError, match="no scan of a patient"):
        read(make(scans=()))
