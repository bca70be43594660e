"""Pixel sizes of CBIS-DDSM's scans, from the packaged table."""

import csv
from pathlib import Path

import pytest

from mammoscope.formats.cbis_spacing import film_of, spacing_mm_of

VIEWS = ("LEFT_CC", "RIGHT_CC", "LEFT_MLO", "RIGHT_MLO")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("patient", ["P_00820", "P_00173"])
def test_films_of_the_lumisys_scanner_have_50_micrometres(patient: str, view: str):
    assert spacing_mm_of(f"Mass-Test_{patient}_{view}") == (0.05, 0.05)


def test_a_film_of_the_howtek_scanner_has_43_5_micrometres():
    film = film_of("Mass-Test_P_00016_LEFT_CC")

    assert film is not None
    assert film.spacing_mm == pytest.approx((0.0435, 0.0435))
    # The table of matches gives this scan 4006 x 1846 pixels, as DDSM's own film.
    assert (film.rows, film.columns) == (4006, 1846)


@pytest.mark.parametrize(
    "name",
    [
        "Mass-Test_P_00820_LEFT_CC",
        "Mass-Test_P_00820_LEFT_CC_1",
        "Mass-Test_P_00820_LEFT_CC_12",
        "P_00820_LEFT_CC",
        "P_00820_LEFT_CC_2",
    ],
)
def test_every_form_of_a_name_is_understood(name: str):
    film = film_of(name)

    assert film is not None
    assert (film.rows, film.columns) == (4736, 2624)


def test_a_film_among_the_calcifications_is_known_by_its_masses():
    assert film_of("Calc-Test_P_00820_LEFT_CC") == film_of("Mass-Test_P_00820_LEFT_CC")


@pytest.mark.parametrize(
    "name",
    ["", "P_00820", "Mass-Test_P_99999_LEFT_CC", "mass-test_p_00820_left_cc", "P_00820_LEFT_CC_x"],
)
def test_an_unknown_scan_has_no_spacing(name: str):
    assert film_of(name) is None
    assert spacing_mm_of(name) is None


@pytest.fixture(scope="module")
def matches(shared_data: Path) -> list[dict[str, str]]:
    """The table of matches that the packaged one was made from."""
    source = shared_data / "cbis-ddsm" / "ddsm-join.csv"
    return list(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))


@pytest.mark.real
def test_the_packaged_table_agrees_with_every_match(matches: list[dict[str, str]]):
    known = 0
    for row in matches:
        film = film_of(row["cbis_scan"])
        if film is None or not row["spacing_um"]:
            continue
        known += 1
        assert film.spacing_mm[0] == pytest.approx(float(row["spacing_um"]) / 1000), row
        assert (film.rows, film.columns) == (
            int(float(row["cbis_rows"])),
            int(float(row["cbis_columns"])),
        ), row
    assert known == 1413


@pytest.mark.real
def test_a_film_resampled_by_the_archive_has_the_new_spacing(matches: list[dict[str, str]]):
    resampled = [
        row
        for row in matches
        if row["spacing_um"]
        and row["resolution_um"]
        and float(row["spacing_um"]) != float(row["resolution_um"])
        and film_of(row["cbis_scan"])
    ]

    assert resampled
    for row in resampled:
        assert spacing_mm_of(row["cbis_scan"]) == pytest.approx((0.05, 0.05)), row


@pytest.mark.real
def test_a_scan_whose_film_has_no_known_size_is_not_guessed(matches: list[dict[str, str]]):
    unknown = {row["cbis_scan"] for row in matches if not row["spacing_um"]}
    # A film that also stands, with a size, in the other table (masses, calcifications) is known.
    elsewhere = {row["cbis_scan"].split("_", 1)[1] for row in matches if row["spacing_um"]}

    alone = [name for name in unknown if name.split("_", 1)[1] not in elsewhere]
    assert alone
    assert all(film_of(name) is None for name in alone)
