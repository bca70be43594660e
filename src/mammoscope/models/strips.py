"""A dense network passed over a large scan in strips, each with as much round it as counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

MOST_PX = 4_000_000
"""A scan of more prepared pixels is passed in strips.

lite0-dense then needs 0.3 GiB in PyTorch and 0.8 in ONNX Runtime.
"""
LEAST_CORE_PX = 256
"""A strip is not made narrower: what lies round it would be nearly all of the work."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a network looks.

    Attributes
    ----------
    halo_px : pixels round a part of a scan that can change the part's answer; a multiple of
        `multiple_px`
    multiple_px : parts begin and end at multiples of this, so that strided layers fall alike
    """

    halo_px: int
    multiple_px: int


REACHES = MappingProxyType(
    {
        "lite0-dense": Reach(halo_px=480, multiple_px=32),
        "lite0-local": Reach(halo_px=544, multiple_px=32),
        "tilenet-dense": Reach(halo_px=288, multiple_px=32),
    }
)
"""By architecture; these look 457, 544 and 276 pixels far, as a gradient in the tests shows."""


@dataclass(frozen=True, slots=True)
class Span:
    """Pixels `first` to `last` (not included) of a side, and what is shown to the network."""

    first: int
    last: int
    shown_first: int
    shown_last: int


def answer_in_strips(
    network: nn.Module, image: Tensor, stride_px: int, reach: Reach, most_px: int = MOST_PX
) -> Tensor:
    """Pass a network over a large image part by part; the answer is that of one pass.

    The image is divided along its longer side, and along both where that is not enough. The
    memory is that of `most_px` pixels, or of the smallest part with its surroundings if that is
    more.

    Parameters
    ----------
    image : (1, 1, rows, columns), float32, sides multiples of `reach.multiple_px`
    stride_px : pixels for one place of the answer
    reach : how far the network looks
    most_px : pixels that are shown to it at a time

    Returns
    -------
    Tensor of shape (1, targets, rows / stride_px, columns / stride_px)
    """
    rows, columns = int(image.shape[2]), int(image.shape[3])
    core = _core(rows, columns, reach, most_px)
    found: Tensor | None = None
    for down in _spans(rows, core[0], reach.halo_px):
        for across in _spans(columns, core[1], reach.halo_px):
            shown = image[
                ..., down.shown_first : down.shown_last, across.shown_first : across.shown_last
            ]
            part = network(shown.contiguous(memory_format=torch.channels_last))
            if found is None:
                shape = (1, part.shape[1], rows // stride_px, columns // stride_px)
                found = torch.empty(shape, dtype=part.dtype)
            found[..., _places(down, stride_px), _places(across, stride_px)] = part[
                ..., _own(down, stride_px), _own(across, stride_px)
            ]
    assert found is not None
    return found


def _core(rows: int, columns: int, reach: Reach, most_px: int) -> tuple[int, int]:
    """Rows and columns of a part: the longer side is halved until a part is small enough."""
    sides, core = (rows, columns), [rows, columns]

    def shown(axis: int) -> int:
        return min(sides[axis], core[axis] + 2 * reach.halo_px)

    while shown(0) * shown(1) > most_px:
        # Only halving what is longer than its surroundings makes a part smaller.
        wide = [axis for axis in (0, 1) if core[axis] > LEAST_CORE_PX]
        if not wide:
            break
        axis = max(wide, key=lambda one: core[one])
        half = -(-core[axis] // (2 * reach.multiple_px)) * reach.multiple_px
        core[axis] = max(half, LEAST_CORE_PX)
    return core[0], core[1]


def _spans(side: int, core: int, halo: int) -> Iterator[Span]:
    for first in range(0, side, core):
        last = min(first + core, side)
        yield Span(first, last, max(0, first - halo), min(side, last + halo))


def _places(span: Span, stride: int) -> slice:
    """Where a part's places lie in the whole answer."""
    return slice(span.first // stride, span.last // stride)


def _own(span: Span, stride: int) -> slice:
    """Where a part's own places lie in the answer for what was shown."""
    begin = (span.first - span.shown_first) // stride
    return slice(begin, begin + (span.last - span.first) // stride)
