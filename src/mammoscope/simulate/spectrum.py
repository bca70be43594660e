"""The slope of the power spectrum of breast tissue, by which made and real tissue are compared.

The spectrum of mammograms falls as P(f) = B / f**beta. It is measured as L Chen et al 2012
(Medical Physics 39, 1435) did: square regions inside the breast, a Hann window, the mean of their
spectra over all directions, a line through its logarithm.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import ScanError

REGION_MM = 25.6
"""Side of a region."""
FREQUENCIES_MM = (0.10, 0.80)
"""Frequencies of the fit in cycles per millimetre: below lies the form, above the grain."""


def spectral_slope(
    image: NDArray[np.floating], breast: NDArray[np.bool_], spacing_mm: float
) -> float:
    """Return beta of the tissue of one scan.

    Parameters
    ----------
    image : (rows, columns), any linear scale
    breast : (rows, columns) bool; regions lie wholly inside

    Raises
    ------
    ScanError
        No region fits into the breast, or the pixels are too large for the fit.
    """
    side = round(REGION_MM / spacing_mm)
    if 0.5 / spacing_mm < 1.2 * FREQUENCIES_MM[1]:
        raise ScanError(f"Pixels of {spacing_mm} mm are too large; at most 0.5 mm will do.")
    window = np.hanning(side)[:, None] * np.hanning(side)[None, :]
    spectra = []
    for top in range(0, image.shape[0] - side + 1, side // 2):
        for left in range(0, image.shape[1] - side + 1, side // 2):
            here = slice(top, top + side), slice(left, left + side)
            if breast[here].all():
                region = np.asarray(image[here], dtype=np.float64)
                spectra.append(np.abs(np.fft.rfft2((region - region.mean()) * window)) ** 2)
    if not spectra:
        raise ScanError(f"No region of {REGION_MM} mm fits into the breast; give a whole scan.")
    return _slope(np.mean(spectra, axis=0), side, spacing_mm)


def _slope(power: NDArray[np.float64], side: int, spacing_mm: float) -> float:
    frequency = np.hypot(
        np.fft.fftfreq(side, spacing_mm)[:, None], np.fft.rfftfreq(side, spacing_mm)[None, :]
    )
    edges = np.geomspace(*FREQUENCIES_MM, 14)
    places, heights = [], []
    for low, high in pairwise(edges):
        ring = (frequency >= low) & (frequency < high)
        if ring.any():
            places.append(np.log(frequency[ring].mean()))
            heights.append(np.log(power[ring].mean()))
    return float(-np.polyfit(places, heights, 1)[0])
