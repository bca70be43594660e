"""Recipe strict: what is cut where, and what is not."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import BadValueError, ScanError, SpacingError, SpacingMissingError
from mammoscope.core.geometry import Box, Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.formats.masks import mask_of
from mammoscope.scans.load import LoadedScan, load
from mammoscope.scans.prepare import prepare
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.strict import LEAST_SHARE, MARGIN_MM, StrictSettings, strict_tiles, takes
from mammoscope.tiles.tile import NORMAL, Missed, Origin, Tile

SHAPE = (700, 520)
MM = 0.2
SETTINGS = StrictSettings(spacing_mm=0.4)
"""Tiles of 100 pixels, 40 mm."""


def make_finding(roi, name="f1", kind=FindingKind.MASS, pathology=Pathology.MALIGNANT):
    return Finding(finding_id=name, scan_id="s", kind=kind, pathology=pathology, roi=roi)


def make_scan(findings=(), name="s"):
    return Scan(
        scan_id=name,
        archive="made",
        path=Path("s.png"),
        patient_id="p",
        exam_id="p",
        spacing_mm=(MM, MM),
        spacing_source=SpacingSource.ARCHIVE,
        findings=None if findings is None else tuple(findings),
    )


def make_image(seed=0):
    """Half an ellipse of tissue, chest wall at the left, 140 mm high and 84 mm deep."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = ((rows - 350) / 330) ** 2 + (columns / 420) ** 2 <= 1
    noise = np.random.default_rng(seed).normal(0, 60, SHAPE)
    return np.where(inside, 2000 + columns + noise, 100 + noise / 10).astype(np.uint16)


def make_loaded(image=None, spacing=(MM, MM)):
    return LoadedScan(
        path=Path("s.png"),
        image=make_image() if image is None else image,
        spacing_mm=spacing,
        spacing_source=None if spacing is None else SpacingSource.ARCHIVE,
        laterality=None,
        view=None,
        patient_id="p",
        exam_id="p",
        intent=None,
    )


LOADED = make_loaded()


def given_of(findings, seed=0, settings=SETTINGS, loaded=LOADED, **options):
    rng = np.random.default_rng(seed)
    return list(strict_tiles(make_scan(findings), loaded, rng, settings=settings, **options))


def tiles_of(findings, seed=0, settings=SETTINGS, loaded=LOADED, **options):
    given = given_of(findings, seed, settings, loaded, **options)
    return [one for one in given if isinstance(one, Tile)]


def missed_of(findings, seed=0):
    given = given_of(findings, seed)
    return {one.finding_id: one.why for one in given if isinstance(one, Missed)}


def shown_share(tile, roi):
    """Share of a Roi's pixels whose centres lie in the tile, counted pixel by pixel."""
    rows, columns = np.nonzero(mask_of(roi, SHAPE))
    box = tile.box
    inside = (rows > box.top - 0.5) & (rows < box.bottom - 0.5)
    inside &= (columns > box.left - 0.5) & (columns < box.right - 0.5)
    return inside.mean()


def gap_mm(tile, roi):
    """Distance between a tile and the box of a Roi, in millimetres."""
    a, b = tile.box, roi.box if isinstance(roi, Circle) else roi
    rows = max(a.top - b.bottom, b.top - a.bottom, 0)
    columns = max(a.left - b.right, b.left - a.right, 0)
    return max(rows, columns) * MM


def test_a_mass_gives_three_tiles_that_hold_it_whole_and_one_that_holds_a_part():
    roi = Circle(350, 200, 30)
    tiles = [t for t in tiles_of([make_finding(roi)]) if t.origin is Origin.LESION]
    assert [t.label for t in tiles] == ["MALIGNANT_mass"] * 4
    assert [t.lesion_share for t in tiles[:3]] == [1.0] * 3
    assert LEAST_SHARE <= tiles[3].lesion_share < 0.5
    assert all(t.pixels.shape == (100, 100) and t.pixels.dtype == np.uint8 for t in tiles)


@given(
    row=st.floats(120, 580), column=st.floats(20, 300), radius=st.floats(3, 60), seed=st.integers(0)
)
@settings(max_examples=15, deadline=None)
def test_the_share_that_is_written_is_the_share_that_is_seen(row, column, radius, seed):
    roi = Circle(row, column, radius)
    tiles = [t for t in tiles_of([make_finding(roi)], seed) if t.origin is Origin.LESION]
    assert tiles
    for tile in tiles:
        # A pixel of the scan on the tile's border may be counted on either side: one row and one
        # column of the finding at most.
        assert tile.lesion_share == pytest.approx(shown_share(tile, roi), abs=2.6 / radius)


