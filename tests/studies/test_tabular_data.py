"""UCI's tables as questions: who is censored, who belongs together, what may be used."""

from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl
import pytest

from mammoscope.archives import uci
from mammoscope.archives.archive import Archive
from mammoscope.archives.uci_columns import TABLES
from mammoscope.core.errors import AnnotationError, LayoutError
from mammoscope.studies.tabular_data import (
    ALONE,
    MASS,
    WDBC,
    WISCONSIN,
    WITH,
    WITHOUT,
    WPBC,
    questions_of,
    recurrence_by,
    refuse_small,
)


def archive_of(**tables):
    by_name = {name.replace("_", "-"): table for name, table in tables.items()}
    return Archive(
        name="uci",
        folder=Path("here"),
        licence="",
        citation="",
        records=(),
        tables=MappingProxyType(by_name),
    )


def follow_up(outcomes, months):
    """Patients of WPBC, every measure 1."""
    n = len(outcomes)
    numbers = {c.name: [1.0] * n for c in TABLES[WPBC].columns if c.role == "feature"}
    return pl.DataFrame(
        {
            "sample_id": range(n),
            "outcome": ["recurrent" if one == "R" else "nonrecurrent" for one in outcomes],
            "time_months": months,
            **numbers,
        }
    )


def masses(rows):
    names = [column.name for column in TABLES[MASS].columns]
    types = {column.name: column.dtype for column in TABLES[MASS].columns}
    return pl.DataFrame(rows, schema={name: types[name] for name in names}, orient="row")


SHAPES = ("round", "circumscribed", "low")


def plain_masses():
    return [(4, 40 + i, *SHAPES, "malignant" if i % 2 else "benign") for i in range(12)]


def test_patients_without_recurrence_and_less_than_24_months_are_left_out():
    months = [10, 24, 25, 60] * 5 + [23, 24, 60] * 5
    question = questions_of(archive_of(wpbc=follow_up("RRRR" * 5 + "NNN" * 5, months)))[0]
    assert question.truth.tolist() == [True, True, False, False] * 5 + [False] * 10
    assert "5 of 35 patients were followed for less than 24 months" in question.told[0]


def test_kaplan_meier_is_that_of_a_worked_example():
    # At risk 5, 4, 2: 1 - (1 - 1/5)(1 - 1/4)(1 - 1/2) = .7; the patient censored at 7 counts until.
    share = recurrence_by(follow_up("RRNRN", [3, 5, 7, 9, 30]), 24)
    assert share.value == pytest.approx(0.7)
    # log(-log) interval by hand: variance 1/20 + 1/12 + 1/2 = .6333, log(.3) = -1.20397.
    assert share.low == pytest.approx(1 - 0.3 ** np.exp(-1.959964 * 0.6333333**0.5 / 1.2039728))
    assert share.low < share.value < share.high


def test_kaplan_meier_without_censoring_is_the_plain_share():
    share = recurrence_by(follow_up("RRRRNNNNNN", [1, 2, 3, 40, *[50] * 6]), 24)
    assert share.value == pytest.approx(0.3)


def test_ids_and_parts_of_the_outcome_are_never_measures():
    wpbc = follow_up("R" * 6 + "N" * 6, [5] * 6 + [40] * 6)
    (question,) = questions_of(archive_of(wpbc=wpbc))
    assert not {"sample_id", "time_months", "outcome"} & set(question.measures)
    assert len(question.measures) == 32


def test_a_category_has_a_column_for_each_code_and_none_for_what_is_missing():
    rows = [(5, 60, "oval", None, "iso", "malignant"), *plain_masses()]
    without = questions_of(archive_of(mammographic_mass=masses(rows)))[0]
    cell = dict(zip(without.columns, without.values[0], strict=True))
    assert [cell[f"shape: {code}"] for code in ("round", "oval", "lobular", "irregular")] == [
        0, 1, 0, 0,
    ]  # fmt: skip
    assert sum(value for name, value in cell.items() if name.startswith("margin: ")) == 0


def test_incomplete_assessments_are_missing_and_no_rank():
    rows = [(0, 60, *SHAPES, "malignant"), *plain_masses()]
    alone = questions_of(archive_of(mammographic_mass=masses(rows)))[2]
    assert alone.name == ALONE
    assert np.isnan(alone.values[0, 0])
    assert set(alone.values[1:, 0]) == {4}


def test_equal_masses_are_one_group_whatever_became_of_them():
    rows = [(4, 70, *SHAPES, "benign"), (4, 70, *SHAPES, "malignant"), *plain_masses()]
    for question in questions_of(archive_of(mammographic_mass=masses(rows))):
        assert question.groups[0] == question.groups[1]
        assert len(set(question.groups)) == 13


def test_the_three_questions_of_masses_have_the_same_rows_and_groups():
    asked = questions_of(archive_of(mammographic_mass=masses(plain_masses())))
    assert [question.name for question in asked] == [WITHOUT, WITH, ALONE]
    assert "assessment" not in asked[0].measures
    assert len({question.groups for question in asked}) == 1


def test_a_table_with_too_few_of_a_class_is_named():
    few = archive_of(wpbc=follow_up("R" * 9 + "N" * 99, [5] * 9 + [40] * 99))
    (question,) = questions_of(few)
    with pytest.raises(AnnotationError, match=r"wpbc\.data: expected 10 .* within 24 .*, found 9"):
        refuse_small(few, question)


def test_a_table_with_too_few_rows_is_named():
    few = archive_of(wpbc=follow_up("R" * 20 + "N" * 79, [5] * 20 + [40] * 79))
    (question,) = questions_of(few)
    with pytest.raises(AnnotationError, match=r"wpbc\.data: expected 100 rows .* found 99"):
        refuse_small(few, question)


def test_an_archive_without_any_of_the_tables_is_refused():
    with pytest.raises(LayoutError, match=r"wdbc\.data"):
        questions_of(archive_of(other=pl.DataFrame({"a": [1]})))


@pytest.mark.real
def test_the_real_tables_have_the_counts_that_their_keepers_state(shared_data):
    asked = {one.name: one for one in questions_of(uci.read(shared_data / "uci"))}
    # wdbc.names: 357 benign, 212 malignant; breast-cancer-wisconsin.names: 458 and 241;
    # mammographic_masses.names: benign 516, malignant 445.
    counts = {name: (int(one.truth.sum()), len(one.truth)) for name, one in asked.items()}
    assert counts[WDBC] == (212, 569)
    assert counts[WISCONSIN] == (241, 699)
    assert counts[MASS] == (445, 961)
    # The paper's notebook draws no early recurrence below a worst radius of 17.
    early = asked[WPBC].values[asked[WPBC].truth]
    assert early[:, asked[WPBC].columns.index("radius_worst")].min() >= 17
    assert counts[WPBC][0] == 29
