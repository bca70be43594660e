"""What CBIS-DDSM's tables say against each other."""

from pathlib import Path

import pytest

from mammoscope.archives import cbis_checks
from mammoscope.archives.cbis_checks import check_rows, patients_in_both_parts
from mammoscope.archives.cbis_tables import Series, TableRow
from mammoscope.core.vocabulary import Assessment, Pathology
from mammoscope.formats.cbis_spacing import CbisMatch


def row(name: str, density: str | None = "2", line: int = 2) -> TableRow:
    kind_part, patient = name.split("_", 1)
    return TableRow(
        where=f"{name[:4]}.csv, line {line}",
        series=Series(*kind_part.split("-"), patient, line - 1),
        density=density,
        assessment=Assessment.SUSPICIOUS,
        pathology=Pathology.BENIGN,
        subtlety=3,
        descriptors=(),
    )


def whats(*rows: TableRow, here: bool = True) -> list[str]:
    by_scan: dict[str, list[TableRow]] = {}
    for each in rows:
        by_scan.setdefault(each.series.scan_id, []).append(each)
    files = {name: (Path("x.dcm"),) for each in rows for name in (each.scan, each.series)}
    return [problem.what for problem in check_rows(by_scan, files if here else {})]


def test_rows_and_files_that_agree_are_no_problem():
    assert whats(row("Mass-Test_P_90001_LEFT_CC"), row("Mass-Test_P_90001_LEFT_CC", line=3)) == []


def test_several_densities_of_one_scan_are_told():
    (what,) = whats(
        row("Mass-Test_P_90001_LEFT_CC", "2"),
        row("Calc-Test_P_90001_LEFT_CC", "3"),
        row("Calc-Test_P_90001_LEFT_CC", None, line=3),
    )

    assert what == "P_90001_LEFT_CC has several breast densities: 2, 3"


def test_patients_in_both_parts_are_those_of_two_parts_on_any_scan():
    rows = {
        "P_90001_LEFT_CC": [row("Mass-Test_P_90001_LEFT_CC")],
        "P_90001_RIGHT_CC": [row("Calc-Training_P_90001_RIGHT_CC")],
        "P_90002_LEFT_CC": [row("Mass-Test_P_90002_LEFT_CC"), row("Calc-Test_P_90002_LEFT_CC")],
    }

    assert patients_in_both_parts(rows) == ["P_90001"]


def test_two_ids_of_one_person_of_ddsm_are_told(monkeypatch: pytest.MonkeyPatch):
    def match(scan_id: str) -> CbisMatch:
        volume = "cancer_08" if scan_id.startswith("P_90001") else "benign_05"
        return CbisMatch(
            scan=scan_id, ddsm_case=f"{volume}/A_1500", film=None, masses=0, calcifications=0
        )

    monkeypatch.setattr(cbis_checks, "match_of", match)
    (what,) = whats(row("Mass-Test_P_90001_LEFT_CC"), row("Mass-Test_P_90002_LEFT_CC"))

    assert what == "P_90001, P_90002 are one person, DDSM's A_1500"


def test_nothing_fetched_of_a_table_is_told_once():
    assert whats(
        row("Mass-Test_P_90001_LEFT_CC"), row("Mass-Test_P_90002_LEFT_CC"), here=False
    ) == ["none of the 2 scans that it names is here"]
