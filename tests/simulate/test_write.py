"""Whole simulated archives: read back, they hold what was put in, and the defects that were."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import BadValueError, CorruptFileError, UnknownNameError
from mammoscope.core.geometry import Circle
from mammoscope.core.vocabulary import FindingKind
from mammoscope.formats.masks import mask_of
from mammoscope.scans.load import SMALLEST_SIDE_PX
from mammoscope.simulate import write
from mammoscope.simulate.defects import fewest_patients, plant_defects
from mammoscope.simulate.plan import Plan, Written
from mammoscope.simulate.truth import Truth, load_mask, read_truth, truth_folder
from mammoscope.simulate.write import carry_out, write_archive

NAMES = ("ddsm", "cbis-ddsm", "mini-mias", "dicom")


def plan_of(name, patients=None):
    spacing_mm = None if name == "mini-mias" else 0.3
    count = patients or fewest_patients(name)
    return Plan(name=name, patients=count, seed=7, spacing_mm=spacing_mm, workers=1)


@pytest.fixture(scope="module", params=NAMES)
def made(request, tmp_path_factory):
    """A sound simulated archive: its name, folder and truth."""
    folder = tmp_path_factory.mktemp("simulated") / request.param
    return request.param, folder, carry_out(plan_of(request.param), folder)


@pytest.fixture(scope="module")
def archive(made):
    """The same folder as its reader sees it, which is told by what lies there."""
    return open_archive(made[1])


@pytest.fixture(scope="module")
def found(made, archive):
    """The records that the archive's reader makes, each with its truth."""
    scans = {s.path.relative_to(archive.folder).as_posix(): s for s in archive.scans()}
    return [(scans[true.file], true) for true in made[2].scans]


def test_the_archive_is_recognised(made, archive):
    assert archive.name == made[0]


def test_every_scan_that_was_made_is_found_and_no_other(made, archive, found):
    name, _, truth = made
    assert len(found) == len(archive.scans()) == len(truth.scans)
    assert len(archive.patients()) == plan_of(name).patients


def test_scans_are_found_with_their_facts(made, found):
    for scan, true in found:
        assert (scan.patient_id, scan.exam_id) == (true.patient_id, true.exam_id)
        assert (scan.laterality, scan.view) == (true.laterality, true.view)
        # CBIS-DDSM publishes no size of a pixel.
        if made[0] != "cbis-ddsm":
            assert scan.spacing_mm == pytest.approx((true.spacing_mm, true.spacing_mm))


def test_scans_without_findings_are_normal_only_where_the_archive_says_so(made, found):
    if made[0] in ("dicom", "cbis-ddsm"):
        assert not any(true.normal for _, true in found)
        return
    for scan, true in found:
        assert (scan.normal_ground is not None) == true.normal
        assert (scan.findings == ()) == true.normal


def test_findings_are_found_with_their_words(made, found):
    name = made[0]
    if name == "dicom":
        assert all(scan.findings is None for scan, _ in found)
        return
    for scan, true in found:
        assert len(scan.findings or ()) == len(true.findings)
        for finding, real in zip(scan.findings or (), true.findings, strict=True):
            assert (finding.kind, finding.pathology) == (real.kind, real.pathology)
            said = " ".join(finding.descriptors)
            assert all(word in said for word in real.words if word != "N/A")
            if name != "mini-mias":
                assert (finding.assessment, finding.subtlety) == (real.assessment, real.subtlety)
                assert real.outcome in finding.descriptors


def test_places_of_findings_are_those_that_were_made(made, found):
    name, folder, truth = made
    count = 0
    for scan, true in found:
        # A folder of DICOM files says nothing about findings.
        reals = () if name == "dicom" else true.findings
        for finding, real in zip(scan.findings or (), reals, strict=True):
            count += 1
            if name == "mini-mias":
                assert finding.roi == Circle(*real.circle_px)
                continue
            mask = load_mask(truth_folder(folder), real.mask)
            assert np.array_equal(mask_of(finding.roi, true.shape_px), mask)
            top, left, height, width = real.box_px
            assert mask[top : top + height, left : left + width].sum() == mask.sum() > 0
    made_findings = sum(len(scan.findings) for scan in truth.scans)
    assert made_findings > 0
    assert count == (0 if name == "dicom" else made_findings)


def test_a_check_of_a_sound_archive_says_nothing(archive):
    assert archive.check(workers=1) == ()


def test_a_check_finds_exactly_the_planted_defects(made, tmp_path):
    name, folder, truth = made
    copy = tmp_path / name
    shutil.copytree(folder, copy)
    defects, scans = plant_defects(plan_of(name), copy, truth.scans)
    problems = open_archive(name, copy).check(workers=1)
    said = [f"{p.where} {p.what}".replace(f"{copy.resolve()}/", "") for p in problems]
    for defect in defects:
        assert any(names(defect, text) for text in said), f"not found: {defect}"
    for text in said:
        assert any(names(defect, text) for defect in defects), f"not planted: {text}"
    absent = {defect.file for defect in defects if defect.kind == "missing scan"}
    there = {scan.file for scan in scans if (copy / scan.file).is_file()}
    assert there == {scan.file for scan in scans} - absent


def names(defect, text):
    return any(word in text for word in (defect.file, *defect.also))


def test_every_scan_is_large_enough_to_be_read(made):
    for scan in made[2].scans:
        assert min(scan.shape_px) >= SMALLEST_SIDE_PX


