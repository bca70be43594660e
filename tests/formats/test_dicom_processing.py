"""Images FOR PROCESSING: converted by known answers, refused where the header does not say how."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from mammoscope.core.errors import ScanError
from mammoscope.core.vocabulary import Intent
from mammoscope.formats.dicom import read_dicom
from mammoscope.formats.dicom_processing import CONVERTED, attenuation

RAW = {
    "PresentationIntentType": "FOR PROCESSING",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2.1",
    "PixelIntensityRelationship": "LIN",
    "PixelIntensityRelationshipSign": 1,
}


def header(relation="LIN", sign=1, **tags):
    made = Dataset()
    made.BitsStored = 12
    made.PixelRepresentation = 0
    made.PixelIntensityRelationship = relation
    made.PixelIntensityRelationshipSign = sign
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


def test_an_exposure_of_a_tenth_is_one_natural_logarithm_of_ten():
    stored = np.array([[4000, 400], [40, 4]], np.uint16)
    image = attenuation("x", header(), stored)

    assert image.dtype == np.float32
    np.testing.assert_allclose(image, np.log(10) * np.array([[0, 1], [2, 3]]), rtol=1e-5)


def test_layers_of_equal_thickness_take_away_equal_amounts():
    # Beer and Lambert: mu = 0.8 per cm, 0 to 5 cm of tissue before an open beam of 60,000 counts.
    depth_cm = np.arange(6.0)
    stored = np.rint(60_000 * np.exp(-0.8 * depth_cm)).astype(np.uint16)[None, :]
    image = attenuation("x", header(BitsStored=16), stored)

    np.testing.assert_allclose(image[0], 0.8 * depth_cm, atol=1e-3)


def test_a_pixel_without_counts_is_finite_and_the_densest():
    image = attenuation("x", header(), np.array([[0, 1, 10]], np.uint16))
    np.testing.assert_allclose(image, [[np.log(10), np.log(10), 0]], rtol=1e-6)


def test_the_sign_tells_which_end_is_the_open_beam():
    stored = np.array([[95, 3995]], np.uint16)
    image = attenuation("x", header(sign=-1), stored)
    # Of 12 bits 4095 is the largest: exposures of 4000 and 100 counts.
    np.testing.assert_allclose(image, [[0, np.log(40)]], rtol=1e-6)


@pytest.mark.parametrize(("sign", "answer"), [(1, [[90, 0]]), (-1, [[0, 90]])])
def test_what_is_a_logarithm_already_is_only_turned(sign, answer):
    image = attenuation("x", header("LOG", sign), np.array([[10, 100]], np.uint16))
    np.testing.assert_array_equal(image, answer)


def test_padding_is_dark_and_does_not_set_the_scale():
    stored = np.array([[4095, 1000, 100]], np.uint16)
    image = attenuation("x", header(PixelPaddingValue=4095), stored)
    np.testing.assert_allclose(image, [[0, 0, np.log(10)]], rtol=1e-6)


@pytest.mark.parametrize(
    ("relation", "sign"), [("", 1), ("SQRT", 1), ("LIN", 0), (None, None), ("LOG", 2)]
)
def test_a_header_that_does_not_say_how_is_refused(relation, sign):
    with pytest.raises(ScanError, match=r"^x: .*does not say how its pixels follow the exposure"):
        attenuation("x", header(relation, sign), np.array([[1, 2]], np.uint16))


def test_an_image_of_one_value_is_refused():
    with pytest.raises(ScanError, match="all pixels are equal"):
        attenuation("x", header(), np.full((2, 2), 7, np.uint16))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_converted_file_says_so_and_its_polarity_does_not_depend_on_the_display(
    write_dicom, photometric
):
    stored = np.array([[4000, 400], [40, 4]], np.uint16)
    path = write_dicom(stored, bits=12, PhotometricInterpretation=photometric, **RAW)
    dicom = read_dicom(path, for_processing="convert")

    np.testing.assert_array_equal(dicom.image, attenuation(path, header(), stored))
    np.testing.assert_array_equal(dicom.stored, stored)
    assert CONVERTED in dicom.facts.warnings
    assert dicom.facts.intent is Intent.FOR_PROCESSING


def test_images_for_presentation_are_never_converted(write_dicom):
    stored = np.array([[1, 2], [3, 4]], np.uint16)
    path = write_dicom(stored, PixelIntensityRelationship="LOG", PixelIntensityRelationshipSign=-1)
    dicom = read_dicom(path, for_processing="convert")

    np.testing.assert_array_equal(dicom.image, stored)
    assert dicom.facts.warnings == ()


def test_without_a_choice_an_image_for_processing_is_refused(write_dicom):
    path = write_dicom(np.array([[1, 2]], np.uint16), **RAW)
    with pytest.raises(ScanError, match=r"FOR PROCESSING.*or convert it"):
        read_dicom(path)
