"""Films of MIAS at 50 micrometres: names, sizes, and the turn that puts them upright."""

import numpy as np
import pytest

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.formats.mias_film import LYING_PX, film_of, read_mias_film


@pytest.fixture
def lying():
    """A film as it lies in its file: a mark near the chest wall, at y = 1500 of 1600, x = 400."""
    image = np.zeros(LYING_PX["s"], dtype=np.uint8)
    image[1600 - 1 - 1500, 400] = 9
    return image


@pytest.mark.parametrize("name", ["mdb017ls", "mdb017ls.raw", "MDB017LS.PGM"])
def test_a_name_says_number_breast_and_size(name):
    film = film_of(name)
    assert (film.reference, film.number, film.side) == ("mdb017", 17, "l")
    assert film.lying_px == (1600, 4320)
    assert film.shape_px == (4320, 1600)


@pytest.mark.parametrize("name", ["mdb017.pgm", "mdb017ls.png", "mdb17ls", "mdb017xs", "00README"])
def test_other_names_are_no_films(name):
    assert film_of(name) is None


@pytest.mark.parametrize(("side", "place"), [("l", (3919, 99)), ("r", (400, 1500))])
def test_pixels_and_places_are_turned_alike(tmp_path, lying, side, place):
    path = tmp_path / f"mdb017{side}s"
    path.write_bytes(lying.tobytes())
    image = read_mias_film(path)
    assert image.shape == (4320, 1600)
    assert np.argwhere(image).tolist() == [list(place)]
    assert film_of(path).upright(400, 1500) == place


def test_a_pgm_holds_the_same(tmp_path, lying):
    raw, pgm = tmp_path / "mdb017ls", tmp_path / "mdb018ls.pgm"
    raw.write_bytes(lying.tobytes())
    pgm.write_bytes(b"P5\n4320 1600\n255\n" + lying.tobytes())
    assert np.array_equal(read_mias_film(raw), read_mias_film(pgm))


def test_a_pgm_that_stands_upright_is_refused_since_its_turn_is_not_known(tmp_path, lying):
    path = tmp_path / "mdb017ls.pgm"
    path.write_bytes(b"P5\n1600 4320\n255\n" + lying.tobytes())
    with pytest.raises(CorruptFileError, match="how it lies is not known"):
        read_mias_film(path)


def test_a_file_of_another_size_is_refused(tmp_path, lying):
    path = tmp_path / "mdb017ls"
    path.write_bytes(lying.tobytes()[:-1])
    with pytest.raises(CorruptFileError, match=r"6911999 bytes .* 1600 lines of 4320"):
        read_mias_film(path)


def test_a_missing_film_and_another_name_are_told(tmp_path):
    with pytest.raises(MissingFileError):
        read_mias_film(tmp_path / "mdb017ls")
    with pytest.raises(UnknownFormatError, match="its size in its name"):
        read_mias_film(tmp_path / "mdb017.pgm")


def test_a_film_that_may_not_be_read_is_named(tmp_path, lying, monkeypatch):
    path = tmp_path / "mdb017ls"
    path.write_bytes(lying.tobytes())

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "fromfile", refuse)
    with pytest.raises(MissingFileError, match=r"mdb017ls: .*Permission denied"):
        read_mias_film(path)