def test_the_truth_is_read_back_as_it_was(made):
    assert read_truth(truth_folder(made[1])) == made[2]


def test_nothing_temporary_is_left(made):
    _, folder, _ = made
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f"{folder.name}.truth"}


def test_masses_and_calcifications_are_both_there(made):
    kinds = {finding.kind for scan in made[2].scans for finding in scan.findings}
    # Two patients are too few for plain DICOM's turn of kinds.
    assert FindingKind.MASS in kinds
    assert FindingKind.CALCIFICATION in kinds or made[0] == "dicom"


def fake_patient(job):
    """Write what a patient's generator draws first, instead of scans."""
    text = str(job.generator().integers(1 << 60))
    (job.folder / f"{job.index}.txt").write_text(text)
    return Written(scans=())


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setitem(write.WRITERS, "ddsm", fake_patient)


def drawn(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_each_patient_has_a_seed_of_its_own(quick, tmp_path):
    write_archive("ddsm", tmp_path / "a", patients=1, seed=1)
    carry_out(replace(plan_of("ddsm", 3), seed=1), tmp_path / "b")
    carry_out(replace(plan_of("ddsm", 3), seed=2), tmp_path / "c")
    one, three, other = (drawn(tmp_path / name) for name in "abc")
    assert len(set(three.values())) == 3
    assert one["0.txt"] == three["0.txt"] != other["0.txt"]


@pytest.mark.slow
@pytest.mark.parametrize("made", ["dicom"], indirect=True)
def test_several_processes_give_the_same_files_as_one(made, tmp_path):
    told = []
    plan = replace(plan_of("dicom", 2), workers=2)
    shared = carry_out(plan, tmp_path / "two", lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)]
    # A patient's files do not depend on how many others there are, either.
    _, folder, alone = made
    assert shared.scans == alone.scans[: len(shared.scans)]
    for scan in shared.scans:
        assert (folder / scan.file).read_bytes() == (tmp_path / "two" / scan.file).read_bytes()


def test_progress_is_told_after_each_patient(quick, tmp_path):
    told = []
    carry_out(plan_of("ddsm", 3), tmp_path / "a", lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_folder_that_holds_something_is_refused_and_left_alone(quick, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadValueError, match="something is there already"):
        write_archive("ddsm", tmp_path, patients=1, seed=1)
    assert drawn(tmp_path) == {"mine.txt": "mine"}


def test_an_older_truth_beside_the_folder_is_not_overwritten(quick, tmp_path):
    (tmp_path / "a.truth").mkdir()
    (tmp_path / "a.truth" / "mine.txt").write_text("mine")
    with pytest.raises(BadValueError, match=r"a\.truth: something is there already"):
        write_archive("ddsm", tmp_path / "a", patients=1, seed=1)
    assert not (tmp_path / "a").exists()


def test_an_empty_folder_is_filled(quick, tmp_path):
    (tmp_path / "a").mkdir()
    write_archive("ddsm", tmp_path / "a", patients=1, seed=1)
    assert drawn(tmp_path / "a").keys() == {"0.txt"}


def test_a_simulation_that_fails_leaves_nothing(monkeypatch, tmp_path):
    def fail(job):
        (job.folder / "half.txt").write_text("half")
        raise OSError("the disk is full")

    monkeypatch.setitem(write.WRITERS, "ddsm", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_archive("ddsm", tmp_path / "a", patients=1, seed=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"patients": 0}, "needs 1 to 999 patients, not 0"),
        ({"patients": 1000}, "needs 1 to 999 patients, not 1000"),
        ({"patients": 3, "defects": True}, "to hold all defects needs 4 to 999 patients, not 3"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"spacing_mm": 0.001}, "pixel of 1 micrometres"),
        ({"spacing_mm": 0.9}, "choose 30 to 300"),
        ({"defects": True, "layout": "uid"}, "in the layout 'classic' only"),
        ({"name": "mini-mias", "spacing_mm": 0.1}, "pixels of 200 micrometres by definition"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_the_reason(change, sentence, tmp_path):
    plan = replace(plan_of("ddsm"), **change)
    with pytest.raises(BadValueError, match=sentence):
        carry_out(plan, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_archive_is_refused_with_the_near_names(tmp_path):
    with pytest.raises(UnknownNameError, match="mini-mias"):
        write_archive("mias", tmp_path / "a", patients=1, seed=1)


def test_a_damaged_truth_is_refused(tmp_path):
    truth = Truth(archive="ddsm", seed=1, patients=1, spacing_mm=None, scans=())
    (tmp_path / "truth.json").write_text(truth.to_json().replace("simulated/1", "simulated/9"))
    with pytest.raises(CorruptFileError, match="simulated/9"):
        read_truth(tmp_path)
    (tmp_path / "truth.json").write_text(truth.to_json()[:-40])
    with pytest.raises(CorruptFileError, match="simulate the archive again"):
        read_truth(tmp_path)


def test_the_truth_says_at_its_head_what_it_is():
    truth = Truth(archive="ddsm", seed=1, patients=1, spacing_mm=None, scans=())
    stored = json.loads(truth.to_json())
    assert list(stored)[:2] == ["schema", "notice"]
    assert stored["schema"] == "mammoscope.simulated/1"
    assert stored["notice"].startswith("SIMULATED")
