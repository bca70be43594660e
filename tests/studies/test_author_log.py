"""The author's run log: what is read of it, and what a damaged or missing file says."""

from pathlib import Path

import pytest

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.studies.author_log import read_author_log
from mammoscope.studies.mixups import CONFIRMED, MIXUPS, NOT_CHECKED, check

SUMMARY = (
    "Model,Classification,Dataset,XE Weight,Initialization,Layers,Epochs,Baseline,Test Accuracy,"
    "Test Recall,MIAS Acc,MIAS Recall,Notes\n"
    "1.0.0.29l.8,L,8,2,Scratch,All,35,0.8333,0.889,0.9092,,0.9781,Unstable\n"
)
GRID = "Threshold,Contrast,Test Acc,Test Re,MIAS Acc,MIAS Re\n0.2,1,0.9412,0.9786,0.7371,0.9405\n"


@pytest.fixture
def author(shared_data: Path) -> Path:
    folder = shared_data.parent / "reference" / "author"
    if not folder.is_dir():
        pytest.skip("the author's files are not here")
    return folder


def test_a_row_of_the_summary_becomes_a_run_and_an_empty_cell_none(tmp_path):
    (tmp_path / "ddsm_results.csv").write_text(SUMMARY)
    log = read_author_log(tmp_path)
    (run,) = log.summary
    assert (run.model, run.recipe, run.binary, run.weight) == ("1.0.0.29l.8", "8", False, 2.0)
    assert (run.test_accuracy, run.mias_accuracy, run.mias_recall) == (0.889, None, 0.9781)
    assert run.where == "ddsm_results.csv, row 2"


def test_files_that_are_not_there_are_named_and_the_rest_is_read(tmp_path):
    (tmp_path / "eval_results.csv").write_text(GRID)
    log = read_author_log(tmp_path)
    assert log.missing == ("model_notes.xlsx", "ddsm_results.csv", "Results.xlsx")
    assert log.grid[0].mias_recall == 0.9405


def test_a_folder_without_any_of_the_files_is_refused_by_name(tmp_path):
    with pytest.raises(MissingFileError, match=r"none of the author's files.*model_notes\.xlsx"):
        read_author_log(tmp_path)


def test_a_table_without_a_column_is_refused_naming_the_column(tmp_path):
    (tmp_path / "eval_results.csv").write_text(GRID.replace("MIAS Re", "something"))
    with pytest.raises(CorruptFileError, match="no column 'MIAS Re'"):
        read_author_log(tmp_path)


def test_a_cell_that_is_no_number_is_refused_naming_the_row(tmp_path):
    (tmp_path / "eval_results.csv").write_text(GRID.replace("0.9405", "high"))
    with pytest.raises(CorruptFileError, match="row 2: expected six numbers"):
        read_author_log(tmp_path)


def test_a_workbook_that_is_none_is_refused_by_name(tmp_path):
    pytest.importorskip("python_calamine", reason="extra `excel`")
    (tmp_path / "model_notes.xlsx").write_bytes(b"PK not a workbook")
    with pytest.raises(CorruptFileError, match=r"model_notes\.xlsx: cannot be read"):
        read_author_log(tmp_path)


def test_a_summary_alone_cannot_contradict_a_stage_of_the_log_it_does_not_hold(tmp_path):
    (tmp_path / "ddsm_results.csv").write_text(SUMMARY)
    log = read_author_log(tmp_path)
    words = {check(one, log) for one in MIXUPS if not one.looks}
    assert words == {NOT_CHECKED}


@pytest.mark.real
def test_the_authors_files_hold_the_rows_that_their_description_counts(author):
    pytest.importorskip("python_calamine", reason="extra `excel`")
    log = read_author_log(author)
    # A1:Z89 is a heading and 88 rows; the csv has 19 runs, the grid 24 points, the k-NN 15 rows.
    assert (len(log.runs), len(log.summary), len(log.grid), len(log.neighbours)) == (88, 19, 24, 15)
    assert not log.missing


@pytest.mark.real
def test_every_mixup_that_is_a_figure_of_the_log_is_found_in_it(author):
    pytest.importorskip("python_calamine", reason="extra `excel`")
    log = read_author_log(author)
    assert {check(one, log) for one in MIXUPS if one.looks} == {CONFIRMED}


@pytest.mark.real
def test_the_packaged_nearest_neighbours_are_those_of_the_authors_sheet(author):
    pytest.importorskip("python_calamine", reason="extra `excel`")
    from mammoscope.studies.neighbours import PUBLISHED

    rows = [
        (one.neighbours, one.power, one.validation, one.accuracy, one.recall)
        for one in read_author_log(author).neighbours
    ]
    keys = ("k", "power", "validation", "accuracy", "recall")
    assert rows == [tuple(one[key] for key in keys) for one in PUBLISHED]
