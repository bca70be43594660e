"""Recipes by name, and what each makes of an archive of known content."""

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mammoscope.core.errors import BadValueError, UnknownNameError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, Split
from mammoscope.scans.load import LoadedScan
from mammoscope.tiles.faithful import MARK, expected_counts
from mammoscope.tiles.recipes import RECIPES, make_recipe

PAPER = ("6", "8", "9", "9.5", "10")
# A scanner, its site, and grey levels that it gives for tissue.
SCANNERS = (
    ("DBA 21", "A", 12_000, 1500),
    ("HOWTEK 43.5", "D", 2600, 60),
    ("LUMISYS", "B", 2600, 60),
)


def loaded(image):
    nothing = dict.fromkeys(
        ("spacing_mm", "spacing_source", "laterality", "view", "patient_id", "exam_id", "intent")
    )
    return LoadedScan(path=Path("made"), image=image, **nothing)


def cbis_scan(number, part, kinds):
    """A scan with a finding of each kind, that lie apart."""
    scan_id = f"P_{number:05d}_LEFT_CC"
    return Scan(
        scan_id=scan_id,
        archive="cbis-ddsm",
        path=Path(f"{scan_id}.dcm"),
        patient_id=scan_id[:7],
        exam_id=scan_id[:7],
        split=part,
        findings=tuple(
            Finding(
                finding_id=f"{scan_id}_{kind}_{place}",
                scan_id=scan_id,
                kind=FindingKind.MASS if kind == "mass" else FindingKind.CALCIFICATION,
                pathology=Pathology.MALIGNANT if number % 2 else Pathology.BENIGN,
                roi=Box(100 + 400 * place, 300, 150, 200),
            )
            for place, kind in enumerate(kinds)
        ),
    )


def ddsm_scan(number):
    words, site, _, _ = SCANNERS[number % 3]
    scan_id = f"normal_01/{site}_{number:04d}_LEFT_CC"
    return Scan(
        scan_id=scan_id,
        archive="ddsm",
        path=Path(f"{site}_{number:04d}_1.LEFT_CC.LJPEG"),
        patient_id=f"ddsm-{site}_{number:04d}",
        exam_id=f"{site}_{number:04d}",
        findings=(),
        facts={"scanner": words, "site": site},
    )


