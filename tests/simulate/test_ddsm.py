"""Made cases of DDSM: the four files of the archive, each in its own form."""

import numpy as np
import pytest

from mammoscope.archives.ddsm_names import sort_paths
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.formats.ics import VIEWS, read_ics
from mammoscope.formats.ljpeg import decode_ljpeg
from mammoscope.formats.overlay import read_overlay
from mammoscope.formats.tape import films_of, read_tape
from mammoscope.simulate import ddsm
from mammoscope.simulate.ddsm import VOLUMES, tape_bytes, write_patient
from mammoscope.simulate.plan import Job, Plan


def write(folder, index):
    """Write one case at 0.3 mm; returns its folder and truth."""
    plan = Plan(name="ddsm", patients=20, seed=6, spacing_mm=0.3)
    seed = np.random.SeedSequence(6).spawn(20)[index]
    job = Job(plan=plan, index=index, seed=seed, folder=folder / "a", truth=folder / "t")
    scans = write_patient(job).scans
    return (folder / "a" / scans[0].file).parent, scans


@pytest.fixture(scope="module")
def films():
    """What the archive's encoder was given, by view."""
    return {}


@pytest.fixture(scope="module")
def case(tmp_path_factory, films, plain_breasts):
    """The third case: HOWTEK at MGH, benign, a mass and calcifications; 9003 is odd."""
    patch = pytest.MonkeyPatch()
    real = ddsm.to_film

    def keep(scan, scanner, rng):
        films[ddsm.view_name(scan)] = real(scan, scanner, rng)
        return films[ddsm.view_name(scan)]

    with patch.context() as changed:
        changed.setattr(ddsm, "to_film", keep)
        return write(tmp_path_factory.mktemp("ddsm"), 2)


def test_a_case_lies_where_the_archive_would_have_it(case):
    folder, _ = case
    assert folder.parts[-4:] == ("cases", "benigns", "benign_02", "case9003")
    found = sort_paths(str(path) for path in folder.iterdir())
    (sorted_case,) = found.cases
    assert (sorted_case.site, sorted_case.number) == ("A", "9003")
    assert len(sorted_case.images) == 4
    assert sorted_case.ics is not None
    assert sorted_case.tape is not None
    assert found.strays == found.others == ()


def test_images_decode_to_the_film_by_the_ics(case, films):
    folder, _ = case
    ics = read_ics(folder / "A-9003-1.ics")
    for film in ics.views:
        data = (folder / f"A_9003_1.{film.name}.LJPEG").read_bytes()
        image = decode_ljpeg(data, film.lines, film.pixels_per_line)
        assert np.array_equal(image, films[film.name])
        assert int(image.max()) < 1 << film.bits


def test_some_howtek_films_state_rows_and_columns_exchanged(case):
    folder, scans = case
    data = (folder / "A_9003_1.LEFT_CC.LJPEG").read_bytes()
    # formats.md 5: FFD8 FFC3, length, precision 16, then Y and X.
    assert data[:7].hex() == "ffd8ffc3000b10"
    stated = int.from_bytes(data[7:9], "big"), int.from_bytes(data[9:11], "big")
    (scan,) = (s for s in scans if s.file.endswith("LEFT_CC.LJPEG"))
    assert stated == scan.shape_px[::-1]


def test_the_ics_has_the_archives_form(case):
    folder, scans = case
    lines = (folder / "A-9003-1.ics").read_text().split("\n")
    assert lines[:3] == [" ", "ics_version 1.0", "filename A-9003-1"]
    assert lines[9:11] == ["DIGITIZER HOWTEK 43.5", "SEQUENCE"]
    assert [line.split(" ")[0] for line in lines[11:15]] == list(VIEWS)
    assert read_ics(folder / "A-9003-1.ics").notes == ()
    marked = {s.file.rsplit(".", 2)[1] for s in scans if s.findings}
    assert {line.split(" ")[0] for line in lines[11:15] if line.endswith(" OVERLAY")} == marked


def test_overlays_keep_every_rule(case):
    folder, scans = case
    overlays = sorted(folder.glob("*.OVERLAY"))
    assert len(overlays) == sum(bool(scan.findings) for scan in scans) == 2
    for path in overlays:
        abnormalities = read_overlay(path)
        assert [str(a.lesion_types[0]).split()[0] for a in abnormalities] == [
            "MASS",
            "CALCIFICATION",
        ]
        assert all(a.notes == () and a.pathology == "BENIGN" for a in abnormalities)


def test_a_normal_case_has_no_outlines(tmp_path, plain_breasts):
    folder, scans = write(tmp_path, 0)
    assert list(folder.glob("*.OVERLAY")) == []
    assert all(scan.normal and scan.findings == () for scan in scans)
    # The cases of the scanner DBA have an empty line before the films.
    assert (folder / "A-9001-1.ics").read_text().split("\n")[9:11] == ["DIGITIZER DBA 21", ""]


def test_the_small_view_shows_the_four_films(case, films):
    folder, _ = case
    small = films_of(read_tape(folder / "TAPE_A_9003_1.COMB.16_PGM"))
    assert small.keys() == set(VIEWS.values())
    for name, view in VIEWS.items():
        assert abs(float(small[view].mean()) - float(films[name].mean())) < 40


def test_a_small_view_has_the_extra_line_feed_and_its_films_in_their_corners(tmp_path):
    sizes = {"RIGHT_MLO": (9, 4), "LEFT_MLO": (8, 5), "RIGHT_CC": (6, 3), "LEFT_CC": (6, 4)}
    made = {name: np.full(size, 100 + n, np.uint16) for n, (name, size) in enumerate(sizes.items())}
    (tmp_path / "t").write_bytes(tape_bytes(made, spacing_mm=0.75))
    # Rows 9 + gap 10 + 6; columns 4 + 10 + 5.
    assert (tmp_path / "t").read_bytes().startswith(b"P5\n19 25\n65535\n\n")
    tape = read_tape(tmp_path / "t")
    assert tape[0, 0] == 100
    assert tape[0, -1] == 101
    assert tape[-1, 0] == 102
    assert tape[8, -1] == 65535
    assert films_of(tape)[Laterality.LEFT, ViewPosition.CC].tolist() == made["LEFT_CC"].tolist()


def test_volumes_have_the_scanners_of_the_real_ones():
    # formats.md 4, the table of scanners.
    expected = {
        "normal_01": ("A", "dba", 42.0, 16),
        "cancer_01": ("B", "lumisys", 50.0, 12),
        "benign_02": ("A", "howtek-mgh", 43.5, 12),
        "benign_without_callback_01": ("C", "lumisys", 50.0, 12),
        "cancer_12": ("D", "howtek-ismd", 43.5, 12),
    }
    for volume in VOLUMES:
        if volume.name in expected:
            facts = (volume.letter, volume.scanner, volume.spacing_um, volume.bits)
            assert facts == expected[volume.name]


def test_a_scanners_own_spacing_is_used_where_none_is_asked_for(monkeypatch):
    asked = []

    def stop(rng, *, spacing_mm, lesions):
        asked.append(spacing_mm)
        raise RuntimeError

    monkeypatch.setattr(ddsm, "make_planned", stop)
    for index in (0, 1, 2):
        seed = np.random.SeedSequence(1)
        plan = Plan(name="ddsm", patients=3, seed=1)
        with pytest.raises(RuntimeError):
            write_patient(Job(plan=plan, index=index, seed=seed, folder=None, truth=None))
    assert asked == pytest.approx([0.042, 0.05, 0.0435])
