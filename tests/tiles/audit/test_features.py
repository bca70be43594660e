"""Features of how a picture was made: each tells its own fault, and not what is shown."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from mammoscope.tiles.audit.features import GROUPS, MOST_FRAME_PX, measure, pixel_features
from mammoscope.tiles.audit.pictures import pictures_of, read_pictures


def make_tissue(seed=0, side=160):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(side, side)), 6)
    level = 110 + 35 * smooth / smooth.std() + rng.normal(0, 3, (side, side))
    return np.clip(level, 0, 255).astype(np.uint8)


def told(image, group, name):
    return pixel_features(image)[group][GROUPS[group].index(name)]


def jpeg(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def test_grey_statistics_are_those_worked_by_hand():
    image = np.zeros((32, 32), np.uint8)
    image[:, 16:] = 255
    names = ("mean", "spread", "skewness", "share of the darkest level", "percentile 99")
    assert [told(image, "grey", name) for name in names] == pytest.approx([0.5, 0.5, 0, 0.5, 1])


def test_stretching_leaves_gaps_that_smooth_histograms_do_not_have():
    plain = make_tissue()
    wide = (plain.astype(int) * 3 // 2).clip(0, 255).astype(np.uint8)
    assert told(plain, "levels", "share of unused levels") == pytest.approx(0, abs=0.02)
    # Every third level of a stretch by 3 / 2 is never used.
    assert told(wide, "levels", "share of unused levels") == pytest.approx(1 / 3, abs=0.03)


def test_eight_bits_in_a_file_of_sixteen_show_their_step():
    wide = make_tissue().astype(np.uint16) * 256
    assert told(wide, "levels", "step between levels") == 8
    assert told(make_tissue(), "levels", "step between levels") == 0


def test_noise_raises_the_finest_detail():
    quiet = make_tissue()
    noise = np.random.default_rng(1).normal(0, 8, quiet.shape)
    loud = np.clip(quiet + noise, 0, 255).astype(np.uint8)
    assert told(loud, "noise", "finest detail") > told(quiet, "noise", "finest detail") + 0.5


def test_blurring_lowers_the_finest_detail_against_the_second():
    sharp = make_tissue()
    soft = np.clip(ndimage.gaussian_filter(sharp.astype(float), 1), 0, 255).astype(np.uint8)
    name = "finest against second finest detail"
    assert told(soft, "blur", name) < told(sharp, "blur", name) - 0.5


def test_a_black_frame_of_three_lines_is_measured_as_three():
    image = make_tissue()
    image[:, :3] = 0
    widths = [
        told(image, "border", f"width of a plain {side} border")
        for side in ("top", "bottom", "left", "right")
    ]
    assert np.expm1(widths) == pytest.approx([0, 0, 3, 0])


def test_a_plain_picture_is_all_border():
    widths = pixel_features(np.full((64, 64), 7, np.uint8))["border"][:4]
    assert np.expm1(widths) == pytest.approx([MOST_FRAME_PX] * 4)


@pytest.mark.parametrize("cut", [(0, 0), (3, 5)])
def test_jpeg_shows_its_blocks_even_where_the_tile_is_cut_off_their_grid(cut):
    down, across = cut
    plain = make_tissue(side=176)
    packed = jpeg(plain, 50)
    name = "zeros of block transforms, best phase"
    parts = [image[down : down + 160, across : across + 160] for image in (plain, packed)]
    honest, compressed = (told(part, "compression", name) for part in parts)
    assert compressed > honest + 0.1


def test_the_level_of_a_picture_says_nothing_of_compression():
    image = 60 + make_tissue() // 2
    darker = image - 30
    here, there = (pixel_features(part)["compression"] for part in (image, darker))
    assert here == pytest.approx(there, abs=0.02)


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(2, 40), st.integers(2, 40)),
    )
)
def test_every_picture_gives_finite_numbers_for_every_feature(image):
    found = pixel_features(image)
    for group, values in found.items():
        assert values.shape == (len(GROUPS[group]),)
        assert np.isfinite(values).all()


def test_a_large_scan_is_measured_in_its_brightest_window():
    scan = np.zeros((1600, 1200), np.uint8)
    scan[800:1312, 400:912] = make_tissue(side=512)
    alone = pixel_features(make_tissue(side=512))
    found = pixel_features(scan)
    assert found["noise"] == pytest.approx(alone["noise"], abs=0.3)
    assert told(scan, "noise", "finest detail") > np.log(1e-3)


def test_types_and_sizes_of_files_are_features(tmp_path):
    for number, ending in enumerate(("png", "png", "jpg")):
        Image.fromarray(make_tissue(number)).save(tmp_path / f"{number}.{ending}")
    table = tmp_path / "labels.csv"
    table.write_text("file,label,split\n0.png,a,train\n1.png,b,train\n2.jpg,b,train\n")
    pictures = read_pictures(tmp_path, table)
    values, names = measure(pictures, np.arange(3))
    assert names["file"] == ("rows", "columns", "bits", "type .png", "type .jpg")
    assert values["file"][:, 3:].tolist() == [[1, 0], [1, 0], [0, 1]]
    per_pixel = (tmp_path / "2.jpg").stat().st_size / 160**2
    assert values["size"][2, 0] == pytest.approx(np.log(per_pixel))


def test_tiles_have_neither_files_nor_sizes_of_their_own(tile_set):
    values, names = measure(pictures_of(tile_set), np.array([1, 0]))
    assert names["file"] == GROUPS["file"]
    assert np.isnan(values["size"]).all()
    assert values["spacing"] == pytest.approx(np.log([[0.2, 0.1]] * 2))


@pytest.fixture
def tile_set(tmp_path):
    from mammoscope.core.geometry import Box
    from mammoscope.core.records import Scan
    from mammoscope.core.vocabulary import SpacingSource
    from mammoscope.tiles.store import load_tiles, write_tiles
    from mammoscope.tiles.tile import NORMAL, Origin, Tile

    scan = Scan(
        scan_id="s",
        archive="made",
        path=tmp_path / "s.png",
        patient_id="p",
        exam_id="e",
        spacing_mm=(0.2, 0.1),
        spacing_source=SpacingSource.ARCHIVE,
        findings=(),
    )
    tiles = [
        Tile(
            pixels=make_tissue(seed, 64),
            scan=scan,
            finding_id=None,
            box=Box(0, 0, 64, 64),
            label=NORMAL,
            origin=Origin.NORMAL,
        )
        for seed in range(2)
    ]
    write_tiles(tmp_path / "set", tiles, {"p": "train"}, {"recipe": "made", "seed": 0})
    return load_tiles(tmp_path / "set")
