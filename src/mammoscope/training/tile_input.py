"""The one road from a tile's stored pixels to a network's input, as the contract's InputSpec says.

Training, validation and evaluation call `network_input` and nothing else, so that none of them can
feed another scale than the others: the paper's first networks were trained on centred tiles and
tested on raw ones (method facts 4, "Scaling bypass bug").
"""

from collections.abc import Callable
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from mammoscope.core.contract import InputSpec
from mammoscope.core.errors import ContractError
from mammoscope.models.facts import VALUE_RANGES, WHITE
from mammoscope.tiles.store import TileSet

GREY_RULE = "as-stored"


SPACING_TOLERANCE = 0.05
"""Spacings are the same where they differ by no more than this share."""


def tile_spec(scaling: str, spacing_mm: float, contrast: float = 1.0) -> InputSpec:
    """Make the contract's input half for tiles of stored grey levels.

    Parameters
    ----------
    scaling : "raw", "unit" or "centred", see `VALUE_RANGES`
    spacing_mm : side of a tile's pixel
    contrast : factor by which grey levels go away from their tile's mean; 1 leaves them
    """
    numbers = {"divisor": WHITE} | ({} if contrast == 1 else {"contrast": contrast})
    return InputSpec(
        spacing_mm=spacing_mm,
        grey_rule=GREY_RULE,
        grey_numbers=numbers,
        value_range=VALUE_RANGES[scaling],
        orientation="as-acquired",
    )


def network_input(
    pixels: Tensor, spec: InputSpec, change: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Turn tiles into a network's input, on the device where they are.

    Parameters
    ----------
    pixels : (tiles, side, side), uint8, as a tile set stores them
    spec : the contract's input half, with the grey rule "as-stored"
    change : augmentation of grey levels in [0, 1], shape (tiles, 1, side, side), before scaling

    Returns
    -------
    Tensor of shape (tiles, 1, side, side), float32 in the contract's value range, laid out as
    convolutions are fastest

    Raises
    ------
    ContractError
        When the contract has another grey rule.
    """
    if spec.grey_rule != GREY_RULE:
        raise ContractError(
            f"The contract asks for the grey rule {spec.grey_rule!r}, and stored tiles can only be "
            f"taken {GREY_RULE!r}; use a model that was trained on tiles."
        )
    images = pixels[:, None].float()
    if (factor := spec.grey_numbers.get("contrast", 1.0)) != 1:
        images = with_contrast(images, factor)
    images = images / spec.grey_numbers["divisor"]
    if change is not None:
        images = change(images)
    low, high = spec.value_range
    return (low + images * (high - low)).contiguous(memory_format=torch.channels_last)


def with_contrast(images: Tensor, factor: float) -> Tensor:
    """Change the contrast of each tile as TensorFlow does with whole grey levels.

    ``tf.image.adjust_contrast`` takes levels as shares of 255, moves each away from the mean of its
    image, and comes back to uint8 by ``convert_image_dtype(saturate=True)``: times 255.5, cut off
    at whole numbers. So a level of 100.6 becomes 100, and one of 254.6 becomes 255.

    Parameters
    ----------
    images : (tiles, 1, side, side), float, grey levels from 0 to 255
    factor : 1 leaves the levels as they are

    Returns
    -------
    Tensor of the same shape: whole grey levels from 0 to 255
    """
    means = images.double().mean(dim=(1, 2, 3), keepdim=True).float()
    moved = (images - means) * factor + means
    return torch.floor(moved * ((WHITE + 0.5) / WHITE)).clamp(0, WHITE)


def spacing_of(tiles: TileSet) -> float | None:
    """Median side of the tiles' pixels in millimetres; None where no tile's is known."""
    table = tiles.table
    row, column = table["spacing_row_mm"].drop_nulls(), table["spacing_column_mm"].drop_nulls()
    if row.is_empty() or column.is_empty():
        return None
    middle = float(np.median(np.concatenate([row.to_numpy(), column.to_numpy()])))
    return middle if isfinite(middle) and middle > 0 else None


def spacing_range(tiles: TileSet) -> tuple[float, float] | None:
    """Smallest and largest side of the tiles' pixels in millimetres; None where none is known."""
    both = [tiles.table[f"spacing_{way}_mm"].drop_nulls().to_numpy() for way in ("row", "column")]
    every = np.concatenate(both)
    return (float(every.min()), float(every.max())) if len(every) else None
