"""The author's own division: its counts, its halves, and that it leaks."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import BadValueError
from mammoscope.tiles.faithful import (
    all_test,
    choose_extras,
    choose_faithfully,
    divide_faithfully,
    expected_counts,
)


def findings(part, table, count, tiles=3, first=1, pathology="BENIGN"):
    """`count` findings of CBIS-DDSM, each on a scan of its own, with `tiles` tiles each."""
    kind = "calcification" if table == "calc" else "mass"
    return [
        {
            "scan_id": f"P_{first + number:05d}_LEFT_CC",
            "finding_id": f"P_{first + number:05d}_LEFT_CC_{table}_1",
            "label": f"{pathology}_{kind}",
            "origin": "lesion",
            "lot": 0.0,
            "official_split": part,
        }
        for number in range(count)
        for _ in range(tiles)
    ]


def normals(count, films=10, seed=0, origin="normal"):
    rng = np.random.default_rng(seed)
    return [
        {
            "scan_id": f"A_{number % films:04d}_LEFT_CC",
            "finding_id": None,
            "label": "NORMAL",
            "origin": origin,
            "lot": float(rng.random()),
            "official_split": None,
        }
        for number in range(count)
    ]


def table(*groups):
    schema = dict.fromkeys(
        ("scan_id", "finding_id", "label", "origin", "official_split"), pl.String
    ) | {"lot": pl.Float64}
    return pl.DataFrame([row for group in groups for row in group], schema=schema)


def archive(train=8, mass=5, calc=4, normal=300):
    """Rows in no special order, as scans come."""
    whole = table(
        normals(normal),
        findings("test", "calc", calc, first=1000),
        findings("train", "mass", train, first=1),
        findings("test", "mass", mass, first=500),
    )
    return whole.sample(fraction=1, shuffle=True, seed=1)


def divided(whole, seed=0, share=0.2, *, mixed=False):
    kept = whole.filter(choose_faithfully(whole, seed, abnormal_per_normal=share))
    splits = divide_faithfully(kept, seed, abnormal_per_normal=share, mixed=mixed)
    return kept.with_columns(split=splits)


# Sections 2.2 and 2.3 of the method facts, recipe by recipe.
@pytest.mark.parametrize(
    ("given_counts", "share", "used", "splits"),
    [
        ((6760, 1879, 65_827), 0.2, (33_799, 9_394), (40_559, 5_636, 5_637)),
        ((7290, 2004, 95_432), 0.2, (36_449, 10_019), (43_739, 6_011, 6_012)),
        ((7290, 2004, 67_093), 0.15, (48_600, 13_360), (55_890, 7_682, 7_682)),
        ((10_191, 2569, 65_827), None, (52_573, 13_253), None),
    ],
)
def test_the_authors_counts_come_out_to_the_tile(given_counts, share, used, splits):
    counts = expected_counts(*given_counts, share)
    assert (counts.normals_train, counts.normals_held) == used
    assert counts.train + counts.normals_train == sum((given_counts[0], used[0]))
    if splits is not None:
        assert tuple(counts.splits.values()) == splits


def test_recipe_6_has_62764_tiles_for_training_and_twice_7911():
    counts = expected_counts(10_191, 2569, 65_827, None)
    assert counts.train + counts.normals_train == 62_764
    assert counts.held + counts.normals_held == 2 * 7911


def test_halves_are_in_file_order_masses_before_calcifications():
    whole = divided(archive())
    held = whole.filter(pl.col("official_split") == "test")
    # 27 tiles: 13 of them are four masses and a third; two of the fifth and all calcifications.
    test = held.filter(pl.col("split") == "test")
    assert test["finding_id"].value_counts().sort("finding_id").rows() == [
        ("P_00500_LEFT_CC_mass_1", 3),
        ("P_00501_LEFT_CC_mass_1", 3),
        ("P_00502_LEFT_CC_mass_1", 3),
        ("P_00503_LEFT_CC_mass_1", 3),
        ("P_00504_LEFT_CC_mass_1", 1),
    ]
    rest = held.filter(pl.col("split") == "validation")
    assert rest["label"].value_counts().sort("label").rows() == [
        ("BENIGN_calcification", 12),
        ("BENIGN_mass", 2),
    ]


def test_a_findings_table_is_told_by_its_id_not_by_the_label_of_its_scan():
    # The author's join gives a calcification beside a mass the label of the mass.
    joined = findings("test", "calc", 1, first=1, tiles=2)
    rows = [{**row, "label": "BENIGN_mass"} for row in joined]
    whole = table(rows, findings("test", "mass", 1, first=2, tiles=2), normals(20))
    whole = divided(pl.concat([whole, table(findings("train", "mass", 1, first=9))]))
    test = whole.filter((pl.col("split") == "test") & (pl.col("label") != "NORMAL"))
    assert test["finding_id"].unique().to_list() == ["P_00002_LEFT_CC_mass_1"]


def test_the_share_of_normals_for_training_is_that_of_the_findings():
    whole = divided(archive())
    normal = whole.filter(pl.col("label") == "NORMAL")
    abnormal = whole.filter(pl.col("label") != "NORMAL")
    # 24 training tiles of 51; 51 // 0.2 = 254.0 in floats, and of that int(119.5) and int(134.5).
    assert normal.height == 119 + 134
    trained = (normal["split"] == "train").mean()
    assert trained == pytest.approx((abnormal["official_split"] == "train").mean(), abs=0.005)
    assert set(abnormal.filter(pl.col("official_split") == "train")["split"]) == {"train"}


def test_tiles_of_one_film_lie_in_all_splits_which_is_the_leak():
    whole = divided(archive())
    normal = whole.filter(pl.col("label") == "NORMAL")
    splits = normal.group_by("scan_id").agg(pl.col("split").n_unique())
    assert splits["split"].min() == 3


def test_recipe_6_puts_tiles_of_one_finding_into_test_and_validation():
    whole = archive(mass=30, calc=30)
    mixed = divided(whole, share=None, mixed=True).filter(pl.col("official_split") == "test")
    splits = mixed.group_by("finding_id").agg(pl.col("split").n_unique())
    # Three tiles of one finding fall on one side in a quarter of the cases.
    assert (splits["split"] == 2).mean() == pytest.approx(0.75, abs=0.2)
    apart = divided(whole).filter(pl.col("official_split") == "test")
    assert (apart.group_by("finding_id").agg(pl.col("split").n_unique())["split"] == 2).sum() <= 1


@settings(max_examples=60, deadline=None)
@given(
    train=st.integers(1, 60),
    held=st.integers(1, 30),
    available=st.integers(0, 700),
    share=st.sampled_from([0.2, 0.15, None]),
)
def test_chosen_and_divided_is_as_expected(train, held, available, share):
    whole = table(
        findings("train", "mass", train, tiles=1),
        findings("test", "calc", held, tiles=1),
        normals(available),
    )
    counts = expected_counts(train, held, available, share)
    sizes = dict(divided(whole, share=share)["split"].value_counts().rows())
    assert sizes == {name: count for name, count in counts.splits.items() if count}


def test_the_same_seed_divides_alike_and_another_differently():
    first, again, other = (divided(archive(), seed)["split"].to_list() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_normals_are_kept_by_the_smallest_lots():
    whole = archive(normal=400)
    kept = choose_faithfully(whole, 0, abnormal_per_normal=0.2)
    normal = whole.with_columns(kept=kept).filter(pl.col("label") == "NORMAL")
    taken, left = (normal.filter(pl.col("kept") == value)["lot"] for value in (True, False))
    assert taken.max() < left.min()
    assert kept.filter(whole["label"] != "NORMAL").all()


def test_one_official_part_alone_cannot_be_divided():
    whole = table(findings("train", "mass", 4), normals(50))
    with pytest.raises(BadValueError, match="both official parts of cbis-ddsm"):
        choose_faithfully(whole, 0, abnormal_per_normal=0.2)


def test_recipe_9_5_adds_refused_tiles_for_training_in_the_papers_proportion():
    whole = pl.concat([archive(), table(normals(200, seed=5, origin="refused"))])
    kept = whole.filter(choose_faithfully(whole, 0, abnormal_per_normal=0.2))
    splits = kept.with_columns(split=divide_faithfully(kept, 0))
    refused = splits.filter(pl.col("origin") == "refused")
    # 24 training tiles x 9000 / 7290.
    assert refused.height == 30
    assert set(refused["split"]) == {"train"}
    assert (splits["origin"] == "normal").sum() == 253


def test_by_patient_recipe_9_5_keeps_refused_tiles_beside_all_findings():
    whole = pl.concat([archive(), table(normals(200, seed=5, origin="refused"))])
    kept = whole.filter(choose_extras(whole, 0, normals_per_abnormal=5.0))
    counts = dict(kept["origin"].value_counts().rows())
    assert counts == {"lesion": 51, "normal": 255, "refused": 63}


def test_tiles_of_mias_are_all_for_the_test():
    assert set(all_test(archive(), 0)) == {"test"}
