"""Which candidates stay."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.tiles.choose import SmallestLots, choose_smallest_lots, normals_to_keep

LOTS = st.lists(st.sampled_from([n / 16 for n in range(16)]) | st.floats(0, 1, exclude_max=True))


def table(labels, lots):
    return pl.DataFrame({"label": labels, "lot": lots}, schema={"label": str, "lot": float})


def test_normals_of_the_smallest_lots_stay_beside_all_abnormal_ones():
    made = table(
        ["NORMAL", "BENIGN_mass", "NORMAL", "NORMAL", "NORMAL", "MALIGNANT_mass"],
        [0.5, 0.9, 0.1, 0.7, 0.2, 0.0],
    )
    # 1.5 normals for each of two abnormal tiles are three: those of 0.1, 0.2 and 0.5.
    chosen = choose_smallest_lots(made, 1.5)
    assert chosen.tolist() == [True, True, True, False, True, True]


def test_of_equal_lots_the_earlier_row_is_taken():
    made = table(["NORMAL", "NORMAL", "BENIGN_mass", "NORMAL"], [0.5, 0.5, 0.0, 0.5])
    assert choose_smallest_lots(made, 2).tolist() == [True, True, True, False]


def test_without_a_number_all_stay():
    assert choose_smallest_lots(table(["NORMAL", "BENIGN_mass"], [0.5, 0.5]), None).all()


@pytest.mark.parametrize(
    ("abnormal", "per_abnormal", "normals"), [(0, 5, 0), (3, 5, 15), (3, 0.5, 1), (1, 0, 0)]
)
def test_how_many_normals_stay(abnormal, per_abnormal, normals):
    assert normals_to_keep(abnormal, per_abnormal) == normals


@given(lots=LOTS, normals=st.integers(0, 6))
def test_what_a_limit_leaves_out_is_never_among_the_chosen(lots, normals):
    kept = SmallestLots(normals)
    passed = []
    for place, lot in enumerate(lots):
        limit = kept.limit()
        if limit is None or lot <= limit.lot:
            passed.append(place)
            kept.add([lot])
    every = table(["NORMAL"] * len(lots) + ["BENIGN_mass"], [*lots, 0.0])
    few = table(["NORMAL"] * len(passed) + ["BENIGN_mass"], [*(lots[p] for p in passed), 0.0])
    of_all = np.flatnonzero(choose_smallest_lots(every, normals)[:-1]).tolist()
    of_few = [passed[i] for i in np.flatnonzero(choose_smallest_lots(few, normals)[:-1])]
    assert of_few == of_all