def candidates(recipe, films=12):
    """Cut an archive of known content and lay out the table that an engine would.

    CBIS: 12 training scans with one finding and 2 with two; a test part of 5 masses and 3
    calcifications. DDSM: films on which every tile of the grid passes the tests.
    """
    scans = [cbis_scan(n, Split.TRAIN, ["mass"] if n % 3 else ["calc"]) for n in range(12)]
    scans += [cbis_scan(20 + n, Split.TRAIN, ["mass", "calc"]) for n in range(2)]
    scans += [cbis_scan(30 + n, Split.TEST, ["mass"]) for n in range(5)]
    scans += [cbis_scan(40 + n, Split.TEST, ["calc"]) for n in range(3)]
    scans += [ddsm_scan(n) for n in range(films)]
    rng = np.random.default_rng(0)
    lesion_image = rng.normal(30_000, 3000, (1300, 900)).astype(np.uint16)
    rows = []
    for number, scan in enumerate(scans):
        image = lesion_image
        if scan.archive == "ddsm":
            _, _, level, spread = SCANNERS[int(scan.exam_id[2:]) % 3]
            image = rng.normal(level, spread, (1700, 1500)).clip(1).astype(np.uint16)
        for tile in recipe.cut(scan, loaded(image), np.random.default_rng([0, number])):
            rows.append(
                {
                    "scan_id": scan.scan_id,
                    "finding_id": tile.finding_id,
                    "label": tile.label,
                    "origin": str(tile.origin),
                    "lot": tile.lot,
                    "official_split": None if scan.split is None else str(scan.split),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def test_recipe_9_gives_the_counts_of_the_authors_arithmetic():
    recipe = make_recipe("9", faithful_splits=True)
    table = candidates(recipe)
    abnormal = table.filter(pl.col("label") != "NORMAL")
    # 16 findings in the training part and 8 in the test part, three crops each.
    assert Counter(abnormal["official_split"]) == {"train": 48, "test": 24}
    assert abnormal["finding_id"].value_counts()["count"].unique().to_list() == [3]
    # 12 films of 1462 x 1290 pixels: tiles from rows 0, 350, 700 and columns 0, 350.
    assert table.height - abnormal.height == 12 * 3 * 2
    kept = table.filter(recipe.choose(table, 0))
    splits = kept.with_columns(split=recipe.division(kept, 0))
    # Only 72 normal tiles are there, fewer than five for each of 72: all are taken.
    expected = expected_counts(48, 24, 72, 0.2)
    assert dict(splits["split"].value_counts().rows()) == expected.splits
    assert (
        splits.filter(pl.col("split") == "test")["label"].str.ends_with("calcification").sum() == 0
    )
    rest = splits.filter((pl.col("split") == "validation") & (pl.col("label") != "NORMAL"))
    assert rest["label"].str.ends_with("calcification").sum() == 9
    assert rest.height == 12


def test_films_of_every_scanner_pass_its_own_tests():
    table = candidates(make_recipe("9"))
    films = table.filter(pl.col("label") == "NORMAL")["scan_id"].str.slice(10, 1)
    assert Counter(films) == {"A": 24, "D": 24, "B": 24}


@pytest.mark.parametrize(
    ("name", "tiles", "per_abnormal"),
    [("6", 3, None), ("8", 3, 5.0), ("9", 3, 5.0), ("9.5", 3, None), ("10", 3, 1 / 0.15)],
)
def test_each_finding_of_200_pixels_gives_its_tiles(name, tiles, per_abnormal):
    recipe = make_recipe(name)
    assert recipe.normals_per_abnormal == per_abnormal
    assert recipe.archives == ("ddsm", "cbis-ddsm")
    table = candidates(recipe, films=1)
    counts = table.filter(pl.col("label") != "NORMAL")["finding_id"].value_counts()
    assert counts.height == 24
    assert counts["count"].unique().to_list() == [tiles]


@pytest.mark.parametrize("name", PAPER)
def test_recipes_can_be_sent_to_other_processes(name):
    recipe = make_recipe(name, faithful_splits=True)
    again = pickle.loads(pickle.dumps(recipe))
    assert again.settings == recipe.settings
    scan = cbis_scan(1, Split.TRAIN, ["mass"])
    image = np.full((1300, 900), 30_000, np.uint16)
    one, other = (
        [t.box for t in r.cut(scan, loaded(image), np.random.default_rng(0))]
        for r in (recipe, again)
    )
    assert one == other


def test_a_faithful_division_is_marked_as_one():
    assert make_recipe("9", faithful_splits=True).settings["splits"] == MARK
    assert "splits" not in make_recipe("9").settings
    assert make_recipe("9").division is None
    mias = make_recipe("9", ["mini-mias"], faithful_splits=True)
    assert set(mias.division(pl.DataFrame({"label": ["NORMAL"] * 3}), 0)) == {"test"}


def test_mias_keeps_all_its_normal_tiles():
    recipe = make_recipe("9", ["mini-mias"])
    assert recipe.archives == ("mini-mias",)
    assert recipe.normals_per_abnormal is None
    assert recipe.settings["radius_as_side"] is True


@pytest.mark.parametrize(
    ("name", "archives", "words"),
    [
        ("9", ["mini-mias", "ddsm"], "mini-mias alone, not for mini-mias with ddsm"),
        ("9", ["inbreast"], "not for inbreast"),
        ("9", [], "not for no archive"),
        ("10", ["mini-mias"], "Recipe 10 has no form for mini-mias"),
        ("9.5", ["mini-mias"], "Recipe 9.5 has no form for mini-mias"),
    ],
)
def test_archives_that_a_recipe_is_not_for_are_refused(name, archives, words):
    with pytest.raises(BadValueError, match=words):
        make_recipe(name, archives)


def test_the_authors_division_needs_both_archives():
    with pytest.raises(BadValueError, match="needs ddsm and cbis-ddsm together"):
        make_recipe("9", ["cbis-ddsm"], faithful_splits=True)
    assert make_recipe("9", ["cbis-ddsm"]).archives == ("cbis-ddsm",)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("strict", {"spacing_mm": True}, "spacing_mm is True, where a number was expected"),
        ("strict", {"tile_mm": "wide"}, "tile_mm is 'wide', where a number was expected"),
        ("strict", {"keep_partial": 1}, "keep_partial is 1, where true or false was expected"),
        ("strict", {"places": 3}, "places is 3, where a file was expected"),
        ("9", {"as_printed": "yes"}, "as_printed is 'yes', where true or false was expected"),
        ("9", {"label_per_finding": 0}, "label_per_finding is 0, where true or false"),
    ],
)
def test_an_option_of_another_kind_is_refused(name, options, words):
    with pytest.raises(BadValueError, match=words):
        make_recipe(name, **options)


def test_whole_numbers_and_none_are_taken_where_numbers_are():
    recipe = make_recipe("strict", tile_mm=40, assumed_um=None, spacing_mm=0.2)
    assert recipe.settings["tile_mm"] == 40
    assert make_recipe("9", label_per_finding=None).settings["label_per_finding"] is False


def test_unknown_recipes_and_options_are_named():
    with pytest.raises(UnknownNameError, match="no recipe called '7'"):
        make_recipe("7")
    with pytest.raises(BadValueError, match="Recipe 9 has no option 'printed'; it has: as_printed"):
        make_recipe("9", printed=True)


@pytest.mark.parametrize("name", PAPER)
def test_every_name_stands_for_a_maker(name):
    assert make_recipe(name).name == name
    assert name in RECIPES.names
