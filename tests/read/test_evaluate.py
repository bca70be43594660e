"""A model measured on an archive."""

import json
from dataclasses import replace

import pytest

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import ArchiveError
from mammoscope.core.geometry import Box, MaskFile
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology, SpacingSource
from mammoscope.read.evaluate import digest_of, evaluate, outcome_of


def make_archive(folder, write_scan, patients=24):
    """Every other patient has a spot that is marked; of those, every other one is malignant."""
    scans = []
    for number in range(patients):
        marked = number % 2 == 0
        path = write_scan(folder / f"s{number:02d}.png", spots=((500, 150),) if marked else ())
        finding = Finding(
            finding_id=f"f{number}",
            scan_id=f"s{number:02d}",
            kind=FindingKind.MASS,
            roi=Box(470, 120, 60, 60),
            pathology=Pathology.MALIGNANT if number % 4 == 0 else Pathology.BENIGN,
        )
        scans.append(
            Scan(
                scan_id=f"s{number:02d}",
                archive="made",
                path=path,
                patient_id=f"p{number:02d}",
                exam_id=f"p{number:02d}",
                laterality=Laterality.LEFT,
                spacing_mm=(0.2, 0.2),
                spacing_source=SpacingSource.ARCHIVE,
                findings=(finding,) if marked else (),
            )
        )
    return Archive(name="made", folder=folder, licence="", citation="", records=tuple(scans))


def test_a_model_that_sees_every_spot_scores_perfectly(tmp_path, write_scan, model):
    seen = []
    found = evaluate(
        model,
        make_archive(tmp_path, write_scan),
        resamples=50,
        progress=lambda done, total: seen.append((done, total)),
    )
    json.dumps(found, allow_nan=False)
    assert found["schema"] == "mammoscope.evaluation/1"
    assert set(found) >= {
        "model", "dataset", "counts", "tiles", "scans", "breasts", "patients", "froc",
        "pointing_game", "calibration", "operating_points", "strata", "environment",
    }  # fmt: skip
    assert found["scans"]["auc_finding"]["value"] == 1.0
    # It says the same of every spot, so it cannot tell malignant from benign.
    assert found["scans"]["auc_malignant"]["value"] == 0.5
    assert all(point["sensitivity"]["value"] == 1.0 for point in found["froc"]["points"])
    assert found["pointing_game"]["share"]["value"] == 1.0
    assert found["dataset"]["trained_on"] is True
    assert len(found["dataset"]["digest"]) == 64
    assert seen[-1] == (24, 24)


def test_scans_that_cannot_be_read_are_named_and_count_nowhere(tmp_path, write_scan, model):
    archive = make_archive(tmp_path, write_scan, patients=6)
    (tmp_path / "s00.png").write_bytes(b"broken")
    found = evaluate(model, archive, resamples=50)
    assert list(found["dataset"]["failures"]) == ["s00"]
    assert found["counts"]["scans"] == 5


def test_the_digest_tells_archives_apart_and_not_their_folders(tmp_path, write_scan):
    digests = []
    for name, patients in (("a", 4), ("b", 4), ("c", 5)):
        (tmp_path / name).mkdir()
        digests.append(digest_of(make_archive(tmp_path / name, write_scan, patients).scans()))
    assert digests[0] == digests[1] != digests[2]


