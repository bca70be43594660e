"""Made exams as plain DICOM, and the DICOM files that all simulations write."""

import re
import uuid
import warnings
from io import BytesIO

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mammoscope.core.vocabulary import Intent, Laterality, ViewPosition
from mammoscope.formats.dicom import read_dicom, read_facts
from mammoscope.simulate.dicom import write_patient
from mammoscope.simulate.dicom_files import (
    new_header,
    rle_frame,
    save,
    set_pixels,
    uid_after,
    uid_from,
)
from mammoscope.simulate.plan import Job, Plan

IMAGES = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
)


def write(folder, index, spacing_mm=0.3):
    plan = Plan(name="dicom", patients=9, seed=5, spacing_mm=spacing_mm)
    seed = np.random.SeedSequence(5).spawn(9)[index]
    job = Job(plan=plan, index=index, seed=seed, folder=folder / "a", truth=folder / "t")
    return write_patient(job)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dicom")


@pytest.fixture(scope="module")
def exam(folder, plain_breasts):
    return write(folder, 1)


@given(IMAGES)
def test_packed_pixels_are_unpacked_by_pydicom_to_the_same(image):
    header = new_header("1.2.840.10008.5.1.4.1.1.7", pydicom.uid.UID("2.25.1"))
    set_pixels(header, image, bits=8 * image.dtype.itemsize, rle=True)
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    stream = BytesIO()
    header.save_as(stream, enforce_file_format=True)
    with warnings.catch_warnings():
        # pydicom doubts a packed frame that happens to have as many bytes as an unpacked one.
        warnings.simplefilter("ignore")
        back = pydicom.dcmread(BytesIO(stream.getvalue())).pixel_array
    assert np.array_equal(back, image)


def test_a_packed_frame_begins_with_its_segments_and_their_places():
    # PS3.5, Annex G: two bytes a sample are two segments, the first behind 64 bytes of heading.
    frame = rle_frame(np.array([[0x0102, 0x0102]], np.uint16))
    assert np.frombuffer(frame[:12], "<u4").tolist() == [2, 64, 66]
    # Two equal bytes are one run: -1, then the byte.
    assert frame[64:] == b"\xff\x01\xff\x02"


@given(st.integers(0, 2**32))
def test_an_identifier_is_a_random_uuid_of_the_standards_root(seed):
    uid = uid_from(np.random.default_rng(seed))
    number = uuid.UUID(int=int(uid.removeprefix("2.25.")))
    assert (number.version, number.variant) == (4, uuid.RFC_4122)
    assert uid.is_valid


def test_an_identifier_made_of_another_is_always_the_same_and_not_that_one():
    assert uid_after("2.25.1") == uid_after("2.25.1") != uid_after("2.25.2")


def test_an_odd_number_of_bytes_is_filled_up(tmp_path):
    header = new_header("1.2.840.10008.5.1.4.1.1.7", pydicom.uid.UID("2.25.1"))
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    set_pixels(header, image, bits=8, rle=False)
    save(header, tmp_path / "odd.dcm")
    assert np.array_equal(pydicom.dcmread(tmp_path / "odd.dcm").pixel_array, image)


def test_an_exam_is_one_study_of_four_views(folder, exam):
    facts = [read_facts(folder / "a" / scan.file) for scan in exam.scans]
    assert {(f.laterality, f.view) for f in facts} == {
        (side, view) for side in Laterality for view in (ViewPosition.CC, ViewPosition.MLO)
    }
    assert {f.study_uid for f in facts} == {scan.exam_id for scan in exam.scans}
    assert len({f.sop_uid for f in facts}) == 4


def test_every_scan_is_read_as_a_digital_mammogram_for_presentation(folder, exam):
    for scan in exam.scans:
        read = read_dicom(folder / "a" / scan.file)
        assert read.image.shape == scan.shape_px
        assert read.facts.warnings == ()
        assert (read.facts.modality, read.facts.intent) == ("MG", Intent.FOR_PRESENTATION)
        assert read.facts.bits_stored == 12
        assert 0 < int(read.image.max()) < 4096


def test_some_exams_give_the_spacing_at_the_detector_alone(folder, exam):
    only_imager = read_facts(folder / "a" / exam.scans[0].file)
    calibrated = read_facts(folder / "a" / write(folder, 2).scans[0].file)
    assert only_imager.spacing_tag == "ImagerPixelSpacing"
    assert calibrated.spacing_tag == "PixelSpacing"
    assert only_imager.spacing_mm == calibrated.spacing_mm == (0.3, 0.3)


def test_nobody_can_take_a_scan_for_a_patients(folder, exam):
    for scan in exam.scans:
        header = pydicom.dcmread(folder / "a" / scan.file, stop_before_pixels=True)
        assert str(header.PatientName).startswith("SIMULATED^")
        assert header.ImageComments.startswith("SIMULATED")
        assert re.fullmatch(r"SIM\d{4}", header.PatientID)


def test_a_view_says_where_its_rows_lead_as_the_chest_wall_lies(folder, exam):
    # PS3.3, C.7.6.1.1.1: the words are the directions in which rows and columns lead.
    for scan in exam.scans:
        path = folder / "a" / scan.file
        header, image = pydicom.dcmread(path), read_dicom(path).image
        wall_is_left = image[:, :40].sum() > image[:, -40:].sum()
        assert header.PatientOrientation[0] == ("A" if wall_is_left else "P")
        assert wall_is_left == (scan.laterality is Laterality.LEFT)
