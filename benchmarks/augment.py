"""How many tiles of 299 x 299 pixels a second each kind of augmentation changes, on one core.

Run: ``python benchmarks/augment.py [BATCHES]``. Noise of the machine is told by the spread: the
quickest and the middle batch of 32 tiles are printed, and the middle one beside a plain copy.
"""

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
import torch

from mammoscope.training.augment import AugmentSettings, apply, draw

SIDE, TILES = 299, 32
KINDS = {
    "flips": {},
    "quarter turns": {"quarter_turns": True},
    "rotation, scale, shift": {"rotate_degrees": 20.0, "scale": 0.2, "shift": 0.1},
    "elastic": {"elastic_px": 4.0},
    "contrast, gain, brightness": {"contrast": 0.3, "gain": 0.2, "brightness": 0.1},
    "blur": {"blur_px": 1.5},
    "noise": {"noise": 0.03},
}


def main() -> None:
    """Print a line for each kind, and one for all at once."""
    torch.set_num_threads(1)
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    images = torch.rand(TILES, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    plain = median(_seconds(images.clone) for _ in range(batches))
    everything = {key: value for kind in KINDS.values() for key, value in kind.items()}
    for name, settings in {**KINDS, "everything": everything}.items():
        times = [_one(images, AugmentSettings(**settings), number) for number in range(batches)]
        print(
            f"{name:28} {TILES / median(times):7.0f} tiles/s (best {TILES / min(times):7.0f}), "
            f"{median(times) / plain:6.1f} times a copy"
        )


def _one(images: torch.Tensor, settings: AugmentSettings, number: int) -> float:
    draws = draw(settings, TILES, SIDE, np.random.default_rng(number))
    return _seconds(lambda: apply(images, draws))


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


if __name__ == "__main__":
    main()
