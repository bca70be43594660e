"""Looking into scans: damage, contradictions between archive and header, findings outside."""

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset

from mammoscope.archives.dicom_look import look
from mammoscope.core.geometry import Box, MaskFile
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Laterality, SpacingSource, ViewPosition


@pytest.fixture
def scan(tmp_path):
    """A record and its file of 4 x 3 pixels; header tags and fields of the record can be given."""

    def made(tags=None, **fields):
        header = Dataset()
        header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.3"
        header.Modality, header.PatientID = "MG", "one"
        header.ImageLaterality, header.ViewPosition = "L", "MLO"
        header.ImagerPixelSpacing = [0.07, 0.07]
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.Rows, header.Columns = 4, 3
        header.BitsAllocated = header.BitsStored = 16
        header.HighBit, header.PixelRepresentation = 15, 0
        header.PixelData = np.arange(12, dtype=np.uint16).tobytes()
        for keyword, value in (tags or {}).items():
            setattr(header, keyword, value)
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
        header.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        header.save_as(tmp_path / "1.dcm", enforce_file_format=True)
        known = {"scan_id": "s", "archive": "x", "patient_id": "p", "exam_id": "e"}
        return Scan(path=tmp_path / "1.dcm", **known, **fields)

    return made


def box(*place):
    return Finding(finding_id="s_1", scan_id="s", kind=FindingKind.MASS, roi=Box(*place))


def whats(scan):
    return [problem.what for problem in look(scan).problems]


def test_a_good_scan_has_no_problem_and_a_digest_of_its_pixels(scan):
    good = scan(laterality=Laterality.LEFT, view=ViewPosition.MLO, findings=(box(0, 0, 4, 3),))
    seen = look(good)

    assert seen.problems == ()
    assert seen.digest == look(scan({"PatientID": "two"})).digest
    assert seen.digest != look(scan({"PixelData": bytes(24)})).digest


def test_a_header_that_contradicts_the_archive_is_told_of(scan):
    said = scan(
        laterality=Laterality.RIGHT,
        view=ViewPosition.CC,
        spacing_mm=(0.1, 0.1),
        spacing_source=SpacingSource.ARCHIVE,
    )
    assert whats(said) == [
        "the archive says laterality R, the header L",
        "the archive says view CC, the header MLO",
        "the archive says spacing in mm 0.1, the header 0.07",
    ]


def test_ml_in_a_header_is_not_held_against_an_archive_that_says_mlo(scan):
    assert whats(scan({"ViewPosition": "ML"}, view=ViewPosition.MLO)) == []


def test_a_header_that_says_nothing_contradicts_nothing(scan):
    bare = {"ImageLaterality": "", "ViewPosition": "", "Modality": "", "SOPClassUID": "1.2"}
    assert whats(scan(bare, laterality=Laterality.RIGHT, view=ViewPosition.CC)) == []


@pytest.mark.parametrize("place", [(-5, 0, 6, 1), (0, 0, 9, 1), (0, 0, 1, 9), (0, -5, 1, 6)])
def test_a_finding_that_leaves_the_scan_is_told_of(scan, place):
    assert whats(scan(findings=(box(*place),))) == ["finding s_1 leaves the scan of 4 x 3 pixels"]


def test_masks_and_findings_without_a_place_are_not_looked_at(scan, tmp_path):
    mask = Finding(
        finding_id="1", scan_id="s", kind=FindingKind.MASS, roi=MaskFile(tmp_path / "none")
    )
    unplaced = Finding(finding_id="2", scan_id="s", kind=FindingKind.MASS)
    assert whats(scan(findings=(mask, unplaced))) == []


def test_damage_is_told_of_by_its_reason(scan):
    damaged = scan()
    damaged.path.write_bytes(damaged.path.read_bytes()[:-3])
    assert look(damaged).digest is None
    assert whats(damaged)[0].startswith("the pixels are damaged or cut short")

    damaged.path.unlink()
    assert whats(damaged) == ["there is no such file."]


def test_images_for_processing_are_looked_into(scan):
    assert whats(scan({"PresentationIntentType": "FOR PROCESSING"})) == []


def test_a_picture_made_from_a_file_is_looked_into(scan, tmp_path):
    picture = scan(findings=(box(0, 0, 9, 1),))
    Image.fromarray(np.zeros((4, 3), np.uint8)).save(picture.path, "PNG")
    assert whats(picture) == ["finding s_1 leaves the scan of 4 x 3 pixels"]
