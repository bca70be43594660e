"""The paper's tables as packaged: complete, in range, and of networks that exist."""

from pathlib import Path

import pytest

from mammoscope.models import zoo
from mammoscope.studies.paper_tables import CURVES, PR_CURVES, ROWS, rows_of


def test_the_tables_have_as_many_rows_as_the_paper_prints():
    assert [len(rows_of(table)) for table in (1, 2, 3, 4)] == [6, 4, 4, 3]


def test_every_row_has_a_key_of_its_own():
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_every_network_of_a_row_is_in_the_zoo():
    assert all(zoo.facts(row.network).side_px == 299 for row in ROWS)


def test_every_curve_has_a_value_or_none_for_each_epoch_and_epochs_rise():
    for one in CURVES:
        lines = (one.accuracy, one.recall, one.train_accuracy, one.train_recall)
        assert {len(line) for line in lines} == {len(one.epochs)}
        assert sorted(one.epochs) == list(one.epochs)
        assert all(value is None or 0 <= value <= 1 for line in lines for value in line)


def test_the_points_of_figure_five_rise_in_recall_and_fall_in_precision():
    for one in PR_CURVES:
        recall, precision = zip(*one.points, strict=True)
        assert sorted(recall) == list(recall)
        assert sorted(precision, reverse=True) == list(precision)
        assert one.at_half in one.points


@pytest.mark.real
def test_every_figure_of_the_tables_stands_in_the_list_they_were_taken_from(shared_data: Path):
    source = shared_data.parent / "reference" / "paper-tables.md"
    if not source.is_file():
        pytest.skip("the list of the paper's tables is not here")
    lines = source.read_text(encoding="utf-8").splitlines()
    for row in ROWS:
        cells = [
            [cell.strip() for cell in line.split("|")]
            for line in lines
            if line.startswith((f"| {row.model} |", f"| {row.model.lower()} |"))
        ]
        figures = [{float(c) for c in line if c.replace(".", "", 1).isdigit()} for line in cells]
        assert any({row.accuracy, row.recall} <= found for found in figures), row.key
