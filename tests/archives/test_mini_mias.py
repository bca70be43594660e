"""mini-MIAS: what each line of Info.txt becomes, what is told of damage, and the real counts."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.mini_mias import is_here, read
from mammoscope.archives.open import open_archive
from mammoscope.core.errors import AnnotationError, CorruptFileError, LayoutError, MissingFileError
from mammoscope.core.geometry import Circle
from mammoscope.core.vocabulary import (
    FindingKind,
    Laterality,
    Pathology,
    SpacingSource,
    ViewPosition,
)
from mammoscope.formats.raster import read_raster


@pytest.fixture(scope="module")
def real(shared_data):
    return open_archive(shared_data / "mini-mias")


def only_scan(folder):
    (scan,) = read(folder).scans()
    return scan


def told(archive):
    """All that the check says, without the folder."""
    return " | ".join(f"{p.where} {p.what}" for p in archive.check()).replace(
        str(archive.folder), ""
    )


def test_a_line_becomes_a_scan_with_its_facts(make_mias):
    scan = only_scan(make_mias("mdb001 G CIRC B 535 425 197"))
    assert (scan.scan_id, scan.patient_id, scan.exam_id) == ("mdb001", "mias-001", "mias-001")
    assert (scan.laterality, scan.view) == (Laterality.RIGHT, ViewPosition.MLO)
    assert (scan.spacing_mm, scan.spacing_source) == ((0.2, 0.2), SpacingSource.ARCHIVE)
    assert scan.breast_density == "G"
    assert scan.normal_ground is None


def test_rows_count_from_the_top_where_info_counts_from_the_bottom(make_mias):
    (finding,) = only_scan(make_mias("mdb001 G CIRC B 535 425 197")).findings
    assert finding.roi == Circle(1024 - 425, 535, 197)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("CALC", FindingKind.CALCIFICATION),
        ("CIRC", FindingKind.MASS),
        ("SPIC", FindingKind.MASS),
        ("MISC", FindingKind.MASS),
        ("ARCH", FindingKind.ARCHITECTURAL_DISTORTION),
        ("ASYM", FindingKind.ASYMMETRY),
    ],
)
def test_each_class_has_its_kind_and_is_kept_as_first_descriptor(make_mias, word, kind):
    (finding,) = only_scan(make_mias(f"mdb001 D {word} M 1 1 1")).findings
    assert (finding.kind, finding.descriptors[0]) == (kind, word)
    assert finding.pathology is Pathology.MALIGNANT


def test_a_normal_scan_has_no_findings_and_says_how_that_is_known(make_mias):
    scan = only_scan(make_mias("mdb001 D NORM"))
    assert scan.findings == ()
    assert "NORM" in scan.normal_ground


@pytest.mark.parametrize("place", ["", " *NOTE 3*", " *NOTE 3* "])
def test_a_finding_without_a_place_is_kept_without_a_roi(make_mias, place):
    (finding,) = only_scan(make_mias(f"mdb001 D CALC M{place}")).findings
    assert finding.roi is None
    assert finding.kind is FindingKind.CALCIFICATION


def test_several_rows_of_a_scan_are_several_findings(make_mias):
    scan = only_scan(make_mias("mdb001 F CIRC B 477 133 30", "mdb001 F CIRC M 500 168 26"))
    assert [f.finding_id for f in scan.findings] == ["mdb001_1", "mdb001_2"]
    assert scan.pathology is Pathology.MALIGNANT


def test_odd_and_even_films_are_the_breasts_of_one_patient(make_mias):
    folder = make_mias(
        *(f"mdb{n:03d} F NORM" for n in (1, 2, 3)), scans=[f"mdb{n:03d}.pgm" for n in (1, 2, 3)]
    )
    archive = read(folder)
    assert archive.patients() == ("mias-001", "mias-002")
    assert [s.laterality for s in archive.exams()[0].scans] == [Laterality.RIGHT, Laterality.LEFT]


@pytest.mark.parametrize("changes", [{"line_end": "\r\n"}, {"coding": "utf-8-sig"}])
def test_windows_line_ends_and_marks_change_nothing(make_mias, changes):
    lines = ("mdb001 G CIRC B 535 425 197", "mdb002 D NORM ")
    scans = ("mdb001.pgm", "mdb002.pgm")
    plain = read(make_mias(*lines, scans=scans)).scans()
    assert read(make_mias(*lines, scans=scans, **changes)).scans() == plain


def test_scans_lie_beside_the_table_or_below_it_and_pgm_goes_first(make_mias):
    folder = make_mias(
        "mdb001 G NORM", "mdb002 G NORM", scans=("mdb001.png", "mdb001.pgm", "scans/mdb002.PNG")
    )
    assert [s.path.name for s in read(folder).scans()] == ["mdb001.pgm", "mdb002.PNG"]


def test_rows_of_absent_scans_are_told_and_left_out(make_mias):
    archive = read(make_mias("mdb001 G NORM", "mdb002 G NORM"))
    assert [s.scan_id for s in archive.scans()] == ["mdb001"]
    assert "mdb002" in told(archive)


def test_scans_that_no_row_names_are_told_and_left_out(make_mias):
    archive = read(make_mias("mdb001 G NORM", scans=("mdb001.pgm", "mdb007.pgm")))
    assert [s.scan_id for s in archive.scans()] == ["mdb001"]
    assert "mdb007" in told(archive)


@pytest.mark.parametrize(
    "line",
    [
        "mdb001",
        "mdb001 X NORM",
        "mdb001 G NORM B",
        "mdb001 G BLOB B 1 2 3",
        "mdb001 G CIRC 535 425 197",
        "mdb001 G CIRC B 535 425",
        "mdb001 G CIRC B 535 four 197",
        "mdb001 G CIRC B 535 -425 197",
        "mdb001 G CIRC B 535 425 0",
        "mdb001 G CIRC B 2000 425 197",
        "mdb001 G CIRC B 535 425 1025",
        f"mdb001 G CIRC B 535 {'9' * 5000} 197",
        "mdb001 G CIRC B 535 \u0664 197",
        "mdb01 G NORM",
        "mdb001 G CIRC B *NOTE 4*",
        "001 G CIRC B 535 425 197",
    ],
)
def test_a_damaged_line_is_named_with_its_text_and_what_was_expected(make_mias, line):
    archive = read(make_mias("mdb002 D NORM", line, scans=("mdb001.pgm", "mdb002.pgm")))
    with pytest.raises(AnnotationError, match=r"Info\.txt, line 10: .*expected") as caught:
        archive.scans()
    assert repr(line) in str(caught.value)
    assert "Info.txt, line 10" in told(archive)


def test_undecodable_bytes_are_a_damaged_line(make_mias):
    folder = make_mias("mdb001 G CIRC B 535 425 197")
    table = folder / "Info.txt"
    table.write_bytes(table.read_bytes().replace(b"CIRC", b"CI\xffC"))
    with pytest.raises(AnnotationError, match="line 9"):
        read(folder).scans()


def test_an_info_that_cannot_be_read_is_no_archive_and_named_where_asked_for(
    make_mias, monkeypatch
):
    folder = make_mias("mdb001 D NORM")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(folder), "read_bytes", refuse)
    assert not is_here(folder)
    with pytest.raises(MissingFileError, match=r"(?i)info\.txt: .*Permission denied"):
        read(folder)


def test_a_file_far_too_large_for_an_info_is_refused(make_mias):
    folder = make_mias("mdb001 D NORM")
    (info,) = (path for path in folder.iterdir() if path.name.lower() == "info.txt")
    with info.open("r+b") as stream:
        stream.truncate(5_000_000_000)
    assert not is_here(folder)
    with pytest.raises(CorruptFileError, match="more than 1000000 bytes"):
        read(folder)


def test_a_scan_both_normal_and_not_is_told(make_mias):
    archive = read(make_mias("mdb001 G NORM", "mdb001 G CIRC B 535 425 197"))
    assert "mdb001 is called NORM and has a finding" in told(archive)


def test_the_misprinted_radius_of_one_copy_is_put_right_and_told(make_mias):
    folder = make_mias("mdb063 D MISC B 546 463 53", scans=("mdb063.pgm",))
    assert only_scan(folder).findings[0].roi.radius == 33
    assert "53" in told(read(folder))


def test_a_folder_without_a_scan_is_an_error_that_says_where_to_put_them(make_mias):
    with pytest.raises(MissingFileError, match=r"none of the scans .* mdb001\.pgm"):
        read(make_mias("mdb001 G NORM", scans=()))


def test_a_folder_with_another_info_is_an_error_that_says_what_was_expected(tmp_path):
    (tmp_path / "Info.txt").write_text("Hello.\n")
    with pytest.raises(LayoutError, match=r"expected Info\.txt"):
        read(tmp_path)


def test_a_picture_of_another_size_or_none_is_told(make_mias):
    folder = make_mias("mdb001 G NORM", "mdb002 G NORM", scans=("mdb002.png",))
    Image.fromarray(np.zeros((512, 1024), np.uint8)).save(folder / "mdb001.png")
    said = told(read(folder))
    assert "mdb001.png the picture has 512 x 1024 pixels" in said
    assert "mdb002.png" in said


@pytest.mark.parametrize(
    ("place", "is_told"), [("100 924 20", False), ("900 924 20", True), ("1024 0 1", True)]
)
def test_a_finding_on_black_film_or_beside_the_picture_is_told(make_mias, place, is_told):
    folder = make_mias(f"mdb999 G CIRC B {place}", scans=())
    image = np.zeros((1024, 1024), np.uint8)
    image[:, :300] = 90
    Image.fromarray(image).save(folder / "mdb999.png")
    archive = read(folder)
    seen = archive.look(archive.records[0])
    assert [("black film" in problem.what) for problem in seen.problems] == [True] * is_told


@pytest.mark.real
def test_pixels_other_than_the_archive_s_are_told(make_mias, shared_data):
    image = read_raster(shared_data / "mini-mias/scans/mdb001.png")
    folder = make_mias("mdb001 G CIRC B 535 425 197", scans=())
    Image.fromarray(image).save(folder / "mdb001.png")
    assert told(read(folder)) == ""
    stretched = (image.astype(float) * 255 / image.max()).astype(np.uint8)
    Image.fromarray(stretched).save(folder / "mdb001.png")
    assert "mdb001.png the pixels are not the archive's own" in told(read(folder))


@pytest.mark.real
def test_counts_are_those_published_for_the_shared_part(real):
    normal = [scan for scan in real.scans() if scan.findings == ()]
    assert (len(real.scans()), len(real.patients()), len(normal)) == (258, 129, 165)
    assert len(real.findings()) + len(normal) == 261
    assert Counter(scan.pathology for scan in real.scans()) == {
        None: 165,
        Pathology.BENIGN: 51,
        Pathology.MALIGNANT: 42,
    }
    assert Counter((f.pathology.value[0], f.descriptors[0]) for f in real.findings()) == {
        **{("B", word): n for word, n in BENIGN.items()},
        **{("M", word): n for word, n in MALIGNANT.items()},
    }


BENIGN = {"CIRC": 18, "MISC": 6, "ASYM": 6, "ARCH": 8, "SPIC": 8, "CALC": 7}
MALIGNANT = {"CIRC": 3, "ASYM": 9, "ARCH": 8, "MISC": 6, "SPIC": 6, "CALC": 11}


@pytest.mark.real
def test_patients_by_their_gravest_finding_are_those_published(real):
    gravest = dict.fromkeys(real.patients(), "none")
    for wanted in (Pathology.BENIGN, Pathology.MALIGNANT):
        gravest.update({s.patient_id: wanted for s in real.scans() if s.pathology is wanted})
    assert Counter(gravest.values()) == {Pathology.MALIGNANT: 42, Pathology.BENIGN: 45, "none": 42}


@pytest.mark.real
def test_missing_places_and_several_rows_are_where_they_are_published(real):
    placeless = [f.scan_id for f in real.findings() if f.roi is None]
    several = [scan.scan_id for scan in real.scans() if len(scan.findings) > 1]
    assert placeless == ["mdb059", "mdb216", "mdb245"]
    assert several == ["mdb132", "mdb223", "mdb249"]


@pytest.mark.real
def test_every_circle_s_centre_lies_on_the_scan(real):
    for finding in real.findings():
        if finding.roi is not None:
            row, column = finding.roi.centre
            assert 0 <= row < 1024, finding
            assert 0 <= column < 1024, finding


@pytest.mark.real
def test_pixels_agree_with_the_sides_and_with_rows_from_the_bottom(real):
    """In the usual hanging a left breast's chest wall lies at the left of the picture."""
    sides, contrasts = [], []
    for scan in real.scans()[::4]:
        image = read_raster(scan.path)[::4, ::4].astype(float)
        bright = np.where(image > 40)[1]
        wall_at_left = bright.mean() < (bright.min() + bright.max()) / 2
        sides.append(wall_at_left == (scan.laterality is Laterality.LEFT))
        for roi in (f.roi for f in scan.findings if f.roi is not None):
            upside_down = Circle(1024 - roi.row, roi.column, roi.radius)
            contrasts.append(contrast(image, roi) - contrast(image, upside_down))
    assert np.mean(sides) > 0.95
    assert np.mean(contrasts) > 10


def contrast(image, circle):
    """Grey levels in a circle above those in the ring round it; a quarter of the file's grid."""
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    away = np.hypot(4 * rows - circle.row, 4 * columns - circle.column)
    inside, ring = away <= circle.radius, (away > circle.radius) & (away < 1.6 * circle.radius)
    return image[inside].mean() - image[ring].mean()
