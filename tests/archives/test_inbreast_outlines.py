"""INbreast's outlines: what a property list may say, and what is refused."""

import plistlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mammoscope.archives.inbreast_outlines import KINDS, read_outlines
from mammoscope.core.errors import AnnotationError
from mammoscope.core.vocabulary import FindingKind

ROI = {"Name": "Mass", "NumberOfPoints": 2, "Point_px": ["(1, 2)", "(3.5, -4e0)"]}


@pytest.fixture
def write(tmp_path):
    def written(content):
        path = tmp_path / "1.xml"
        path.write_bytes(content if isinstance(content, bytes) else plistlib.dumps(content))
        return path

    return written


def images(*rois, **more):
    return {"Images": [{"NumberOfROIs": len(rois), "ROIs": list(rois), **more}]}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *KINDS.items(),
        ("MASS ", FindingKind.MASS),
        ("Assymetry", FindingKind.ASYMMETRY),
        ("Espiculated Region", FindingKind.OTHER),
        ("Point 3", FindingKind.OTHER),
        ("", FindingKind.OTHER),
    ],
)
def test_names_are_told_by_whatever_spelling(write, name, kind):
    (finding,) = read_outlines(write(images({**ROI, "Name": name})), "s")
    assert finding.kind is kind
    assert finding.descriptors == ((name.strip(),) if name else ())


def test_findings_are_numbered_and_points_turned(write):
    first, second = read_outlines(write(images(ROI, ROI)), "s")

    assert (first.finding_id, second.finding_id) == ("s_1", "s_2")
    assert first.roi.points.tolist() == [[2, 1], [-4, 3.5]]


def test_a_list_without_outlines_is_no_finding(write):
    assert read_outlines(write(images()), "s") == ()


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>
<plist version="1.0"><dict><key>Images</key><string>&b;</string></dict></plist>"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no property list"),
        (b"<plist>", "no property list"),
        (ENTITIES, "no property list.*entit"),
        ({"Other": 1}, "no list of images"),
        (["a"], "no list of images"),
        ({"Images": [1]}, "no list of images"),
        (images(ROI, NumberOfROIs=2), "outlines are missing"),
        ({"Images": [{"ROIs": {"a": 1}}]}, "outlines are missing"),
        (images("Mass"), "points of s_1 are missing"),
        (images({**ROI, "NumberOfPoints": 3}), "points of s_1 are missing"),
        (images({**ROI, "Point_px": ["(1, 2)", "(1; 2)"]}), r"a point of s_1 is '\(1; 2\)'"),
        (images({**ROI, "Point_px": ["(1, 2)", "(nan, 2)"]}), "not (x, y)"),
        (images({**ROI, "Point_px": ["(1, 2)", 5]}), "not (x, y)"),
        (images({**ROI, "Point_px": ["(1, 2)", "(1e9, 2)"]}), "lies outside"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(write, content, words):
    pattern = (
        words if "\\" in words or ".*" in words else words.replace("(", r"\(").replace(")", r"\)")
    )
    with pytest.raises(AnnotationError, match=rf"1\.xml: .*{pattern}"):
        read_outlines(write(content), "s")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_mutated_list_gives_findings_or_our_error(write, data):
    content = bytearray(plistlib.dumps(images(ROI)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_outlines(write(bytes(content)), "s")
    except AnnotationError:
        return
    assert all(finding.scan_id == "s" for finding in found)
