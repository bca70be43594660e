"""Planted defects, one by one: what each does to its file."""

import numpy as np
import pydicom
import pytest

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.vocabulary import Laterality, ViewPosition
from mammoscope.formats.ics import Ics, IcsView, format_ics, read_ics
from mammoscope.formats.ljpeg import decode_ljpeg
from mammoscope.formats.ljpeg_encode import encode_ljpeg
from mammoscope.formats.overlay import Abnormality, LesionType, format_overlay, read_overlay
from mammoscope.formats.raster import read_raster
from mammoscope.simulate import ddsm_defects, dicom_defects, mias_defects
from mammoscope.simulate.cbis_defects import _halved, _narrowed
from mammoscope.simulate.chain import outline_of
from mammoscope.simulate.defects import fewest_patients
from mammoscope.simulate.dicom_files import new_header, save, set_pixels
from mammoscope.simulate.mias import pgm_bytes
from mammoscope.simulate.truth import TrueScan
from mammoscope.simulate.write import WRITERS

VIEWS = ("LEFT_CC", "LEFT_MLO", "RIGHT_CC", "RIGHT_MLO")


def true_scan(file):
    return TrueScan(
        file=file,
        patient_id="one",
        exam_id="one",
        laterality=Laterality.LEFT,
        view=ViewPosition.CC,
        shape_px=(40, 30),
        spacing_mm=0.2,
        breast_density=2,
        normal=False,
    )


def write_case(folder, number):
    """Write a small case of DDSM with outlines on LEFT_CC and LEFT_MLO."""
    case = folder / f"case{number}"
    case.mkdir()
    region = np.zeros((40, 30), bool)
    region[10:20, 5:15] = True
    mass = LesionType(kind="MASS", qualities=(("SHAPE", ("OVAL",)), ("MARGINS", ())))
    one = Abnormality(
        lesion_types=(mass,),
        assessment=4,
        subtlety=3,
        pathology="BENIGN",
        boundary=outline_of(region),
    )
    rng = np.random.default_rng(number)
    for view in VIEWS:
        image = rng.integers(0, 4096, (40, 30), dtype=np.uint16)
        (case / f"A_{number}_1.{view}.LJPEG").write_bytes(encode_ljpeg(image))
    for view in VIEWS[:2]:
        (case / f"A_{number}_1.{view}.OVERLAY").write_text(format_overlay((one,)))
    films = tuple(
        IcsView(
            name=view,
            lines=40,
            pixels_per_line=30,
            bits=12,
            resolution_um=50.0,
            overlay=view in VIEWS[:2],
        )
        for view in VIEWS
    )
    ics = format_ics(Ics(filename=f"A-{number}-1", density=3, views=films))
    text = ics.replace("DATE_OF_STUDY", "DATE_OF_STUDY 13 6 1995")
    (case / f"A-{number}-1.ics").write_text(text)
    return [true_scan(f"case{number}/A_{number}_1.{view}.LJPEG") for view in VIEWS]


@pytest.fixture(scope="module")
def ddsm(tmp_path_factory):
    """Four small cases with their defects: folder, defects by kind."""
    folder = tmp_path_factory.mktemp("ddsm")
    scans = [scan for number in range(9001, 9005) for scan in write_case(folder, number)]
    defects, kept = ddsm_defects.plant(folder, tuple(scans))
    assert kept == tuple(scans)
    return folder, {defect.kind: folder / defect.file for defect in defects}


def test_every_archive_needs_a_few_patients_for_its_defects():
    assert {name: fewest_patients(name) for name in WRITERS} == {
        "ddsm": 4,
        "cbis-ddsm": 4,
        "mini-mias": 3,
        "dicom": 2,
    }


def test_all_known_defects_of_ddsm_are_planted(ddsm):
    assert set(ddsm[1]) == {
        "missing ics",
        "truncated ljpeg",
        "flipped bit",
        "stray file",
        "overlay in another folder",
        "wrong totals",
        "outline leaves image",
        "wrong flag",
        "density 0",
        "two-digit year",
    }


def test_a_lost_ics_is_gone(ddsm):
    assert not ddsm[1]["missing ics"].exists()


@pytest.mark.parametrize("kind", ["truncated ljpeg", "flipped bit"])
def test_a_damaged_stream_is_refused_by_the_decoder(ddsm, kind):
    with pytest.raises(CorruptFileError):
        decode_ljpeg(ddsm[1][kind].read_bytes(), 40, 30)


