"""Planted leaks are found and told rightly; honest pictures are left in peace."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from mammoscope.tiles.audit.align import Fits
from mammoscope.tiles.audit.leaks import (
    A_FOLD,
    LIKE,
    MOST_LIKE,
    agree,
    find_leaks,
    find_twins,
    least_likeness,
)
from mammoscope.tiles.audit.pictures import COLUMNS, Pictures, decode, read_pictures
from mammoscope.tiles.audit.tables import LeakKind

SIDE = 150


def tissue(count, seed):
    """Make films of 260 x 260 with texture on all scales, as breasts have it."""
    noise = np.random.default_rng(seed).normal(size=(count, 260, 260))
    layers = [s**1.3 * gaussian_filter(noise, (0, s, s)) for s in (1, 2, 4, 8, 16)]
    films = np.sum(layers, axis=0)
    return np.clip(110 + 25 * films / films.std(), 0, 255).astype(np.uint8)


def pictures(images, splits, **columns):
    table = pl.DataFrame({"split": splits, **columns}, schema_overrides={"split": pl.String})
    empty = {n: pl.lit(None, t).alias(n) for n, t in COLUMNS.items() if n not in table.columns}
    return Pictures(
        source="made",
        table=table.with_columns(empty.values()).select(list(COLUMNS)),
        reader=lambda position: images[position],
    )


def jpeg(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def resized(image, rows, columns):
    return np.asarray(Image.fromarray(image).resize((columns, rows), Image.Resampling.BICUBIC))


TILE = (slice(50, 50 + SIDE), slice(50, 50 + SIDE))
ALTERED = {
    "mirrored left to right": lambda film: film[TILE][:, ::-1],
    "mirrored top to bottom": lambda film: film[TILE][::-1],
    "turned by 180 degrees": lambda film: np.rot90(film[TILE], 2),
    "turned by 90 degrees anticlockwise": lambda film: np.rot90(film[TILE]),
    "turned by 90 degrees clockwise": lambda film: np.rot90(film[TILE], 3),
    "mirrored and turned by 90 degrees": lambda film: film[TILE].T,
    "0.80 times as large": lambda film: resized(film[TILE], 120, 120),
    "1.25 times as large, 64% overlap": lambda film: resized(film[65:185, 65:185], SIDE, SIDE),
    "64% overlap": lambda film: film[80 : 80 + SIDE, 80 : 80 + SIDE],
    "the same place in other grey levels": lambda film: jpeg(film[TILE] // 2 + 60, 60),
    "turned by 90 degrees clockwise, 67% overlap": lambda film: np.rot90(
        jpeg(film[TILE[0], 0 : 0 + SIDE], 70), 3
    ),
}


@pytest.mark.parametrize("relation", ALTERED)
def test_each_alteration_is_found_and_told_in_words(relation):
    films = tissue(4, 1)
    images = [*(film[TILE] for film in films), ALTERED[relation](films[2])]
    (leak,) = find_leaks(pictures(images, ["train"] * 4 + ["test"]))
    assert (leak.kind, {leak.first, leak.second}) == (LeakKind.NEAR, {2, 4})
    assert {leak.first_split, leak.second_split} == {"train", "test"}
    size, told = leak.relation.split(" times")[0], leak.relation
    if relation[0].isdigit() and "times" in relation:
        assert float(size) == pytest.approx(float(relation[:4]), abs=0.03)
        assert ("overlap" in told) == ("overlap" in relation)
    elif "%" in relation:
        assert told.split(", ")[0] == relation.split(", ")[0] or "overlap" in told.split(", ")[0]
        assert float(told.split(", ")[-1].split("%")[0]) == pytest.approx(65, abs=4)
    else:
        assert told.startswith(relation)


def test_honest_pictures_give_no_leak_nor_do_other_places_of_one_film():
    films = tissue(30, 2)
    images = [film[:120, :120] for film in films] + [film[-120:, -120:] for film in films]
    assert find_leaks(pictures(images, ["train"] * 30 + ["test"] * 30)) == ()


def test_equal_pictures_are_found_once_for_each_and_only_across_splits():
    one, two = (film[TILE] for film in tissue(2, 3))
    images = [one, two, one, one, two.astype(np.uint16), one]
    leaks = find_leaks(pictures(images, ["a", "a", "a", "a", "b", "b"]))
    exact = [(leak.first, leak.second) for leak in leaks if leak.kind is LeakKind.EXACT]
    assert exact == [(0, 5)]
    near = [{leak.first, leak.second} for leak in leaks if leak.kind is LeakKind.NEAR]
    assert near == [{1, 4}]


def test_twins_in_one_split_are_no_leak():
    film = tissue(1, 3)[0]
    images = [film[TILE], film[TILE], tissue(1, 4)[0][TILE]]
    assert find_leaks(pictures(images, ["a", "a", "b"])) == ()


@pytest.mark.parametrize("splits", [["a", "a"], ["a", None], [None, None]])
def test_without_two_splits_nothing_can_leak(splits):
    image = tissue(1, 3)[0][TILE]
    assert find_leaks(pictures([image, image], splits)) == ()


def test_blank_pictures_are_equal_to_nothing():
    images = [np.zeros((50, 50), np.uint8)] * 4
    assert find_leaks(pictures(images, ["a", "a", "b", "b"])) == ()


def test_pictures_in_which_nothing_stands_out_are_no_leak_and_no_error():
    images = [np.zeros((50, 50), np.uint8) for _ in range(3)]
    for number, image in enumerate(images):
        image[number, number] = 9
    assert find_leaks(pictures(images, ["a", "b", "b"])) == ()


def test_what_was_cut_from_the_larger_split_comes_first():
    film = tissue(2, 9)
    images = [film[0][TILE][::-1], film[0][TILE], film[1][TILE]]
    (leak,) = find_leaks(pictures(images, ["test", "train", "train"]))
    assert (leak.first, leak.second) == (1, 0)
    assert (leak.first_split, leak.second_split) == ("train", "test")


def test_two_films_with_the_same_straight_edge_are_not_the_same():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 3, (SIDE, SIDE)).astype(np.uint8) for _ in range(6)]
    for image in images:
        image[:, 70:] += 200
    assert find_leaks(pictures(images, ["a", "b"] * 3)) == ()


def with_letters(image, seed, size=24):
    """Blacken all of a film but a strip of its tissue, and print four letters on the black."""
    rng = np.random.default_rng(seed)
    black = rng.integers(0, 3, image.shape).astype(np.uint8)
    black[:, :25] = image[:, :25]
    page = Image.fromarray(black)
    ImageDraw.Draw(page).text((60, 60), "RMLO", fill=220, font=ImageFont.load_default(size))
    return np.asarray(page).copy()


@pytest.mark.parametrize("size", [16, 24, 36])
def test_the_letters_of_one_hospital_on_two_films_are_no_leak(size):
    films = tissue(4, 11)
    images = [with_letters(film[TILE], number, size) for number, film in enumerate(films)]
    assert find_leaks(pictures(images, ["train", "train", "test", "test"])) == ()


def test_a_film_with_letters_is_still_found_by_its_tissue():
    films = tissue(4, 12)
    images = [with_letters(film[TILE], number) for number, film in enumerate(films)]
    for image, film in zip(images, films, strict=True):
        image[:, :50] = film[TILE][:, :50]
    again = jpeg(images[1], 80)
    (leak,) = find_leaks(pictures([*images, again], ["train"] * 4 + ["test"]))
    assert {leak.first, leak.second} == {1, 4}


def with_plaque(seed):
    """Lay a white plaque with dark letters on black film, a little further right for each seed."""
    black = np.random.default_rng(seed).integers(0, 3, (SIDE, SIDE)).astype(np.uint8)
    page = Image.fromarray(black)
    draw, left = ImageDraw.Draw(page), 44 + 4 * seed
    draw.rectangle((left, 30, left + 60, 106), fill=235)
    for line, text in enumerate(("RML", "OCC", "4 7")):
        font = ImageFont.load_default(24)
        draw.text((left + 5, 34 + 24 * line), text, fill=25, font=font)
    return np.asarray(page).copy()


def test_the_same_plaque_on_the_films_of_four_patients_is_no_leak():
    images = [with_plaque(number) for number in range(4)]
    assert find_leaks(pictures(images, ["train", "train", "test", "test"])) == ()


def fits(**known):
    """Make a pair that is alike in little texture, as beside the steep edge of a film."""
    one = {"likeness": 0.92, "alike": 0.92, "told": 0.07, "tissue": 0.07} | known
    figures = {name: np.array([value], np.float32) for name, value in one.items()}
    ones = np.ones((1, 2), np.float32)
    return Fits(**figures, shared=ones, size=ones)


@pytest.mark.parametrize(
    ("known", "votes", "leak"),
    [
        ({}, 8, True),
        ({}, 7, False),
        ({"likeness": 0.8}, 8, False),
        ({"alike": 0.8}, 8, False),
        ({"tissue": 0.04}, 8, False),
        ({"told": 0.12}, 2, True),
        ({"told": 0.12}, 1, False),
        ({"told": 0.12, "likeness": 0.8}, 2, False),
        ({"told": 0.12, "likeness": 0.8}, 3, True),
    ],
)
def test_less_texture_or_fewer_points_are_enough_for_those_much_alike(known, votes, leak):
    assert agree(fits(**known), np.array([votes]), LIKE)[0] == leak


def test_the_more_pairs_the_more_alike_they_must_be():
    # 40,000 against 10,000 are 4e8 pairs, as measured; ten times as many of each a hundred times.
    small = np.repeat([0, 1], [10_000, 40_000])
    assert least_likeness(small) == LIKE == least_likeness(small[::50])
    assert least_likeness(np.repeat(small, 10)) == pytest.approx(LIKE + A_FOLD * np.log(100))
    assert least_likeness(np.repeat(small, 100)) == MOST_LIKE
    assert least_likeness(np.append(small, [-1] * 50_000)) == LIKE


def test_ten_folds_are_compared_each_with_each():
    films = tissue(10, 5)
    images = [film[TILE] for film in films] + [film[TILE][::-1] for film in films]
    folds = [str(i) for i in range(10)]
    leaks = find_leaks(pictures(images, folds + folds[1:] + folds[:1]))
    assert {tuple(sorted((leak.first, leak.second))) for leak in leaks} == {
        (i, i + 10) for i in range(10)
    }


def test_leaks_of_the_table_follow_those_of_the_pixels():
    films = tissue(3, 6)
    told = pictures(
        [film[TILE] for film in films],
        ["a", "b", "b"],
        patient_id=["p", "p", "q"],
        scan_id=["s", "s", "t"],
        top=[0.0, 10.0, 0.0],
        left=[0.0, 0.0, 0.0],
        height=[50.0] * 3,
        width=[50.0] * 3,
    )
    kinds = [leak.kind for leak in find_leaks(told)]
    assert kinds == [LeakKind.BOXES, LeakKind.SCAN, LeakKind.PATIENT]


def test_the_same_pictures_give_the_same_leaks_again():
    films = tissue(6, 7)
    images = [film[TILE] for film in films] + [film[60:210, 60:210] for film in films]
    told = pictures(images, ["a"] * 6 + ["b"] * 6)
    first = find_leaks(told)
    assert len(first) == 6
    assert find_leaks(told) == first


def test_a_folder_of_somebody_else_is_searched(tmp_path):
    films = tissue(3, 8)
    for number, film in enumerate(films):
        Image.fromarray(film[TILE]).save(tmp_path / f"{number}.png")
    Image.fromarray(films[1][TILE][:, ::-1]).save(tmp_path / "again.jpg", quality=75)
    (tmp_path / "labels.csv").write_text(
        "filename,class,set\n0.png,M,train\n1.png,M,train\n2.png,B,train\nagain.jpg,M,test\n"
    )
    (leak,) = find_leaks(read_pictures(tmp_path, tmp_path / "labels.csv"))
    assert {leak.first, leak.second} == {1, 3}
    assert leak.relation.startswith("mirrored left to right")


@pytest.mark.real
def test_films_of_ddsm_are_found_in_cbis(shared_data: Path):
    table = pl.read_csv(shared_data / "ddsm-299" / "index.csv", infer_schema=False)
    rows = table.filter(pl.col("cbis_ids").str.contains("^Mass-Training_[^|]*$")).head(120)
    cbis = shared_data / "cbis-ddsm" / "mass-800" / "train"
    ddsm = [shared_data / "ddsm-299" / name for name in rows["file"]]
    names = [name.removeprefix("Mass-Training_P_") + ".jpg" for name in rows["cbis_ids"]]
    both = [(a, cbis / b) for a, b in zip(ddsm, names, strict=True) if (cbis / b).is_file()][:40]
    files = [a for a, _ in both] + [b for _, b in both]
    images = [decode(path) for path in files]
    archives = ["ddsm"] * len(both) + ["cbis"] * len(both)
    told = pictures(images, [None] * len(images), archive=archives)
    found = {
        tuple(sorted((leak.first, leak.second))) for leak in find_twins(told, column="archive")
    }
    true = {(i, i + len(both)) for i in range(len(both))}
    assert len(both) == 40
    assert len(found & true) >= 38
    assert len(found - true) <= 1