def test_the_digest_follows_a_mask_and_not_its_folder(tmp_path, write_scan):
    digests = []
    for name, size in (("a", 10), ("b", 10), ("c", 11)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mask.dcm").write_bytes(bytes(size))
        archive = make_archive(tmp_path / name, write_scan, 2)
        scan = archive.scans()[0]
        marked = replace(scan.findings[0], roi=MaskFile(tmp_path / name / "mask.dcm"))
        digests.append(digest_of([replace(scan, findings=(marked,))]))
    assert digests[0] == digests[1] != digests[2]


def test_films_of_the_training_patients_in_another_archive_count_as_trained_on(
    tmp_path, write_scan, model
):
    contract = replace(model.contract, origin={"archives": "mini-mias, cbis-ddsm-800"})
    trained = replace(model, contract=contract)
    for name, seen in (("ddsm", True), ("mias-50um", True), ("rsna", False)):
        archive = replace(make_archive(tmp_path, write_scan, 2), name=name)
        assert evaluate(trained, archive, resamples=50)["dataset"]["trained_on"] is seen


def test_a_spacing_that_is_given_is_that_of_scans_whose_archive_knows_none(
    tmp_path, write_scan, model
):
    known, unknown = make_archive(tmp_path, write_scan, 2).scans()
    unknown = replace(unknown, spacing_mm=None, spacing_source=None)
    with pytest.raises(ArchiveError, match="give --spacing-um"):
        outcome_of(model, unknown)
    told = outcome_of(model, unknown, spacing_um=300)
    assert (told.spacing_mm, told.strata["spacing_source"]) == ((0.3, 0.3), "user")
    assert outcome_of(model, known, spacing_um=300).spacing_mm == (0.2, 0.2)


def test_limit_takes_the_first_patients(tmp_path, write_scan, model):
    found = evaluate(model, make_archive(tmp_path, write_scan, 6), resamples=50, limit=3)
    assert found["counts"]["patients"] == 3


def test_an_archive_of_which_nothing_can_be_read_is_an_error(tmp_path, write_scan, model):
    archive = make_archive(tmp_path, write_scan, patients=2)
    for scan in archive.scans():
        scan.path.unlink()
    with pytest.raises(ArchiveError, match="no scan of made could be read"):
        evaluate(model, archive)


def test_what_pages_draw_is_there_and_agrees_with_the_figures(tmp_path, write_scan, model):
    found = evaluate(model, make_archive(tmp_path, write_scan, 8), resamples=50)
    curves = found["curves"]["scans: any finding against none"]
    # The spots score .9 and all else next to nothing: both thresholds call right.
    assert [point["confusion"] for point in curves["points"]] == [[[4, 0], [0, 4]]]
    calls = found["at_threshold"]["scans: any finding against none"]
    assert (calls["recall"]["value"], calls["specificity"]["value"]) == (1.0, 1.0)
    assert calls["majority"]["value"] == 0.5
    assert found["threshold"] == {"value": 0.5, "chosen_by": "made", "on_test": False}
    assert {one["error"] for one in found["worst"]} == {"scored low", "scored high"}


def test_a_model_trained_on_the_archive_is_warned_of(tmp_path, write_scan, model):
    archive = make_archive(tmp_path, write_scan, 4)
    warned = evaluate(model, archive, resamples=50)["warnings"]
    assert "was trained on made" in warned[0]
    assert "threshold was chosen by: made" in warned[1]
    other = replace(archive, name="another")
    assert evaluate(model, other, resamples=50)["warnings"] == []


def test_without_a_threshold_or_without_free_scans_nothing_is_called(tmp_path, write_scan, model):
    archive = make_archive(tmp_path, write_scan, 4)
    plain = replace(model, contract=replace(model.contract, operating_point=None))
    found = evaluate(plain, archive, resamples=50)
    assert (found["at_threshold"], found["threshold"]) == (None, None)
    marked = replace(archive, records=tuple(s for s in archive.scans() if s.findings))
    assert evaluate(model, marked, resamples=50)["at_threshold"] is None


def test_scanner_and_age_are_groups_and_lesions_are_calibrated(tmp_path, write_scan, model):
    plain = make_archive(tmp_path, write_scan)
    facts = ({"scanner": "lumisys", "age": "057Y"}, {"scanner": "howtek", "age": "unknown"})
    records = tuple(
        replace(scan, facts=facts[number % 2]) for number, scan in enumerate(plain.records)
    )
    found = evaluate(model, replace(plain, records=records), resamples=50)
    assert set(found["strata"]["scanner"]) == {"lumisys", "howtek"}
    assert set(found["strata"]["age"]) == {"50 to 59"}
    # Every marked spot is hit, so all twelve proven lesions are measured.
    assert found["calibration"]["lesions"]["brier"]["n"] == 12
    assert found["calibration"]["lesions"]["kind"] == "platt"
