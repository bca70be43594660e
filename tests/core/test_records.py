"""Records check themselves, and answer what follows from their fields."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, SpacingSource


def make_scan(**changes):
    facts = {
        "scan_id": "s1",
        "archive": "made",
        "path": Path("s1.png"),
        "patient_id": "p1",
        "exam_id": "e1",
    }
    return Scan(**{**facts, **changes})


def make_finding(number, pathology):
    return Finding(
        finding_id=f"f{number}", scan_id="s1", kind=FindingKind.MASS, pathology=pathology
    )


@pytest.mark.parametrize("spacing", [(0, 0.1), (0.1, -0.1), (50, 50), (float("nan"), 0.1)])
def test_a_spacing_that_no_mammogram_has_is_refused(spacing):
    with pytest.raises(ValueError, match="between 0 and 10 mm"):
        make_scan(spacing_mm=spacing, spacing_source=SpacingSource.HEADER)


def test_a_spacing_in_rows_may_differ_from_that_in_columns():
    scan = make_scan(spacing_mm=(0.3, 0.2), spacing_source=SpacingSource.ARCHIVE)
    assert scan.spacing_mm == (0.3, 0.2)


@pytest.mark.parametrize(
    "half", [{"spacing_mm": (0.1, 0.1)}, {"spacing_source": SpacingSource.HEADER}]
)
def test_a_spacing_is_never_without_its_source(half):
    with pytest.raises(ValueError, match="together or not at all"):
        make_scan(**half)


def test_a_breast_is_one_side_of_an_exam():
    assert make_scan(laterality=Laterality.LEFT).breast_id == "e1/L"
    assert make_scan().breast_id == "e1/?"


@pytest.mark.parametrize(
    ("pathologies", "gravest"),
    [
        ([], None),
        ([None], None),
        ([Pathology.BENIGN, None], Pathology.BENIGN),
        ([Pathology.HIGH_RISK, Pathology.BENIGN], Pathology.HIGH_RISK),
        ([Pathology.BENIGN, Pathology.MALIGNANT, Pathology.HIGH_RISK], Pathology.MALIGNANT),
    ],
)
def test_the_pathology_of_a_scan_is_its_gravest(pathologies, gravest):
    findings = tuple(make_finding(n, p) for n, p in enumerate(pathologies))
    assert make_scan(findings=findings).pathology is gravest


def test_a_scan_of_which_nothing_is_known_has_no_pathology():
    assert make_scan(findings=None).pathology is None


def test_records_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        make_scan().patient_id = "p2"
    with pytest.raises(TypeError):
        make_scan().facts["a"] = "b"
