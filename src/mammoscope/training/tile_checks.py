"""What tiles have to have so that a network can be trained on them and measured."""

import numpy as np
import torch
from torch import nn

from mammoscope.core.errors import ShapeError, SpacingError, SpacingMissingError, TrainingError
from mammoscope.core.vocabulary import Split
from mammoscope.models.facts import NetworkFacts
from mammoscope.models.heads import Head
from mammoscope.tiles.store import TileSet
from mammoscope.training.settings import TileSettings
from mammoscope.training.tile_input import SPACING_TOLERANCE, spacing_of, spacing_range


def check_splits(tiles: TileSet, head: Head, batch_size: int) -> None:
    """Refuse tiles on which a network cannot be trained or measured.

    Raises
    ------
    TrainingError
        When a split lacks tiles of a class that the head answers, or a batch needs more than
        there are.
    """
    labels = tiles.table["label"].to_numpy()
    for split in Split:
        truth = head.truth(labels[tiles.rows_of(split)])
        counts = np.bincount(truth, minlength=len(head.targets))
        if len(truth) == 0 or not counts.all():
            missing = head.targets[int(counts.argmin())]
            raise TrainingError(
                f"{tiles.folder}: the {split} patients have 0 {missing} tiles of {len(truth)}, and "
                f"head {head.name!r} needs every class in every split; use a larger archive, "
                "another seed or another head."
            )
    training = len(tiles.rows_of(Split.TRAIN))
    if training < batch_size:
        raise TrainingError(
            f"{tiles.folder}: a batch of {batch_size} needs more than {training} tiles; "
            "lower batch_size."
        )


def check_side(network: nn.Module, facts: NetworkFacts, tiles: TileSet, classes: int) -> None:
    """Refuse tiles of a size for which the network has no answer.

    Raises
    ------
    ShapeError
        When the tiles are neither of the network's side nor of one that it pools.
    """
    side = tiles.shards[0].shape[1]
    if side == facts.side_px:
        return
    was_training = network.training
    try:
        with torch.inference_mode():
            answer = network.eval()(torch.zeros(1, 1, side, side))
        fits = answer.shape == (1, classes)
    except RuntimeError:
        fits = False
    network.train(was_training)
    if not fits:
        raise ShapeError(
            f"{tiles.folder}: its tiles have {side} x {side} pixels, and this network takes "
            f"{facts.side_px} x {facts.side_px}; build tiles of that side, or choose a network "
            "that pools over the whole tile."
        )


def spacing_for(settings: TileSettings, tiles: TileSet) -> float:
    """Side of the tiles' pixels, from the tiles or, where they do not know it, the settings.

    Raises
    ------
    SpacingMissingError
        When neither knows it.
    SpacingError
        When they contradict each other.
    """
    found, given = spacing_of(tiles), settings.input.spacing_mm
    if found is None and given is None:
        raise SpacingMissingError(
            f"{tiles.folder}: its tiles do not know the size of their pixels, and the contract "
            "needs it; give it with --set input.spacing_mm=..."
        )
    if found is not None and given is not None and abs(found / given - 1) > SPACING_TOLERANCE:
        raise SpacingError(
            f"{tiles.folder}: its tiles have {found:.4g} mm a pixel, and input.spacing_mm says "
            f"{given:.4g}; leave it out, or use other tiles."
        )
    spacing = given if found is None else found
    assert spacing is not None
    return spacing


def spacing_limits(tiles: TileSet) -> tuple[str, ...]:
    """Say what a contract's user should know of the tiles' spacings; nothing where they agree."""
    ends = spacing_range(tiles)
    if ends is None:
        return ("The spacing of its tiles was given by hand, not known from their scans.",)
    if ends[1] / ends[0] - 1 <= SPACING_TOLERANCE:
        return ()
    return (
        f"Its tiles had pixels of {ends[0]:.3g} to {ends[1]:.3g} mm; the contract's is the median.",
    )