@given(
    roi=st.tuples(st.integers(60, 600), st.integers(10, 380), st.integers(5, 70)),
    seed=st.integers(0),
)
@settings(max_examples=15, deadline=None)
def test_normal_tiles_stay_five_millimetres_from_every_finding(roi, seed):
    roi = Box(*roi, roi[2])
    other = Circle(500, 100, 20)
    findings = [make_finding(roi), make_finding(other, "f2", pathology=None)]
    normal = [t for t in tiles_of(findings, seed) if t.label == NORMAL]
    # The grids of tile and scan differ: half a pixel of each is 0.3 mm.
    assert all(gap_mm(t, its) >= MARGIN_MM - 0.3 for t in normal for its in (roi, other))


def test_a_tiles_pixels_are_the_prepared_scan_at_its_box():
    prepared = prepare(SETTINGS.spec, LOADED.image, (MM, MM))
    for tile in tiles_of([make_finding(Circle(350, 200, 30))]):
        box = prepared.box_from_scan(tile.box)
        top, left = round(box.top), round(box.left)
        expected = np.rint(prepared.image[top : top + 100, left : left + 100] * 255)
        assert (box.height, box.width) == pytest.approx((100, 100))
        assert np.array_equal(tile.pixels, expected)
        assert tile.spacing_mm == pytest.approx((0.4, 0.4))


def test_no_tile_is_mostly_air():
    prepared = prepare(SETTINGS.spec, LOADED.image, (MM, MM))
    near_the_skin = make_finding(Circle(350, 400, 10))
    for tile in tiles_of([near_the_skin]):
        box = prepared.box_from_scan(tile.box)
        top, left = round(box.top), round(box.left)
        assert prepared.breast[top : top + 100, left : left + 100].mean() >= 0.5


def test_a_lesion_lies_anywhere_in_its_tiles():
    roi = Circle(350, 200, 20)
    whole = [
        t
        for seed in range(12)
        for t in tiles_of([make_finding(roi)], seed)
        if t.lesion_share == 1.0
    ]
    offsets = np.array([(roi.row - t.box.top, roi.column - t.box.left) for t in whole]) * MM
    # It may lie from 6 mm (radius and context) to 34 mm from the tile's edge.
    assert (offsets.min(axis=0) < 12).all()
    assert (offsets.max(axis=0) > 28).all()
    assert offsets.min() >= 6 - 0.5
    assert offsets.max() <= 34 + 0.5


def test_a_lesion_larger_than_a_tile_gets_more_tiles_and_true_shares():
    roi = Box(200, 20, 300, 180)  # 60 x 36 mm: two tiles high
    tiles = [t for t in tiles_of([make_finding(roi)]) if t.origin is Origin.LESION]
    assert len(tiles) == 7
    assert max(t.lesion_share for t in tiles) < 0.7
    # Of 60 mm a tile can show 40 at most, two thirds; half of that is a tile of the lesion.
    assert all(t.lesion_share >= 1 / 3 - 0.01 for t in tiles[:6])


def test_partial_tiles_can_be_left_out():
    settings = StrictSettings(spacing_mm=0.4, keep_partial=False)
    tiles = tiles_of([make_finding(Circle(350, 200, 30))], settings=settings)
    assert sum(t.origin is Origin.LESION for t in tiles) == 3


def test_a_tile_is_named_by_the_finding_that_it_shows_most_of_and_of_equals_by_the_gravest():
    benign = make_finding(Circle(350, 200, 15), "benign", pathology=Pathology.BENIGN)
    malignant = make_finding(
        Circle(350, 230, 10), "malignant", FindingKind.CALCIFICATION, Pathology.MALIGNANT
    )
    for order in ([benign, malignant], [malignant, benign]):
        for tile in tiles_of(order):
            if tile.origin is not Origin.LESION:
                continue
            shares = {f.finding_id: shown_share(tile, f.roi) for f in order}
            if min(shares.values()) == 1:
                assert tile.finding_id == "malignant"
                assert tile.label == "MALIGNANT_calcification"
            elif abs(shares["benign"] - shares["malignant"]) > 0.2:
                assert tile.finding_id == max(shares, key=shares.get)


def test_a_finding_on_air_gives_no_tile_and_is_named():
    # The tissue ends in column 420; a tile of 40 mm round column 450 is more than half tissue.
    on_air = make_finding(Circle(350, 450, 8), "away")
    beside = make_finding(Circle(350, 400, 8), "at the skin")
    tiles = tiles_of([on_air, beside])
    assert {t.finding_id for t in tiles if t.origin is Origin.LESION} == {"at the skin"}
    assert missed_of([on_air, beside]) == {"away": "100% of it lies outside the breast, on air"}


