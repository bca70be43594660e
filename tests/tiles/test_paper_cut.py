"""Cutting scans of DDSM, CBIS-DDSM and MIAS as the paper does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import AnnotationError, BadValueError, MissingFileError, ScanError
from mammoscope.core.geometry import Box, Circle, MaskFile
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.scans.load import LoadedScan, load
from mammoscope.tiles.paper_greys import film_bytes
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.tile import Missed, Origin, Tile, label_of

SCALE = 2641 / 1024
"""Recipe 9 enlarges 1024 rows to int(1024 x 2.58) = 2641."""


def make_finding(kind=FindingKind.MASS, pathology=Pathology.MALIGNANT, roi=None, number=1):
    return Finding(finding_id=f"f{number}", scan_id="s", kind=kind, pathology=pathology, roi=roi)


def make_scan(findings=(), archive="mini-mias", **facts):
    return Scan(
        scan_id="s",
        archive=archive,
        path=Path("s.png"),
        patient_id="p",
        exam_id="p",
        findings=None if findings is None else tuple(findings),
        **facts,
    )


def loaded(image):
    return LoadedScan(
        path=Path("s.png"),
        image=image,
        spacing_mm=None,
        spacing_source=None,
        laterality=None,
        view=None,
        patient_id=None,
        exam_id=None,
        intent=None,
    )


def cut(name, scan, image, seed=0, **options):
    archives = [scan.archive] if scan.archive == "mini-mias" else None
    recipe = make_recipe(name, archives, **options)
    return list(recipe.cut(scan, loaded(image), np.random.default_rng(seed)))


def noise(shape=(1024, 1024), level=120, spread=15):
    drawn = np.random.default_rng(0).normal(level, spread, shape)
    return np.clip(drawn, 0, 255).astype(np.uint8)


def mias_tiles(findings, seed=0, image=None, name="9", **options):
    return cut(name, make_scan(findings), noise() if image is None else image, seed, **options)


def film_scan(findings=(), scanner="LUMISYS LASER", site="C"):
    return make_scan(findings, "ddsm", facts={"scanner": scanner, "site": site})


# Every pixel of a scan of 16 bits tells its place, in steps that 8 bits can tell: rows in one
# scan, columns in the other.
def ramps(shape):
    rows = np.linspace(0, 56_000, shape[0])[:, None] + np.zeros(shape)
    columns = np.linspace(0, 56_000, shape[1])[None] + np.zeros(shape)
    return rows.astype(np.uint16), columns.astype(np.uint16)


# MIAS


def test_a_finding_gives_three_tiles_and_one_without_a_place_none():
    placed = make_finding(roi=Circle(500, 500, 40))
    tiles = mias_tiles([placed, make_finding(number=2)])
    assert len(tiles) == 3
    assert {t.finding_id for t in tiles} == {"f1"}
    assert {t.label for t in tiles} == {"MALIGNANT_mass"}
    assert all(t.pixels.shape == (299, 299) and t.pixels.dtype == np.uint8 for t in tiles)


@pytest.mark.parametrize(("name", "count"), [("6", 3), ("8", 2), ("9", 3)])
def test_a_scan_that_nobody_calls_normal_gives_no_tile(name, count):
    assert mias_tiles(None, name=name) == []
    assert len(mias_tiles([make_finding(roi=Circle(500, 500, 40))], name=name)) == count


@pytest.mark.parametrize("name", ["6", "8", "9"])
def test_a_tile_of_mias_is_the_scan_at_its_box(name):
    # Each pixel of this scan tells its own row, up to the rounding of the enlargement.
    rows = np.repeat(np.arange(1024)[:, None] // 4, 1024, axis=1).astype(np.uint8)
    for seed in range(10):
        for tile in mias_tiles([make_finding(roi=Circle(400, 300, 20))], seed, rows, name):
            assert int(tile.pixels.min()) * 4 == pytest.approx(tile.box.top, abs=5)
            assert int(tile.pixels.max()) * 4 == pytest.approx(tile.box.bottom, abs=5)


def test_the_same_seed_gives_the_same_tiles_and_another_gives_others():
    finding = [make_finding(roi=Circle(500, 400, 40))]
    first, again, other = (mias_tiles(finding, seed) for seed in (3, 3, 4))
    assert [t.box for t in first] == [t.box for t in again]
    assert all((a.pixels == b.pixels).all() for a, b in zip(first, again, strict=True))
    assert [t.box for t in first] != [t.box for t in other]


def test_a_tile_is_as_much_finer_than_its_scan_as_it_was_enlarged():
    scan = make_scan(
        [make_finding(roi=Circle(500, 400, 40))],
        spacing_mm=(0.2, 0.2),
        spacing_source=SpacingSource.ARCHIVE,
    )
    tile = cut("9", scan, noise())[0]
    assert tile.spacing_mm == pytest.approx((0.2 / SCALE, 0.2 / SCALE))


def test_black_columns_beside_the_film_hold_no_tiles():
    image = noise()
    image[:, :300] = 0
    tiles = mias_tiles([], image=image)
    # The grid begins at the film's edge, to the one pixel that the enlargement blurs.
    assert tiles
    assert min(tile.box.left for tile in tiles) == pytest.approx(300, abs=1)


def test_a_black_scan_gives_no_tile():
    assert mias_tiles([], image=np.zeros((1024, 1024), np.uint8)) == []


def test_small_findings_are_cropped_from_a_box_of_1_2_tiles():
    # Crops move by less than 0.2 tile, so the finding stays near the middle of each.
    for seed in range(10):
        for tile in mias_tiles([make_finding(roi=Circle(500, 400, 40))], seed):
            row, column = tile.box.centre
            reach = 0.1 * 299 / SCALE + 1
            assert abs(row - 500) <= reach
            assert abs(column - 400) <= reach


@pytest.mark.parametrize(("as_side", "expected"), [(True, 197 * SCALE), (False, 2 * 197 * SCALE)])
def test_the_radius_is_the_side_as_in_the_notebook_or_half_of_it(as_side, expected):
    # The largest circle of the archive: crops lie anywhere in a box of that side.
    circle = [make_finding(roi=Circle(512, 512, 197))]
    rows = [
        tile.box.top
        for seed in range(14)
        for tile in mias_tiles(circle, seed, radius_as_side=as_side)
    ]
    room = (expected - 299) / SCALE
    assert np.ptp(rows) <= room + 1
    assert np.ptp(rows) > 0.75 * room


def test_a_finding_at_the_frame_is_cut_inside_it():
    for name in ("6", "8", "9"):
        for tile in mias_tiles([make_finding(roi=Circle(3, 1020, 10))], name=name):
            assert tile.box.top >= 0
            assert tile.box.right <= 1024 + 1e-6


def test_three_in_ten_usable_normal_tiles_are_kept():
    counts = [len(mias_tiles([], seed)) for seed in range(4)]
    # 12 x 12 places on a scan of 2641 pixels.
    assert np.mean(counts) == pytest.approx(0.3 * 144, rel=0.2)


def test_recipe_6_enlarges_scans_by_chance_and_takes_places_as_if_it_had_not():
    # The notebook's slip: the scan by N(2.5, 0.5), places by 2.5 and from the lower edge.
    finding = [make_finding(roi=Circle(900, 600, 30))]
    offsets, scales = [], []
    for seed in range(12):
        tile = mias_tiles(finding, seed, name="6")[2]
        scale = 299 / tile.box.height
        row = 1024 * scale - (1024 - 900) * 2.5
        offsets.append(abs(tile.box.centre[0] * scale - row))
        scales.append(scale)
    # A finding of 75 and 50 more leaves (299 - 125 - 20) // 2 = 77 to move.
    assert max(offsets) <= 78
    assert np.std(scales) == pytest.approx(0.5, abs=0.25)


def test_recipe_6_as_printed_finds_the_places():
    finding = [make_finding(roi=Circle(900, 600, 30))]
    for tile in mias_tiles(finding, name="6", as_printed=True):
        assert tile.box.holds(900, 600)


def test_a_picture_of_16_bits_is_not_mini_mias():
    with pytest.raises(ScanError, match="8 bits a pixel, this file has uint16"):
        mias_tiles([], image=np.zeros((1024, 1024), np.uint16))


# CBIS-DDSM


@pytest.mark.parametrize("name", ["6", "8", "9"])
def test_a_tile_of_cbis_is_the_scan_at_its_box(name):
    shape = (2400, 1800)
    scan = make_scan([make_finding(roi=Box(1000, 700, 150, 100))], "cbis-ddsm")
    steps = 56_000 / 256 / (shape[0] - 1), 56_000 / 256 / (shape[1] - 1)
    for seed in range(3):
        by_row, by_column = (cut(name, scan, ramp, seed) for ramp in ramps(shape))
        for one, other in zip(by_row, by_column, strict=True):
            box = one.box
            assert box == other.box
            assert one.pixels.min() == pytest.approx(box.top * steps[0], abs=1.5)
            assert one.pixels.max() == pytest.approx(box.bottom * steps[0], abs=1.5)
            assert other.pixels.min() == pytest.approx(box.left * steps[1], abs=1.5)
            assert other.pixels.max() == pytest.approx(box.right * steps[1], abs=1.5)
            assert box.holds(1075, 750)


def test_a_scan_with_much_white_loses_its_border_and_places_stay():
    image = ramps((2400, 1800))[0]
    image[:, 1700:] = 65_535
    # A box at the very corner: without the border the tiles begin 20 pixels inside.
    scan = make_scan([make_finding(roi=Box(0, 0, 100, 100))], "cbis-ddsm")
    tiles = cut("9", scan, image)
    assert min(t.box.top for t in tiles) >= 20
    assert min(t.box.left for t in tiles) >= 20
    for tile in tiles:
        step = 56_000 / 256 / 2399
        assert tile.pixels.min() == pytest.approx(tile.box.top * step, abs=1.5)
    image[:, 1700:] = 0
    whole = [tile.box.top for seed in range(30) for tile in cut("9", scan, image, seed)]
    assert min(whole) < 20


def test_a_finding_in_the_border_that_is_cut_off_gives_no_tile():
    image = np.full((900, 900), 60_000, np.uint16)
    scan = make_scan([make_finding(roi=Box(0, 400, 15, 15))], "cbis-ddsm")
    [missed] = cut("9", scan, image)
    assert missed == Missed(finding_id="f1", why="it lies in the border that is cut off")


def film_with_air():
    """Tissue in the left half, and film of levels up to 20 beside it."""
    image = noise()
    image[:, 512:] = np.random.default_rng(1).integers(0, 21, (1024, 512))
    return image


@pytest.mark.parametrize("name", ["6", "8", "9"])
def test_a_finding_of_mias_on_black_film_gives_no_tile_and_is_named(name):
    findings = [
        make_finding(roi=Circle(500, 800, 30), number=1),
        make_finding(roi=Circle(500, 250, 30), number=2),
    ]
    given = mias_tiles(findings, image=film_with_air(), name=name)
    missed = [one for one in given if isinstance(one, Missed)]
    assert missed == [Missed(finding_id="f1", why="its place lies on air, not on tissue")]
    assert {one.finding_id for one in given if isinstance(one, Tile)} == {"f2"}


def test_a_scan_whose_only_finding_lies_on_black_film_gives_no_normal_tile_either():
    given = mias_tiles([make_finding(roi=Circle(500, 800, 30))], image=film_with_air())
    assert [type(one) for one in given] == [Missed]


def test_a_finding_at_the_skin_line_is_cut():
    # Half of it is tissue.
    given = mias_tiles([make_finding(roi=Circle(500, 512, 30))], image=film_with_air())
    assert [type(one) for one in given] == [Tile] * 3


def test_with_the_authors_splits_a_finding_on_black_film_is_cut_as_he_did():
    finding = make_finding(roi=Circle(500, 800, 30))
    given = mias_tiles([finding], image=film_with_air(), faithful_splits=True)
    assert [type(one) for one in given] == [Tile] * 3


@pytest.mark.real
def test_of_the_real_findings_of_mias_only_those_of_mdb212_and_mdb214_lie_on_air(shared_data):
    recipe = make_recipe("9", ["mini-mias"])
    missed = set()
    for scan in open_archive("mini-mias", shared_data / "mini-mias").scans():
        # Only the dark ones can be missed; the rest of the 93 would cost 20 seconds of cutting.
        if scan.scan_id in {"mdb110", "mdb212", "mdb214", "mdb001"}:
            given = recipe.cut(scan, load(scan), np.random.default_rng(0))
            missed |= {one.finding_id for one in given if isinstance(one, Missed)}
    assert missed == {"mdb212_1", "mdb214_1"}


@pytest.mark.parametrize(
    ("archive", "findings", "taken"),
    [
        ("ddsm", (), True),
        ("ddsm", None, False),
        ("ddsm", (make_finding(),), False),
        ("cbis-ddsm", (make_finding(),), True),
        ("cbis-ddsm", (), False),
        # A foreign archive is refused in words when it is cut.
        ("inbreast", (), True),
    ],
)
def test_films_that_give_no_tile_are_told_by_their_record_alone(archive, findings, taken):
    assert make_recipe("9").takes(make_scan(findings, archive)) is taken


@pytest.mark.parametrize("findings", [(), (make_finding(roi=Circle(5, 5, 2)),), None])
def test_scans_of_mias_are_cut_unless_nobody_knows_their_findings(findings):
    assert make_recipe("9", ["mini-mias"]).takes(make_scan(findings)) is (findings is not None)


def two_findings():
    return [
        make_finding(FindingKind.CALCIFICATION, Pathology.BENIGN, Box(300, 300, 50, 50), 1),
        make_finding(FindingKind.MASS, Pathology.MALIGNANT, Box(600, 600, 50, 50), 2),
    ]


def test_all_findings_of_a_scan_have_the_label_of_its_first_mass_as_in_the_code():
    scan = make_scan(two_findings(), "cbis-ddsm")
    labels = {t.finding_id: t.label for t in cut("9", scan, ramps((900, 900))[0])}
    assert labels == {"f1": "MALIGNANT_mass", "f2": "MALIGNANT_mass"}


@pytest.mark.parametrize("option", ["as_printed", "label_per_finding"])
def test_each_finding_has_its_own_label_as_the_paper_has_it(option):
    scan = make_scan(two_findings(), "cbis-ddsm")
    labels = {t.finding_id: t.label for t in cut("9", scan, ramps((900, 900))[0], **{option: True})}
    assert labels == {"f1": "BENIGN_calcification", "f2": "MALIGNANT_mass"}


def test_masks_are_read_from_their_files(tmp_path):
    mask = np.zeros((1200, 1000), np.uint8)
    # Two blobs of one mask make one box: rows 200 to 699, columns 300 to 399.
    mask[200:210, 300:310] = mask[690:700, 390:400] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    finding = make_finding(roi=MaskFile(tmp_path / "mask.png"))
    scan = make_scan([finding], "cbis-ddsm")
    tile = cut("8", scan, ramps((1200, 1000))[0])[0]
    # Twice the larger side of 500, cut to the width of the scan.
    assert (tile.box.height, tile.box.width) == (1000, 1000)
    lost = replace(scan, findings=(replace(finding, roi=MaskFile(tmp_path / "none.png")),))
    with pytest.raises(MissingFileError, match=r"none\.png"):
        cut("9", lost, ramps((1200, 1000))[0])


def test_findings_without_a_place_give_no_tile_and_those_without_proof_an_error():
    image = ramps((900, 900))[0]
    assert cut("9", make_scan([make_finding()], "cbis-ddsm"), image) == []
    unproven = make_finding(pathology=None, roi=Box(300, 300, 50, 50))
    with pytest.raises(AnnotationError, match=r"s\.png: nothing is proven of f1"):
        cut("9", make_scan([unproven], "cbis-ddsm"), image)


def test_a_scan_smaller_than_a_tile_is_refused_by_name():
    scan = make_scan([make_finding(roi=Box(100, 100, 50, 50))], "cbis-ddsm")
    with pytest.raises(ScanError, match=r"s\.png: 590 x 800 pixels"):
        cut("9", scan, ramps((590, 800))[0])


# DDSM


def film(shape=(2200, 1800), levels=(1800, 3000)):
    """Grey levels of a Lumisys film, fine noise on a slope: every tile passes the tests."""
    slope = np.linspace(*levels, shape[0])[:, None]
    return (slope + np.random.default_rng(0).normal(0, 40, shape)).astype(np.uint16)


def test_a_normal_film_is_cut_on_its_grid_seven_per_cent_inside():
    tiles = cut("9", film_scan(), film())
    # 154 rows and 126 columns are cut off; 1892 x 1548 pixels hold 4 x 3 tiles of 598, 350 apart.
    places = [(154 + 350 * row, 126 + 350 * column) for row in range(4) for column in range(3)]
    assert [(t.box.top, t.box.left) for t in tiles] == places
    assert {(t.box.height, t.label, t.origin) for t in tiles} == {(598, "NORMAL", Origin.NORMAL)}


def test_tiles_apart_as_printed_do_not_overlap():
    tiles = cut("9", film_scan(), film(), as_printed=True)
    assert [(t.box.top, t.box.left) for t in tiles] == [
        (154 + 598 * row, 126 + 598 * column) for row in range(3) for column in range(2)
    ]


@pytest.mark.parametrize("name", ["6", "8", "9", "9.5", "10"])
def test_a_tile_of_a_film_is_the_film_at_its_box(name):
    # The film's grey levels rise with the row only, so a tile's range tells its rows.
    image = np.linspace(1000, 3600, 2200)[:, None] + np.zeros((2200, 1800))
    image = image.astype(np.uint16)
    column = film_bytes(image[:, :1], film_scan(), white_to_black=False)[:, 0].astype(int)
    tiles = cut(name, film_scan(), image)
    assert tiles
    for tile in tiles:
        top, bottom = round(tile.box.top), min(round(tile.box.bottom), 2200) - 1
        assert tile.pixels.min() == pytest.approx(column[top], abs=3)
        assert tile.pixels.max() == pytest.approx(column[bottom], abs=3)


def test_films_of_recipe_6_are_shrunk_by_a_factor_between_1_8_and_3_2():
    image = film((1250, 1250))
    factors = [cut("6", film_scan(), image, seed)[0].box.height / 299 for seed in range(12)]
    assert min(factors) > 1.79
    assert max(factors) < 3.22
    assert np.ptp(factors) > 0.7


def test_recipe_9_5_adds_tiles_that_fail_from_the_whole_film():
    image = film()
    image[1200:] = 100  # dark
    seeds = range(8)
    more = [t for seed in seeds for t in cut("9.5", film_scan(), image, seed)]
    plain = [t for seed in seeds for t in cut("9", film_scan(), image, seed)]
    refused = [t for t in more if t.origin is Origin.REFUSED]
    assert len(more) - len(refused) == len(plain)
    # The grid of the whole film begins at its corner.
    assert {t.box.left % 350 for t in refused} == {0}
    assert {t.label for t in refused} == {"NORMAL"}


def test_a_cut_out_of_a_dba_film_is_black_in_recipe_9_and_white_in_10():
    image = np.full((800, 800), 20_000, np.uint16)
    image += np.random.default_rng(0).integers(0, 3000, image.shape).astype(np.uint16)
    image[300:330, 300:330] = 0
    scan = film_scan(scanner="DBA 21", site="A")
    assert [int(t.pixels.min()) for t in cut("9", scan, image)] == [0]
    assert [int(t.pixels.max()) for t in cut("10", scan, image)] == [255]


def test_films_with_findings_or_of_unknown_state_give_no_tile():
    assert cut("9", film_scan([make_finding(roi=Box(300, 300, 50, 50))]), film()) == []
    assert cut("9", film_scan(None), film()) == []


def test_a_scan_of_another_archive_is_refused():
    with pytest.raises(BadValueError, match="recipe 9, as it was made, is for ddsm and cbis-ddsm"):
        cut("9", make_scan((), "inbreast"), film())
    recipe = make_recipe("9", ["mini-mias"])
    with pytest.raises(BadValueError, match="is for mini-mias, not for ddsm"):
        list(recipe.cut(film_scan(), loaded(film()), np.random.default_rng(0)))


def test_classes_are_the_papers():
    assert label_of(make_finding(FindingKind.ASYMMETRY)) == "MALIGNANT_mass"
    assert label_of(make_finding(FindingKind.CALCIFICATION, Pathology.BENIGN)) == (
        "BENIGN_calcification"
    )
    with pytest.raises(ValueError, match="f1 has no pathology"):
        label_of(make_finding(pathology=None))


@pytest.mark.real
def test_real_findings_of_mias_give_as_many_tiles_as_the_authors_sets_hold(shared_data):
    # 119 findings of the whole archive: 357 tiles of recipe 9, 238 of 8, 238 and 109 of 6.
    scans = [s for s in open_archive("mini-mias", shared_data / "mini-mias").scans() if s.findings]
    placed = [f.roi for s in scans for f in s.findings if f.roi is not None]
    fitting = sum(circle.radius * 2.5 <= 299 - 60 for circle in placed)
    counts = dict.fromkeys(("6", "8"), 0)
    # Pixels do not matter for the number.
    image = loaded(np.full((300, 300), 100, np.uint8))
    for scan in scans:
        for name in counts:
            recipe = make_recipe(name, ["mini-mias"])
            counts[name] += len(list(recipe.cut(scan, image, np.random.default_rng(1))))
    assert counts == {"6": 2 * len(placed) + fitting, "8": 2 * len(placed)}
