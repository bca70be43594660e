"""The DDSM films of CBIS-DDSM's scans, from the packaged tables."""

import csv
from pathlib import Path

import pytest

from mammoscope.formats.cbis_spacing import film_of, match_of, spacing_mm_of

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


def test_a_film_among_the_calcifications_is_that_among_the_masses():
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
    sized = 0
    for row in matches:
        match = match_of(row["cbis_scan"])
        assert match is not None, row
        # The case's folder in DDSM has one number more than the case: A_1212_1.LEFT_CC.
        assert match.ddsm_film == row["ddsm_film"]
        assert match.ddsm_case.startswith(f"{row['ddsm_volume']}/")
        if not row["lines"]:
            continue
        sized += 1
        assert match.film is not None, row
        assert match.film.spacing_mm[0] == pytest.approx(float(row["resolution_um"]) / 1000), row
        size = int(float(row["lines"])), int(float(row["pixels_per_line"]))
        assert (match.film.rows, match.film.columns) == size
        assert match.scanner == row["digitizer"]
        assert match.age == str(int(float(row["age"])))
    assert sized == 2683


@pytest.mark.real
def test_a_scan_of_its_film_s_size_has_the_spacing_of_the_match(matches: list[dict[str, str]]):
    same = [row for row in matches if row["spacing_from"] == "ddsm ics"]

    assert len(same) == 1364
    for row in same:
        film = film_of(row["cbis_scan"])
        assert film is not None
        assert (film.rows, film.columns) == (
            int(float(row["cbis_rows"])),
            int(float(row["cbis_columns"])),
        )
        assert film.spacing_mm[0] == pytest.approx(float(row["spacing_um"]) / 1000)


@pytest.mark.real
def test_a_scan_whose_film_has_no_known_size_is_not_guessed(matches: list[dict[str, str]]):
    known = {row["cbis_scan"].split("_", 1)[1] for row in matches if row["lines"]}
    unknown = [
        row["cbis_scan"] for row in matches if row["cbis_scan"].split("_", 1)[1] not in known
    ]

    assert unknown
    assert all(film_of(name) is None for name in unknown)


def test_the_masks_of_a_howtek_film_lie_on_another_grid_than_the_film():
    # A user measured mask and scan of this film (github.com/fjeg/ddsm_tools, issue 5): the mask has
    # 4386 x 1789 pixels, 50 micrometres, and the scan 5041 x 2056, 43.5 micrometres.
    film = film_of("Mass-Test_P_00145_LEFT_CC")

    assert film is not None
    assert (film.rows, film.columns) == (5041, 2056)
    assert film.spacing_mm == pytest.approx((0.0435, 0.0435))
    assert pytest.approx(4386, abs=1) == 5041 * 43.5 / 50


def test_a_patient_whose_films_lie_in_two_volumes_has_two_cases():
    one, other = match_of("P_01264_LEFT_MLO"), match_of("P_01264_RIGHT_MLO")

    assert one is not None
    assert other is not None
    assert {one.ddsm_case, other.ddsm_case} == {"benign_05/A_1500", "cancer_08/A_1500"}


def test_the_packaged_tables_count_the_archive_s_findings():
    # The published tables: P_00173 RIGHT CC has two masses, P_00016 LEFT CC a mass and a
    # calcification.
    two, both = match_of("P_00173_RIGHT_CC"), match_of("P_00016_LEFT_CC")

    assert two is not None
    assert both is not None
    assert (two.masses, two.calcifications) == (2, 0)
    assert (both.masses, both.calcifications) == (1, 1)