@pytest.mark.real
def test_the_findings_of_mdb212_and_mdb214_give_no_tile_and_that_of_mdb110_does(shared_data):
    recipe = make_recipe("strict", ("mini-mias",))
    missed, shown = set(), set()
    for scan in open_archive("mini-mias", shared_data / "mini-mias").scans():
        if scan.scan_id in {"mdb110", "mdb212", "mdb214"}:
            for one in recipe.cut(scan, load(scan), np.random.default_rng(0)):
                (missed if isinstance(one, Missed) else shown).add(one.finding_id)
    assert missed == {"mdb212_1", "mdb214_1"}
    assert shown == {"mdb110_1", None}


def test_tissue_beside_a_finding_on_air_is_not_taken_for_normal():
    roi = Circle(350, 450, 8)
    normal = [t for t in tiles_of([make_finding(roi)]) if t.label == NORMAL]
    assert normal
    assert all(gap_mm(t, roi) >= MARGIN_MM - 0.3 for t in normal)


@given(
    places=st.lists(
        st.tuples(st.floats(20, 680), st.floats(0, 500), st.floats(3, 60)), min_size=1, max_size=3
    ),
    seed=st.integers(0),
)
@settings(max_examples=15, deadline=None)
def test_every_proven_finding_has_a_tile_or_a_reason_and_never_both(places, seed):
    findings = [make_finding(Circle(*place), f"f{i}") for i, place in enumerate(places)]
    shown = {t.finding_id for t in tiles_of(findings, seed) if t.origin is Origin.LESION}
    missed = set(missed_of(findings, seed))
    assert shown.isdisjoint(missed)
    assert shown | missed == {finding.finding_id for finding in findings}


@pytest.mark.parametrize(
    ("findings", "taken"),
    [
        (None, False),
        ([make_finding(None)], False),
        ([make_finding(None), make_finding(Circle(1, 1, 1), "f2")], True),
        ([], True),
    ],
    ids=["nobody knows", "no place", "one place", "free of findings"],
)
def test_only_scans_that_can_give_a_tile_are_opened(findings, taken):
    assert takes(make_scan(findings)) is taken


def test_an_unproven_finding_gives_no_tile_and_no_tile_shows_it_as_normal():
    roi = Circle(350, 200, 30)
    tiles = tiles_of([make_finding(roi, pathology=None)])
    assert tiles
    assert {t.label for t in tiles} == {NORMAL}
    assert all(shown_share(t, roi) == 0 for t in tiles)


@pytest.mark.parametrize(
    "findings",
    [
        None,
        [make_finding(None)],
        [make_finding(Circle(350, 200, 30)), make_finding(None, "f2")],
    ],
    ids=["nobody knows", "no place", "one of two has no place"],
)
def test_tissue_is_normal_only_where_all_findings_are_known(findings):
    assert NORMAL not in {t.label for t in tiles_of(findings)}


def test_a_scan_without_findings_gives_normal_tiles_that_hardly_overlap():
    tiles = tiles_of([])
    assert len(tiles) >= 3
    assert {(t.label, t.origin, t.finding_id) for t in tiles} == {(NORMAL, Origin.NORMAL, None)}
    for one, other in itertools.combinations(tiles, 2):
        # Corners are 20 mm apart in rows or in columns, so at most half of each tile is shared.
        assert one.box.iou(other.box) <= 1 / 3 + 0.01
    assert len({t.lot for t in tiles}) == len(tiles)


def test_normal_tissue_is_drawn_from_where_it_is_dense():
    # This breast becomes denser from the chest wall to the skin, by 420 grey levels of 2,400.
    means = [t.pixels.mean() for seed in range(8) for t in tiles_of([], seed)[:1]]
    prepared = prepare(SETTINGS.spec, LOADED.image, (MM, MM))
    assert np.mean(means) > 255 * prepared.image[prepared.breast].mean()


def test_the_same_seed_gives_the_same_tiles_and_another_seed_others():
    findings = [make_finding(Circle(350, 200, 30))]
    first, again, other = (tiles_of(findings, seed) for seed in (1, 1, 2))
    assert [t.box for t in first] == [t.box for t in again]
    assert [t.lot for t in first] == [t.lot for t in again]
    assert [t.box for t in first] != [t.box for t in other]


def test_greys_of_another_scale_give_the_same_tiles():
    findings = [make_finding(Circle(350, 200, 30))]
    brighter = make_loaded(make_image().astype(np.float32) * 7 + 500)
    for one, other in zip(tiles_of(findings), tiles_of(findings, loaded=brighter), strict=True):
        assert one.box == other.box
        assert np.abs(one.pixels.astype(int) - other.pixels).max() <= 1


