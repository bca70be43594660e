import numpy as np
import pytest

from mammoscope.core.errors import ScanError
from mammoscope.simulate.spectrum import spectral_slope
from mammoscope.simulate.tissue import power_law


@pytest.mark.parametrize("beta", [2.5, 3.0, 3.5])
def test_slope_of_a_field_of_known_slope_is_found(beta):
    field = power_law((1024, 1024), 0.2, beta, 200.0, np.random.default_rng(2))
    assert spectral_slope(field, np.ones(field.shape, bool), 0.2) == pytest.approx(beta, abs=0.15)


def test_scale_and_level_of_grey_do_not_matter():
    field = power_law((512, 512), 0.2, 3.0, 100.0, np.random.default_rng(2))
    everywhere = np.ones(field.shape, bool)
    assert spectral_slope(40 * field + 900, everywhere, 0.2) == pytest.approx(
        spectral_slope(field, everywhere, 0.2), abs=1e-3
    )


def test_breast_without_room_for_a_region_is_refused():
    with pytest.raises(ScanError, match=r"No region of 25\.6 mm"):
        spectral_slope(np.ones((300, 300)), np.zeros((300, 300), bool), 0.2)


def test_pixels_too_large_for_the_fit_are_refused():
    with pytest.raises(ScanError, match="too large"):
        spectral_slope(np.ones((300, 300)), np.ones((300, 300), bool), 0.7)
