"""How much each place stands out of what is round it, whatever the film's greys are.

Two archives can show the same mass in greys that no rule for a whole scan makes alike: a mass in a
dense breast is white in white. Measured by the spread of its surroundings it looks the same.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LEAST_SPREAD = 0.03
"""Added to the spread, so that noise on an even ground does not stand out."""
MOST = 3.0
OUTSIDE = -2.0
"""What places that are black, outside the breast, are said to be."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Cells of so many pixels a side, averaged twice over squares of so many cells.

    Squares averaged twice weigh about as a Gaussian does, of a standard deviation of
    cell_px * sqrt((square ** 2 - 1) / 6); coarse cells make it cheap.
    """

    cell_px: int
    square: int


def stand_out(x: Tensor, surroundings: Surroundings) -> Tensor:
    """Say by how many local standard deviations each pixel differs from its surroundings' mean.

    Black pixels (0) are outside the breast and do not count as surroundings.

    Parameters
    ----------
    x : (batch, 1, rows, columns), float in [0, 1]; rows and columns multiples of the cells

    Returns
    -------
    Tensor of the same shape, in [-3, 3]
    """
    cell, square = surroundings.cell_px, surroundings.square
    seen = (x > 0).to(x.dtype)
    parts = functional.avg_pool2d(torch.cat([x, x * x, seen], dim=1), cell)
    for _ in range(2):
        parts = functional.avg_pool2d(parts, square, 1, square // 2)
    share = parts[:, 2:].clamp(min=1e-3)
    mean, square_mean = parts[:, :1] / share, parts[:, 1:2] / share
    # A root of 0 has no gradient.
    spread = (square_mean - mean * mean).clamp(min=1e-8).sqrt() + LEAST_SPREAD
    both = functional.interpolate(
        torch.cat([mean, spread], dim=1),
        scale_factor=float(cell),
        mode="bilinear",
        align_corners=False,
    )
    found: Tensor = ((x - both[:, :1]) / both[:, 1:]).clamp(-MOST, MOST)
    return found * seen + (1 - seen) * OUTSIDE
