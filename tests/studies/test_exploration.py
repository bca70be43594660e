"""What an archive holds: counts by hand, summaries, bins, and the page."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.core.errors import ArchiveError, CorruptFileError
from mammoscope.core.geometry import Box, Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.report.exploration_page import make_page, write_exploration_page
from mammoscope.studies.exploration import explore
from mammoscope.studies.exploration_sizes import in_bins, lesion_sizes, summary


def _archive(tmp_path, findings, archive="mini-mias", spacing=(0.2, 0.2), facts=None):
    scans = []
    for number, (roi, pathology) in enumerate(findings):
        made = ()
        if pathology is not None:
            made = (
                Finding(
                    finding_id=f"f{number}",
                    scan_id=f"s{number}",
                    kind=FindingKind.MASS,
                    roi=roi,
                    pathology=pathology,
                    descriptors=("CIRC",),
                ),
            )
        scans.append(
            Scan(
                scan_id=f"s{number}",
                archive=archive,
                path=tmp_path / "s.png",
                patient_id=f"p{number // 2}",
                exam_id=f"e{number // 2}",
                spacing_mm=spacing,
                spacing_source=SpacingSource.ARCHIVE if spacing else None,
                findings=made,
                facts=facts or {},
            )
        )
    return Archive(name=archive, folder=tmp_path, licence="", citation="", records=tuple(scans))


def test_radius_counts_are_those_worked_by_hand(tmp_path):
    findings = [
        (Circle(50, 50, 10), Pathology.BENIGN),
        (Circle(50, 50, 20), Pathology.BENIGN),
        (Circle(50, 50, 45), Pathology.MALIGNANT),
        (None, Pathology.MALIGNANT),
        (None, None),
    ]
    record = explore(_archive(tmp_path, findings))
    assert record["radius"]["edges"] == [0, 20, 40, 60]
    benign, malignant = record["radius"]["groups"]
    assert (benign["counts"], malignant["counts"]) == ([1, 1, 0], [0, 0, 1])
    assert record["radius"]["all"]["mean"] == 25
    assert record["sizes_mm"]["all"]["most"] == pytest.approx(18)
    assert record["counts"]["scans called free of findings"] == 1
    assert record["notes"] == ["Findings without a place, and so without a size: 1."]
    classes = record["tables"][0]
    assert classes["values"] == ["CIRC", "normal"]
    assert [group["counts"] for group in classes["groups"]] == [[0, 1], [2, 0], [2, 0]]


def test_a_shrunk_picture_is_measured_in_pixels_of_its_film(tmp_path):
    facts = {"film_rows": "2990", "film_columns": "598"}
    archive = _archive(
        tmp_path, [(Box(0, 0, 10, 20), Pathology.BENIGN)], "ddsm-299", (0.5, 0.1), facts
    )
    (size,) = lesion_sizes(archive)
    assert size.longest_px == pytest.approx(100)
    assert size.longest_mm == pytest.approx(5)


def test_a_shrunk_picture_of_unknown_film_size_has_no_size_in_pixels(tmp_path):
    archive = _archive(tmp_path, [(Box(0, 0, 9, 9), Pathology.BENIGN)], "cbis-ddsm-800")
    assert lesion_sizes(archive)[0].longest_px is None


def test_mini_mias_has_no_sizes_on_the_full_film_for_its_pictures_were_shrunk(tmp_path):
    record = explore(_archive(tmp_path, [(Circle(50, 50, 10), Pathology.BENIGN)]))
    assert record["sizes_px"] is None
    assert record["radius"]["all"]["mean"] == 10


def test_an_archive_without_scans_is_refused(tmp_path):
    empty = Archive(name="uci", folder=tmp_path, licence="", citation="", records=())
    with pytest.raises(ArchiveError, match="uci holds no scans"):
        explore(empty)


def test_findings_that_are_neither_benign_nor_malignant_are_told(tmp_path):
    archive = _archive(tmp_path, [(Box(0, 0, 9, 9), Pathology.HIGH_RISK)])
    (note,) = explore(archive)["notes"]
    assert "not known to be benign or malignant: 1;" in note


def test_an_archive_without_findings_has_counts_and_no_sizes(tmp_path):
    record = explore(_archive(tmp_path, [(None, None), (None, None)]))
    assert record["radius"] is record["sizes_mm"] is record["sizes_px"] is None
    assert make_page(record).drawings


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=40))
def test_a_summary_is_numpys_and_bins_are_its_histogram(values):
    told = summary(values)
    assert told["mean"] == pytest.approx(np.mean(values))
    assert told["deviation"] == pytest.approx(np.std(values, ddof=1))
    assert told["median"] == pytest.approx(np.median(values))
    edges = np.arange(0, 1200, 100.0)
    assert in_bins(values, edges) == np.histogram(values, edges)[0].tolist()


def test_nothing_cannot_be_summarised():
    with pytest.raises(ValueError, match="nothing to summarise"):
        summary([])


def test_another_record_is_refused_by_the_page(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"schema": "mammoscope.seeds/1"}))
    with pytest.raises(CorruptFileError, match=r"mammoscope\.exploration/1"):
        write_exploration_page(tmp_path / "r.json", tmp_path / "p.html")


@pytest.mark.real
def test_the_shared_part_of_mias_has_the_classes_that_its_description_counts(shared_data):
    record = explore(open_archive("mini-mias", shared_data / "mini-mias"))
    kinds = next(one for one in record["tables"] if one["title"] == "Kinds of findings")
    told = {
        g["name"]: dict(zip(kinds["values"], g["counts"], strict=True)) for g in kinds["groups"]
    }
    # README of the shared data: B: CIRC 18, MISC 6, SPIC 8 are masses; CALC 7; M: 3, 6, 6; 11.
    assert told["benign"] == {
        "architectural distortion": 8, "asymmetry": 6, "calcification": 7, "mass": 32,
    }  # fmt: skip
    assert told["malignant"] == {
        "architectural distortion": 8, "asymmetry": 9, "calcification": 11, "mass": 15,
    }  # fmt: skip
    assert record["counts"]["scans called free of findings"] == 165
    assert (record["radius"]["all"]["least"], record["radius"]["all"]["most"]) == (3, 197)