def test_a_flipped_bit_is_one_bit(ddsm, tmp_path):
    write_case(tmp_path, 9003)
    path = ddsm[1]["flipped bit"]
    sound = (tmp_path / "case9003" / path.name).read_bytes()
    changed = [a ^ b for a, b in zip(sound, path.read_bytes(), strict=True) if a != b]
    assert len(changed) == 1
    assert changed[0].bit_count() == 1


def test_an_outline_leaves_its_image_by_seven_columns(ddsm):
    (one,) = read_overlay(ddsm[1]["outline leaves image"])
    assert one.notes == ()
    assert one.boundary.box.right == 30 + 7
    assert (one.boundary.box.height, one.boundary.box.width) == (10, 10)


def test_wrong_totals_are_stated_and_nothing_else_is_changed(ddsm):
    (one,) = read_overlay(ddsm[1]["wrong totals"])
    assert len(one.notes) == 2
    assert all("TOTAL" in note for note in one.notes)


def test_headings_say_a_wrong_flag_a_density_of_0_and_a_short_year(ddsm):
    flags = read_ics(ddsm[1]["wrong flag"])
    assert [film.overlay for film in flags.views] == [False, True, False, False]
    assert read_ics(ddsm[1]["density 0"]).density == 0
    assert read_ics(ddsm[1]["two-digit year"]).study_date.text == "13 6 95"


def test_a_mask_of_another_size_has_its_scans_aspect_and_one_of_another_shape_has_not():
    mask = np.zeros((751, 402), np.uint8)
    assert _halved(mask).shape == (376, 201)
    assert _narrowed(mask).shape == (751, 321)


def test_a_narrowed_mask_keeps_its_rows_and_its_two_grey_levels():
    mask = np.zeros((10, 20), np.uint8)
    mask[2:5, 10:20] = 255
    narrow = _narrowed(mask)
    assert np.unique(narrow).tolist() == [0, 255]
    assert narrow[2:5].any(axis=1).all()
    assert narrow[3].tolist() == [0] * 8 + [255] * 8


def test_films_of_mini_mias_are_lost_renamed_and_stretched_and_rows_doubled_and_torn(tmp_path):
    names = [f"mdb{number}" for number in range(323, 329)]
    for name in names:
        image = np.full((8, 8), 200, np.uint8)
        (tmp_path / f"{name}.pgm").write_bytes(pgm_bytes(image))
    (tmp_path / "Info.txt").write_text("".join(f"{name} G NORM \n" for name in names))
    defects, scans = mias_defects.plant(tmp_path, tuple(true_scan(f"{n}.pgm") for n in names))
    lines = (tmp_path / "Info.txt").read_text().split("\n")
    assert lines[:2] == ["mdb323 G NORM "] * 2
    assert lines[4:7] == ["mdb326 G CI", "mdb001 G NORM ", "mdb002 G NORM "]
    assert not (tmp_path / "mdb325.pgm").exists()
    assert read_raster(tmp_path / "mdb001.pgm").max() == 240
    assert [scan.patient_id for scan in scans[4:6]] == ["mias-001"] * 2
    assert len(defects) == 5


def test_dicom_files_are_copied_cut_short_and_lose_their_view(tmp_path):
    files = [f"{number:03d}.dcm" for number in range(8)]
    for number, name in enumerate(files, start=1):
        header = new_header("1.2.840.10008.5.1.4.1.1.1.2", pydicom.uid.UID(f"2.25.{number}"))
        header.PatientID = header.PatientName = "SIM0001"
        header.StudyInstanceUID = header.SeriesInstanceUID = pydicom.uid.UID("2.25.99")
        header.StudyDate = "20200115"
        header.ViewPosition = "CC"
        set_pixels(header, np.zeros((9, 9), np.uint16), bits=12, rle=False)
        save(header, tmp_path / name)
    size = (tmp_path / files[6]).stat().st_size
    defects, _ = dicom_defects.plant(tmp_path, tuple(true_scan(name) for name in files))
    heads = {
        p.name: pydicom.dcmread(p, force=True) for p in tmp_path.iterdir() if p.name != files[6]
    }
    assert heads["900.dcm"].SOPInstanceUID == heads[files[1]].SOPInstanceUID
    assert "ViewPosition" not in heads[files[4]]
    assert heads["901.dcm"].Modality == "CT"
    assert (tmp_path / files[6]).stat().st_size == size // 2
    assert {defect.file for defect in defects} == {"900.dcm", files[4], files[6], "901.dcm"}
