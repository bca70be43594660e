"""Named grey rules: a scan's own grey levels to [0, 1], dense tissue bright.

Archives differ in grey scale more than normal differs from abnormal, so a rule knows nothing of
archive, scanner or label; it looks at the pixels inside the breast and at its own numbers alone.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import ScanError, UnknownNameError

GreyRule = Callable[
    [NDArray[np.float32], NDArray[np.bool_], Mapping[str, float]], NDArray[np.float32]
]


def breast_percentiles(
    image: NDArray[np.float32], mask: NDArray[np.bool_], numbers: Mapping[str, float]
) -> NDArray[np.float32]:
    """Map two percentiles of the grey levels inside the breast to 0 and 1, and clip.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), float32, any linear scale
    mask : ndarray of shape (rows, columns), bool, True inside the breast
    numbers : ``low`` and ``high``, the percentiles, in [0, 100]

    Returns
    -------
    ndarray of shape (rows, columns), float32 in [0, 1]

    Raises
    ------
    ScanError
        When the breast is of one grey level all over.
    """
    low, high = np.percentile(image[mask], (numbers["low"], numbers["high"]))
    if not high > low:
        raise ScanError("the breast is of one grey level all over; is this a mammogram?")
    return np.clip((image - low) / (high - low), 0, 1).astype(np.float32)


RULES: dict[str, GreyRule] = {"breast-percentiles": breast_percentiles}


def grey_rule(name: str) -> GreyRule:
    """Return the rule called `name`; an unknown name is an `UnknownNameError`."""
    if name not in RULES:
        raise UnknownNameError.among("grey rule", name, RULES)
    return RULES[name]
