"""The small views of four films: the extra line feed, damage, and the films cut out of them."""

import numpy as np
import pytest

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.formats.tape import films_of, read_tape

RIGHT, LEFT = Laterality.RIGHT, Laterality.LEFT
CC, MLO = ViewPosition.CC, ViewPosition.MLO


def made_tape():
    """Four films of different sizes as the archive lays them: MLO above, right side on the left."""
    tape = np.full((40 + 10 + 30, 20 + 10 + 25), 65535, np.uint16)
    tape[40:50] = 0
    tape[:40, 20:30] = 0
    tape[50:, 15:25] = 0
    tape[:40, :20] = 1000
    tape[:40, 30:] = 2000
    tape[50:78, :15] = 3000
    tape[50:, 25:50] = 4000
    return tape


def write(path, tape, feed=b"\n"):
    rows, columns = tape.shape
    heading = f"P5\n{columns} {rows}\n65535\n".encode()
    path.write_bytes(heading + feed + tape.astype(">u2").tobytes())
    return path


def test_samples_are_read_with_and_without_the_extra_line_feed(tmp_path):
    tape = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    for feed in (b"\n", b""):
        read = read_tape(write(tmp_path / "TAPE_A_9001_1.COMB.16_PGM", tape, feed))
        assert read.dtype == np.uint16
        assert read.tolist() == tape.tolist()


@pytest.mark.parametrize("change", [-1, -2, -7, 1, 100])
def test_bytes_too_few_or_too_many_are_refused(tmp_path, change):
    path = write(tmp_path / "tape", made_tape())
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"\0" * change)
    with pytest.raises(CorruptFileError, match=r"tape: \d+ bytes follow"):
        read_tape(path)


@pytest.mark.parametrize("data", [b"", b"P5\n", b"P2\n2 2\n65535\n", b"P5\n2 2 255\n\n" + bytes(8)])
def test_other_files_are_refused(tmp_path, data):
    path = tmp_path / "tape"
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match="tape"):
        read_tape(path)


def test_a_heading_that_promises_a_vast_picture_takes_no_memory(tmp_path):
    path = tmp_path / "tape"
    path.write_bytes(b"P5\n60000 60000\n65535\n\n" + bytes(100))
    with pytest.raises(CorruptFileError, match="7200000000 bytes"):
        read_tape(path)


def test_films_are_cut_out_without_the_paper_round_them():
    films = films_of(made_tape())
    assert {view: film.shape for view, film in films.items()} == {
        (RIGHT, MLO): (40, 20),
        (LEFT, MLO): (40, 25),
        (RIGHT, CC): (28, 15),
        (LEFT, CC): (30, 25),
    }
    assert [int(films[key].max()) for key in films] == [1000, 2000, 3000, 4000]


@pytest.mark.parametrize("part", [np.s_[40:50], np.s_[:40, 20:30], np.s_[50:, 15:25]])
def test_films_without_a_strip_between_them_are_not_cut(part):
    tape = made_tape()
    tape[part] = 77
    assert films_of(tape) == {}


def test_a_black_strip_of_another_width_is_a_part_of_a_film():
    tape = made_tape()
    tape[40:52] = 0
    assert films_of(tape) == {}


@pytest.mark.real
def test_the_genuine_view_holds_its_films_at_a_fifteenth_of_their_size(shared_data):
    tape = read_tape(shared_data / "ddsm/genuine/case4000/TAPE_D_4000_1.COMB.16_PGM")
    assert tape.shape == (724, 374)
    # Its films are 12 bits; a picture shifted by one byte would be noise over 16.
    for (side, view), rows, columns in [
        ((LEFT, CC), 5296, 2566),
        ((LEFT, MLO), 5386, 2836),
        ((RIGHT, CC), 5056, 2416),
        ((RIGHT, MLO), 5386, 2596),
    ]:
        film = films_of(tape)[side, view]
        assert film.shape == (rows // 15 + 1, columns // 15 + 1)
        assert np.median(film) < 4096
