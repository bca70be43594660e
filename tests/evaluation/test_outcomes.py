"""Truth of a scan, checks of the record, and its way through JSON."""

import json
from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.geometry import Box, Circle
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import Assessment, FindingKind, Pathology
from mammoscope.evaluation.outcomes import (
    Peak,
    ScanOutcome,
    outcome_from_json,
    outcome_to_json,
)


@pytest.mark.parametrize(
    ("pathologies", "has_finding", "is_malignant"),
    [
        (None, None, None),
        ([], False, None),
        ([None], True, None),
        ([Pathology.BENIGN], True, False),
        ([Pathology.HIGH_RISK, None], True, False),
        ([Pathology.BENIGN, Pathology.MALIGNANT], True, True),
    ],
)
def test_the_gravest_proven_finding_is_the_scans_truth(
    make_outcome, make_finding, pathologies, has_finding, is_malignant
):
    findings = (
        None if pathologies is None else tuple(make_finding(pathology=p) for p in pathologies)
    )
    outcome = make_outcome(findings=findings)
    assert outcome.has_finding is has_finding
    assert outcome.is_malignant is is_malignant


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"score": nan}, "finite"),
        ({"malignancy": inf}, "finite"),
        ({"peaks": (Peak(0, 0, nan, 0.1),)}, "finite"),
        ({"peaks": (Peak(0, 0, 0.1, 0.1), Peak(0, 0, 0.2, 0.1))}, "best first"),
        ({"spacing_mm": (0.0, 1.0)}, "spacing"),
        ({"spacing_mm": (0.1, nan)}, "spacing"),
    ],
)
def test_an_impossible_outcome_is_refused(make_outcome, changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(make_outcome(), **changes)


numbers = st.floats(-1e6, 1e6)
sizes = st.floats(1e-3, 1e4)
rois = (
    st.none()
    | st.builds(Box, numbers, numbers, sizes, sizes)
    | st.builds(Circle, numbers, numbers, sizes)
)
findings = st.builds(
    Finding,
    finding_id=st.text(),
    scan_id=st.text(),
    kind=st.sampled_from(FindingKind),
    roi=rois,
    pathology=st.none() | st.sampled_from(Pathology),
    assessment=st.none() | st.sampled_from(Assessment),
    subtlety=st.none() | st.integers(1, 5),
    descriptors=st.lists(st.text(), max_size=2).map(tuple),
)
outcomes = st.builds(
    ScanOutcome,
    scan_id=st.text(),
    patient_id=st.text(),
    breast_id=st.text(),
    exam_id=st.text(),
    spacing_mm=st.tuples(sizes, sizes),
    score=numbers,
    malignancy=numbers,
    peaks=st.lists(st.builds(Peak, numbers, numbers, numbers, numbers), max_size=3).map(
        lambda peaks: tuple(sorted(peaks, key=lambda peak: -peak.score))
    ),
    findings=st.none() | st.lists(findings, max_size=2).map(tuple),
    strata=st.dictionaries(st.text(), st.text(), max_size=2),
)


@given(outcomes)
def test_an_outcome_comes_back_from_json_unchanged(outcome):
    text = json.dumps(outcome_to_json(outcome), allow_nan=False)
    assert outcome_from_json(json.loads(text)) == outcome


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values.pop("findings"),
        lambda values: values.update(extra=1),
        lambda values: values.update(spacing_mm=[1.0]),
        lambda values: values.update(peaks=[[1.0, 2.0]]),
        lambda values: values["findings"][0].update(kind="LUMP"),
        lambda values: values["findings"][0].update(roi={"top": 1}),
        lambda values: values.update(score=None),
        lambda values: values.update(findings=[3]),
    ],
)
def test_a_damaged_outcome_is_refused_with_a_remedy(make_outcome, make_finding, damage):
    values = outcome_to_json(make_outcome(findings=(make_finding(),)))
    damage(values)
    with pytest.raises(CorruptFileError, match="measure the archive again"):
        outcome_from_json(values)
