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
    """Map two percentiles of the breast's grey levels to 0 and 1, and its median by a power law.

    The two percentiles take away a scanner's gain and offset. Film and scanner also bend the scale
    between them: the median of a breast lies at 0.49 on CBIS-DDSM and at 0.63 on mini-MIAS. A power
    law brings it to ``middle``.

    Parameters
    ----------
    image : ndarray of shape (rows, columns), float32, any scale that rises with density
    mask : ndarray of shape (rows, columns), bool, True inside the breast
    numbers : ``low`` and ``high``, the percentiles, in [0, 100]; ``middle``, where the median goes,
        in (0, 1); ``bend``, the largest power and the inverse of the smallest, 1 or more

    Returns
    -------
    ndarray of shape (rows, columns), float32 in [0, 1]

    Raises
    ------
    ScanError
        When the breast is of one grey level all over.
    """
    low, median, high = np.percentile(image[mask], (numbers["low"], 50, numbers["high"]))
    if not high > low:
        raise ScanError("the breast is of one grey level all over; is this a mammogram?")
    linear = np.clip((image - low) / (high - low), 0, 1)
    inside = float(np.clip((median - low) / (high - low), 1e-3, 1 - 1e-3))
    power = np.log(numbers["middle"]) / np.log(inside)
    power = float(np.clip(power, 1 / numbers["bend"], numbers["bend"]))
    return np.asarray(linear**power, dtype=np.float32)


def as_stored(
    image: NDArray[np.float32], mask: NDArray[np.bool_], numbers: Mapping[str, float]
) -> NDArray[np.float32]:
    """Divide the stored grey levels by ``divisor`` and clip, as the paper's networks take them.

    Whatever scanner and archive did to the greys stays in the picture. With a ``contrast`` the
    levels first go away from their mean by that factor and come back to whole levels, as
    `mammoscope.training.tile_input.with_contrast` does with tiles.
    """
    del mask
    divisor, contrast = numbers["divisor"], numbers.get("contrast", 1.0)
    if contrast != 1:
        mean = image.mean(dtype=np.float64)
        image = np.floor(((image - mean) * contrast + mean) * ((divisor + 0.5) / divisor))
    return np.asarray(np.clip(image / divisor, 0, 1), dtype=np.float32)


RULES: dict[str, GreyRule] = {
    "as-stored": as_stored,
    "breast-percentiles": breast_percentiles,
}


def grey_rule(name: str) -> GreyRule:
    """Return the rule called `name`; an unknown name is an `UnknownNameError`."""
    if name not in RULES:
        raise UnknownNameError.among("grey rule", name, RULES)
    return RULES[name]
