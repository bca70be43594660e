"""Made folders of archives: tables as published, pictures that are only there."""

import csv

import pytest

HEADING = "MAMMOGRAPHIC IMAGE ANALYSIS SOCIETY\n\nNOTES\n=====\n1) pairs of films\n\n=====\n\n"
FOOT = "\n=====\n"


@pytest.fixture
def make_mias(tmp_path):
    """Make a mini-MIAS folder of the given lines, with the named scans as empty files."""

    def make(*lines, scans=("scans/mdb001.png",), line_end="\n", coding="utf-8"):
        text = HEADING + "\n".join(lines) + FOOT
        (tmp_path / "Info.txt").write_bytes(text.replace("\n", line_end).encode(coding))
        for scan in scans:
            path = tmp_path / scan
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return make


CBIS_ROW = {
    "file": "train/00001_LEFT_CC.jpg",
    "split": "train",
    "patient_id": "P_00001",
    "side": "LEFT",
    "view": "CC",
    "pathologies": "MALIGNANT",
    "assessment": "4",
    "breast_density": "3",
    "mass_shape": "OVAL",
    "mass_margins": "SPICULATED",
    "subtlety": "4",
    "boxes_xywh_800": "[[70, 400, 100, 80]]",
    "rows_full": "4800",
    "columns_full": "3200",
    "spacing_um": "50.00",
    "spacing_from": "ddsm ics",
    "ddsm_case": "cancer_15/B_3085",
}


@pytest.fixture
def make_cbis(tmp_path):
    """Make a folder of CBIS-DDSM masses; each argument changes the row above."""

    def make(*changes, pictures=True):
        rows = [{**CBIS_ROW, **change} for change in changes]
        with (tmp_path / "labels.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, CBIS_ROW)
            writer.writeheader()
            writer.writerows(rows)
        for row in rows if pictures else ():
            path = tmp_path / row["file"]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    return make