def test_a_scan_of_unknown_spacing_is_refused_unless_one_is_assumed():
    unknown = make_loaded(spacing=None)
    with pytest.raises(SpacingMissingError, match=r"s\.png: the size of its pixels is not known"):
        tiles_of([], loaded=unknown)
    assumed = StrictSettings(spacing_mm=0.4, assumed_um=200.0)
    tiles = tiles_of([], loaded=unknown, settings=assumed)
    assert tiles
    assert all(t.scan.spacing_source is SpacingSource.ASSUMED for t in tiles)
    assert all(t.spacing_mm == pytest.approx((0.4, 0.4)) for t in tiles)


def test_a_scan_that_is_too_coarse_is_refused_with_the_spacing_that_would_do():
    with pytest.raises(SpacingError, match=r"s\.png: its pixels of 0.2 x 0.2 mm .* at least 0.15"):
        tiles_of([], settings=StrictSettings(spacing_mm=0.1))
    assert tiles_of([], settings=StrictSettings(spacing_mm=0.16))


def test_a_scan_that_is_smaller_than_a_tile_is_refused_by_name():
    narrow = make_loaded(make_image()[:, :170])
    with pytest.raises(ScanError, match=r"s\.png: only 34 mm wide or high, so no tile of 40 mm"):
        tiles_of([], loaded=narrow)


def test_a_finding_that_lies_beside_the_scan_is_refused_by_name():
    with pytest.raises(ScanError, match=r"s\.png: finding f1 covers no pixel"):
        tiles_of([make_finding(Box(5000, 5000, 10, 10))])


def test_a_scan_without_a_breast_is_refused_by_name():
    flat = make_loaded(np.full(SHAPE, 7, np.uint16))
    with pytest.raises(ScanError, match=r"s\.png: "):
        tiles_of([], loaded=flat)


def test_the_recipe_can_be_sent_to_other_processes_and_says_its_numbers():
    recipe = make_recipe("strict", ("ddsm", "cbis-ddsm"), assumed_um=47.7)
    cut = pickle.loads(pickle.dumps(recipe.cut))
    assert cut.keywords["settings"] == recipe.cut.keywords["settings"]
    assert recipe.settings["spacing_mm"] == 0.1
    assert recipe.settings["assumed_um"] == 47.7
    assert recipe.archives == ("ddsm", "cbis-ddsm")


@pytest.mark.parametrize(
    ("archives", "spacing"),
    [(("ddsm",), 0.1), (("ddsm", "mini-mias"), 0.2), (("cbis-ddsm-800", "mini-mias"), 0.3)],
)
def test_the_coarsest_archive_sets_the_spacing_of_all(archives, spacing):
    assert make_recipe("strict", archives).settings["spacing_mm"] == spacing


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("spacing_mm", 5.0),
        ("tile_mm", 0.0),
        ("assumed_um", 0.05),
        ("normals_per_abnormal", -1.0),
        ("spacing_mm", float("nan")),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(option, value):
    with pytest.raises(BadValueError, match=f"Recipe strict: {option} is "):
        make_recipe("strict", ("ddsm",), **{option: value})


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "abnormal"), [("cbis-ddsm/mass-800", (20, 60)), ("mini-mias", (1, 60))]
)
def test_real_scans_give_tiles_in_equal_numbers_and_none_of_them_on_a_finding(
    shared_data, folder, abnormal
):
    archive = open_archive(shared_data / folder)
    recipe = make_recipe("strict", (archive.name,))
    step = len(archive.scans()) // 6
    tiles = []
    for scan in archive.scans()[::step]:
        rng = np.random.default_rng([0, *scan.scan_id.encode()])
        tiles += recipe.cut(scan, load(scan), rng)
    table = pl.DataFrame(
        [
            {
                "label": t.label,
                "origin": str(t.origin),
                "lot": t.lot,
                "archive": t.scan.archive,
                "scanner": None,
                "breast_density": None,
            }
            for t in tiles
        ],
        schema_overrides={"scanner": pl.String, "breast_density": pl.String},
    )
    kept = table.filter(recipe.choose(table, 0))
    lesions = kept.filter(pl.col("label") != NORMAL).height
    assert abnormal[0] <= lesions <= abnormal[1]
    assert kept.height == 2 * lesions
    for tile in tiles:
        if tile.label == NORMAL:
            for finding in tile.scan.findings:
                box = finding.roi if isinstance(finding.roi, Box) else finding.roi.box
                assert tile.box.iou(box) == 0
