"""DDSM's abnormalities as findings: kinds, words, what is not known, and what is told."""

import numpy as np
import pytest

from mammoscope.archives.ddsm_findings import findings_of, kind_of, leaving
from mammoscope.core.geometry import Box, Outline
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import Assessment, FindingKind, Pathology
from mammoscope.formats.overlay import LesionType

TEXT = """TOTAL_ABNORMALITIES 1
ABNORMALITY 1
LESION_TYPE CALCIFICATION TYPE PLEOMORPHIC DISTRIBUTION CLUSTERED
LESION_TYPE MASS SHAPE OVAL MARGINS N/A
ASSESSMENT 4
SUBTLETY 2
PATHOLOGY BENIGN_WITHOUT_CALLBACK
TOTAL_OUTLINES 1
BOUNDARY
20 10  2 2 4 4 6 6 0 0 #
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "A_9001_1.LEFT_CC.OVERLAY"
        path.write_text(text)
        return findings_of(path, "cancer_01/A_9001_LEFT_CC")

    return read


def test_an_abnormality_becomes_a_finding_with_the_archives_own_words(read):
    (finding,), problems = read(TEXT)
    assert finding.finding_id == "cancer_01/A_9001_LEFT_CC_1"
    assert finding.scan_id == "cancer_01/A_9001_LEFT_CC"
    assert finding.kind is FindingKind.CALCIFICATION
    assert finding.roi.box == Box(10, 20, 3, 3)
    assert (finding.assessment, finding.subtlety) == (Assessment.SUSPICIOUS, 2)
    assert finding.descriptors == (
        "CALCIFICATION TYPE PLEOMORPHIC DISTRIBUTION CLUSTERED",
        "MASS SHAPE OVAL MARGINS N/A",
        "BENIGN_WITHOUT_CALLBACK",
    )
    assert problems == ()


@pytest.mark.parametrize(
    ("word", "pathology"),
    [
        ("BENIGN", Pathology.BENIGN),
        ("BENIGN_WITHOUT_CALLBACK", Pathology.BENIGN),
        ("MALIGNANT", Pathology.MALIGNANT),
        ("UNPROVEN", None),
    ],
)
def test_what_is_unproven_has_no_pathology(read, word, pathology):
    (finding,), problems = read(TEXT.replace("BENIGN_WITHOUT_CALLBACK", word))
    assert finding.pathology is pathology
    assert finding.descriptors[-1] == word
    assert problems == ()


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        ("MASS", ("OVAL",), FindingKind.MASS),
        ("MASS", (), FindingKind.MASS),
        ("MASS", ("LYMPH_NODE",), FindingKind.MASS),
        ("MASS", ("ARCHITECTURAL_DISTORTION",), FindingKind.ARCHITECTURAL_DISTORTION),
        ("MASS", ("FOCAL_ASYMMETRIC_DENSITY",), FindingKind.ASYMMETRY),
        ("MASS", ("ASYMMETRIC_BREAST_TISSUE",), FindingKind.ASYMMETRY),
        ("MASS", ("IRREGULAR", "ARCHITECTURAL_DISTORTION"), FindingKind.MASS),
        ("CALCIFICATION", (), FindingKind.CALCIFICATION),
        ("OTHER", (), FindingKind.OTHER),
        ("MASZ", (), FindingKind.OTHER),
    ],
)
def test_the_kind_is_that_of_the_first_line(kind, shape, expected):
    lines = (LesionType(kind=kind, qualities=(("SHAPE", shape),)), LesionType(kind="MASS"))
    assert kind_of(lines) is expected


def test_no_line_gives_no_known_kind():
    assert kind_of(()) is FindingKind.OTHER


def test_notes_of_a_file_are_told_with_its_name_and_a_remedy(read):
    findings, problems = read(TEXT.replace("0 0 #", "0 #").replace("SUBTLETY 2", "SUBTLETY 9"))
    assert findings[0].subtlety is None
    assert [problem.what for problem in problems] == [
        "abnormality 1: BOUNDARY does not close: it ends 1 pixels from its start",
        "abnormality 1: SUBTLETY is '9', expected 1 to 5",
    ]
    assert all(problem.where.endswith("LEFT_CC.OVERLAY") and problem.remedy for problem in problems)


def test_a_file_that_cannot_be_read_says_nothing_of_the_scan(read):
    findings, (problem,) = read(TEXT.replace("#", ""))
    assert findings is None
    assert "cut short" in problem.what


@pytest.mark.parametrize(
    ("shape_px", "over"),
    [((13, 23), None), ((12, 23), 1), ((13, 20), 3), ((100, 100), None)],
)
def test_an_outline_that_leaves_the_image_is_told_with_its_distance(shape_px, over):
    outline = Outline(np.array([[10, 20], [12, 22]]))
    finding = Finding(finding_id="f_1", scan_id="f", kind=FindingKind.MASS, roi=outline)
    expected = [] if over is None else [f"the outline of f_1 leaves the image by {over} pixels"]
    assert list(leaving((finding,), shape_px)) == expected


def test_an_outline_above_or_left_of_the_image_is_told():
    outline = Outline(np.array([[-4, 20], [12, -2]]))
    finding = Finding(finding_id="f_1", scan_id="f", kind=FindingKind.MASS, roi=outline)
    assert list(leaving((finding,), (50, 50))) == [
        "the outline of f_1 leaves the image by 4 pixels"
    ]
