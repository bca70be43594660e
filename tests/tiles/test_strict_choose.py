"""Normal tiles of a strict set, balanced by archive, scanner and density."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import ArchiveError
from mammoscope.tiles.strict_choose import STRATA, balanced
from mammoscope.tiles.tile import NORMAL

COLUMNS = {
    "archive": pl.String,
    "scanner": pl.String,
    "breast_density": pl.String,
    "label": pl.String,
    "origin": pl.String,
    "lot": pl.Float64,
}


def make_table(rows):
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def lesion(archive="a", scanner="x", density="1"):
    return (archive, scanner, density, "BENIGN_mass", "lesion", 0.0)


def normal(lot, archive="a", scanner="x", density="1", origin="normal"):
    return (archive, scanner, density, NORMAL, origin, lot)


def chosen(rows, per_abnormal=1.0):
    return balanced(make_table(rows), 0, normals_per_abnormal=per_abnormal).to_list()


def test_each_stratum_keeps_as_many_normal_tiles_as_lesions_those_of_the_smallest_lots():
    rows = [normal(0.9), lesion(), normal(0.1), lesion(density="2"), normal(0.5, density="2")]
    assert chosen(rows) == [False, True, True, True, True]


def test_a_stratum_without_lesions_would_tell_the_label_and_is_left_out():
    rows = [lesion(), normal(0.5), normal(0.1, archive="b"), normal(0.2, scanner="y")]
    assert chosen(rows) == [True, True, False, False]


def test_unknown_scanners_and_densities_are_a_stratum_of_their_own():
    rows = [lesion(scanner=None), normal(0.5, scanner=None), normal(0.1, scanner="y")]
    assert chosen(rows) == [True, True, False]


def test_half_of_the_normal_tiles_are_the_hardest_negatives_and_the_rest_a_fair_draw():
    hard = [normal(lot, origin="negative") for lot in (0.3, 0.05, 0.1)]
    easy = [normal(lot) for lot in (0.9, 0.6, 0.7)]
    assert chosen([*[lesion()] * 4, *hard, *easy]) == [
        *[True] * 4,
        *[False, True, True],
        *[False, True, True],
    ]


def test_an_odd_wish_goes_to_hard_negatives_and_is_not_exceeded():
    rows = [lesion(), normal(0.1, origin="negative"), normal(0.2)]
    assert chosen(rows) == [True, True, False]


def test_a_set_without_lesions_or_without_normal_tissue_of_their_origin_is_refused():
    with pytest.raises(ArchiveError, match="No scan gave a tile with a proven finding"):
        chosen([normal(0.5)])
    with pytest.raises(ArchiveError, match="the origin alone would tell the label"):
        chosen([lesion(), normal(0.5, archive="b")])


def test_lesions_alone_stay_where_no_normal_tissue_was_wanted_or_found():
    assert chosen([lesion(), lesion()]) == [True, True]
    assert chosen([lesion(), normal(0.5)], per_abnormal=0.0) == [True, False]


strata = st.tuples(st.sampled_from("ab"), st.sampled_from(["x", None]), st.sampled_from("12"))
lots = st.floats(0, 1, exclude_max=True)
rows = st.lists(
    st.one_of(
        strata.map(lambda s: lesion(*s)),
        st.tuples(lots, strata, st.sampled_from(["normal", "negative"])).map(
            lambda t: normal(t[0], *t[1], origin=t[2])
        ),
    ),
    max_size=60,
)


@given(rows, st.sampled_from([0.5, 1.0, 3.0]), st.randoms())
@settings(max_examples=50, deadline=None)
def test_all_lesions_stay_and_normal_tiles_are_as_many_as_wanted_or_as_there_are(
    rows, per_abnormal, rng
):
    rows = [*rows, lesion("z"), lesion("z"), normal(0.5, "z")]
    rng.shuffle(rows)
    table = make_table(rows).with_columns(keep=pl.Series(chosen(rows, per_abnormal)))
    assert table.filter(pl.col("label") != NORMAL)["keep"].all()
    for _, its in table.group_by(STRATA):
        lesions = its.filter(pl.col("label") != NORMAL).height
        hard = its.filter(origin="negative").height
        easy = its.filter(origin="normal").height
        wanted = round(lesions * per_abnormal)
        most_hard = -(-wanted // 2)
        expected = min(hard, most_hard)
        expected += min(easy, wanted - expected)
        assert its.filter(pl.col("keep") & (pl.col("label") == NORMAL)).height == expected
