"""MIAS at 50 micrometres: made films in its layout, and its table against mini-MIAS's own."""

import numpy as np
import pytest

from mammoscope.archives import mini_mias
from mammoscope.archives.mias_50 import is_here, look, read
from mammoscope.archives.mias_info import read_info
from mammoscope.core.errors import LayoutError
from mammoscope.core.geometry import Circle
from mammoscope.core.vocabulary import Laterality, Pathology
from mammoscope.formats.mias_film import LYING_PX, film_of

SIZES = (
    # Size letters of the films with places, by number; from their names in the archive.
    "1m 2l 5l 10m 12l 13l 15m 17s 19l 21l 23l 25l 28l 30m 32l 58l 63m 69l 72m 75m 80m 81l 83l 90m "
    "91m 92m 95l 97l 99m 102m 104m 105l 107l 110l 111l 115l 117l 120l 121l 124m 125l 126l 127m "
    "130l 132x 134x 141x 142x 144x 145x 148x 150x 152x 155l 158m 160l 163l 165s 167l 170m 171l "
    "175m 178s 179s 181m 184l 186s 188m 190l 191s 193l 195l 198m 199m 202l 204l 206l 207m 209l "
    "211m 213s 218l 219l 222m 223s 226m 227m 231l 236l 238m 239l 240l 241s 244m 248l 249m 252m "
    "253l 256l 264m 265m 267l 270m 271l 274x 290s 312l 314l 315l"
)


def name_of(entry):
    number = int(entry[:-1])
    return f"mdb{number:03d}{'l' if number % 2 else 'r'}{entry[-1]}"


@pytest.fixture
def make_films(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).write_bytes(b"")
        return tmp_path

    return make


def told(archive):
    return " | ".join(f"{p.where} {p.what}" for p in archive.problems)


def test_a_film_becomes_a_scan_with_the_side_of_its_name(make_films):
    archive = read(make_films("mdb001lm.pgm", "mdb002rl.pgm", "mdb003ll", "00README.pdf"))
    left, right, normal = archive.scans()
    assert (left.laterality, right.laterality) == (Laterality.LEFT, Laterality.RIGHT)
    assert (left.scan_id, left.patient_id, right.patient_id) == ("mdb001", "mias-001", "mias-001")
    assert (left.spacing_mm, left.breast_density) == ((0.05, 0.05), "G")
    assert (normal.findings, normal.normal_ground is not None) == ((), True)
    assert "3 of the archive's 322 films" in told(archive)


def test_places_are_on_the_upright_film(make_films):
    archive = read(make_films("mdb001lm.pgm", "mdb002rl.pgm"))
    left, right = archive.findings()
    # mdb001lm 1815 1116 790 in 2048 lines of 4320: row 4319 - 1815, column 2047 - 1116.
    assert left.roi == Circle(2504, 931, 790)
    # mdb002rl 3091 1262 277: row x, column y.
    assert right.roi == Circle(3091, 1262, 277)
    assert left.pathology is Pathology.BENIGN


def test_films_that_the_archive_does_not_have_and_doubles_are_told(make_films):
    archive = read(make_films("mdb001lm.pgm", "mdb001lm", "mdb323ll"))
    assert "mdb323ll the archive has no such film" in told(archive)
    assert "several files of one film: mdb001lm, mdb001lm.pgm" in told(archive)
    assert len(archive.scans()) == 1


def test_a_folder_of_mini_mias_is_another_archive(make_films):
    folder = make_films("mdb001.pgm")
    assert not is_here(folder)
    assert not is_here(folder / "absent")
    with pytest.raises(LayoutError, match="mdb001lm"):
        read(folder)


def test_a_film_that_lies_the_other_way_is_told(make_films):
    folder = make_films("mdb017ls")
    (scan,) = read(folder).scans()
    lying = np.zeros(LYING_PX["s"], dtype=np.uint8)
    lying[:900] = 150
    scan.path.write_bytes(lying.tobytes())
    assert look(scan).problems == ()
    scan.path.write_bytes(lying[::-1].tobytes())
    (problem,) = look(scan).problems
    assert "the file lies in another way" in problem.what
    scan.path.write_bytes(b"short")
    assert "5 bytes" in look(scan).problems[0].what


@pytest.mark.real
def test_the_table_says_what_mini_mias_says(shared_data, make_films):
    info = read_info(shared_data / "mini-mias" / "Info.txt")
    archive = read(make_films(*(f"mdb{n:03d}{'l' if n % 2 else 'r'}l" for n in range(1, 323))))
    assert len(archive.scans()) == 322
    theirs = {}
    for row in info.rows:
        marked = () if row.word == "NORM" else ((row.word, mini_mias.SEVERITIES[row.severity]),)
        theirs.setdefault(row.reference, []).extend(marked)
    for scan in archive.scans():
        ours = [(finding.descriptors[0], finding.pathology) for finding in scan.findings]
        assert ours == theirs[scan.scan_id], scan.scan_id
    tissues = {row.reference: row.tissue for row in info.rows}
    assert all(scan.breast_density == tissues[scan.scan_id] for scan in archive.scans())


@pytest.mark.real
def test_every_place_agrees_with_mini_mias_within_a_pixel_of_it(shared_data, make_films):
    info = read_info(shared_data / "mini-mias" / "Info.txt")
    archive = read(make_films(*map(name_of, SIZES.split())))
    ours = [(scan, f.roi) for scan in archive.scans() for f in scan.findings if f.roi is not None]
    # mini-MIAS has places for two films more, on black film.
    theirs = [r for r in info.rows if r.radius and r.reference not in ("mdb212", "mdb214")]
    assert len(ours) == len(theirs) == 117
    for (scan, circle), row in zip(ours, theirs, strict=True):
        rows, columns = film_of(scan.path).shape_px
        # mini-MIAS is four times as coarse, centred in 1024 x 1024, mirrored, Y from the bottom.
        column = (columns - 1 - circle.column) / 4 + (1024 - columns / 4) / 2
        y = 1024 - (circle.row / 4 + (1024 - rows / 4) / 2)
        assert scan.scan_id == row.reference
        assert abs(column - row.x) < 1.6
        assert abs(y - row.y) < 1.6
        assert abs(circle.radius / 4 - row.radius) <= 1
