"""The guard at reading: real scans pass, spoiled ones are read only on request."""

import dataclasses

import numpy as np
import pytest

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import ScanError
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.models.weights import load_model
from mammoscope.read.domain import check_domain, guard_of, shipped_guard, statement_of
from mammoscope.read.exam import read_loaded
from mammoscope.scans.load import load


def test_a_model_of_another_archive_has_no_guard(model):
    assert guard_of(model) is None


def test_the_shipped_model_has_the_shipped_guard():
    assert guard_of(load_model("default")) is shipped_guard()


@pytest.fixture(scope="module")
def real(shared_data):
    """Three scans of CBIS-DDSM."""
    scans = open_archive("cbis-ddsm-800", shared_data / "cbis-ddsm" / "mass-800").scans()
    return [load(scan) for scan in scans[100:1000:300]]


@pytest.mark.real
def test_real_scans_are_like_those_of_training(real):
    for scan in real:
        found = statement_of(shipped_guard(), scan)
        assert (found.verdict, found.reasons) == ("like", ())


@pytest.mark.real
def test_inverted_turned_and_mismeasured_scans_are_not(real):
    for scan in real:
        top = int(scan.image.max())
        spacing = scan.spacing_mm
        spoiled = [
            dataclasses.replace(scan, image=(top - scan.image).astype(np.uint8)),
            dataclasses.replace(scan, image=np.rot90(scan.image), spacing_mm=spacing[::-1]),
            dataclasses.replace(scan, spacing_mm=(2 * spacing[0], 2 * spacing[1])),
            dataclasses.replace(scan, spacing_mm=(spacing[0] / 2, spacing[1] / 2)),
        ]
        for other in spoiled:
            found = statement_of(shipped_guard(), other)
            assert found.verdict == "unlike"
            assert found.reasons


@pytest.mark.real
def test_a_flagged_scan_is_read_on_request_only_and_says_why(real):
    scan = real[0]
    large = dataclasses.replace(scan, spacing_mm=(2 * scan.spacing_mm[0], 2 * scan.spacing_mm[1]))
    model = load_model("default")
    with pytest.raises(ScanError, match=r"too large.*--anyway"):
        read_loaded(large, model)
    reading, _ = read_loaded(large, model, anyway=True)
    assert reading.domain.verdict == "unlike"
    assert "spacing doubled" in reading.domain.kinds


@pytest.mark.real
def test_scans_of_mini_mias_are_read(shared_data):
    for scan in open_archive("mini-mias", shared_data / "mini-mias").scans()[5::60]:
        found = statement_of(shipped_guard(), load(scan))
        assert found.verdict != "unlike", (scan.scan_id, found.reasons)


def with_facts(scan, *warnings):
    """Give a scan the facts of a DICOM file."""
    facts = {"transfer syntax": "1.2.840.10008.1.2.1"}
    return dataclasses.replace(scan, facts=facts, warnings=warnings)


def test_what_is_far_off_is_refused_as_a_picture_and_doubted_as_a_dicom_mammogram(
    write_scan, tmp_path, monkeypatch
):
    from mammoscope.read import domain
    from mammoscope.scans.domain_statistics import ScanStatistics
    from mammoscope.scans.load import read_scan

    scan = read_scan(write_scan(tmp_path / "L_CC.png"), spacing_um=200)
    guard = shipped_guard()
    # Every statistic as far off as can be, by way of no picture.
    far = ScanStatistics(values=guard.centre + 1e3 * guard.scale, wall_is_left=True)
    monkeypatch.setattr(domain, "statistics_of", lambda *_: far)
    quiet = dataclasses.replace(guard, checks=())
    unnamed = "neither modality (OT) nor body part says that this is a mammogram; expected MG"
    assert statement_of(quiet, scan).verdict == "unlike"
    assert statement_of(quiet, with_facts(scan)).verdict == "doubtful"
    assert statement_of(quiet, with_facts(scan, unnamed)).verdict == "unlike"


@pytest.mark.real
def test_without_a_spacing_nothing_is_said(real):
    blank = dataclasses.replace(real[0], spacing_mm=None, spacing_source=None)
    assert statement_of(shipped_guard(), blank) is None
    assert real[0].spacing_source in SpacingSource


def test_the_error_names_the_file_and_the_reason(write_scan, tmp_path):
    from mammoscope.core.reading import DomainStatement
    from mammoscope.scans.load import read_scan

    scan = read_scan(write_scan(tmp_path / "L_CC.png"), spacing_um=200)
    said = DomainStatement(verdict="unlike", reasons=("it is odd",), kinds=(), likeness=0.0)
    with pytest.raises(ScanError, match=r"L_CC.png: it is odd; .*--anyway"):
        check_domain(scan, said)
    check_domain(scan, dataclasses.replace(said, verdict="like", reasons=()))
    check_domain(scan, dataclasses.replace(said, verdict="doubtful"))
