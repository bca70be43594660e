"""`tilenet`: a small residual network for grey tiles, to be trained from scratch.

Plain convolutions of 3 x 3, not separable ones: at these widths a processor spends its time moving
maps, not multiplying, and a plain convolution moves them once. Batch norm, because after training
it folds into the convolution before it and costs nothing, in single precision and in 8 bits. The
head joins the mean and the maximum over all places, so that any side of tile works: the mean sees
tissue, the maximum a few bright grains.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.layers import DenseDropout

GREY_MIDDLE = 0.5
DENSE_DROPOUT = 0.2


@dataclass(frozen=True, slots=True)
class Size:
    """How wide each of the four stages is, and how many residual blocks each has."""

    widths: tuple[int, ...]
    blocks: tuple[int, ...]


SIZES: Mapping[str, Size] = MappingProxyType(
    {
        "tilenet-s": Size(widths=(16, 32, 64, 128), blocks=(1, 1, 1, 1)),
        "tilenet-m": Size(widths=(24, 48, 96, 192), blocks=(1, 2, 3, 1)),
        "tilenet-l": Size(widths=(32, 64, 128, 256), blocks=(2, 2, 3, 2)),
    }
)
"""About 0.3, 1 and 3 million parameters."""


class ConvNorm(nn.Sequential):
    """A convolution without bias and its batch norm."""

    def __init__(self, incoming: int, outgoing: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(incoming, outgoing, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outgoing),
        )


class ResidualBlock(nn.Module):
    """Two convolutions of 3 x 3 added to the input, which follows by 1 x 1 where shapes differ."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(incoming, outgoing, 3, stride)
        self.second = ConvNorm(outgoing, outgoing, 3, 1)
        same = stride == 1 and incoming == outgoing
        self.shortcut = nn.Identity() if same else ConvNorm(incoming, outgoing, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, incoming, rows, columns) to (batch, outgoing, rows / stride, ...)."""
        y = self.second(functional.relu(self.first(x)))
        return functional.relu(y + self.shortcut(x))


def _stages(size: Size) -> Iterator[list[ResidualBlock]]:
    """Make the blocks of one stage after another, each of which halves rows and columns."""
    incoming = size.widths[0]
    for width, blocks in zip(size.widths, size.blocks, strict=True):
        stage = []
        for position in range(blocks):
            stage.append(ResidualBlock(incoming, width, 2 if position == 0 else 1))
            incoming = width
        yield stage


def _draw(network: nn.Module) -> None:
    """Draw the kernels so that signals keep their size through layers that end in a ReLU."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class Pyramid(nn.Module):
    """The layers of a tilenet as features of a grey scan at strides 8, 16 and 32.

    Rows and columns are multiples of 32; there are as many channels as the last three stages of
    `size` are wide.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.stem = ConvNorm(1, size.widths[0], 5, 2)
        self.stages = nn.ModuleList(nn.Sequential(*stage) for stage in _stages(size))
        _draw(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of a batch (batch, 1, rows, columns), float in [0, 1]."""
        y = functional.relu(self.stem(x - GREY_MIDDLE))
        levels = []
        for stage in self.stages:
            y = stage(y)
            levels.append(y)
        return levels[1:]


class TileNet(nn.Module):
    """A stem at stride 2 and four residual stages at strides 4, 8, 16 and 32."""

    def __init__(self, size: Size, classes: int) -> None:
        super().__init__()
        self.stem = ConvNorm(1, size.widths[0], 5, 2)
        self.stages = nn.Sequential(*(block for stage in _stages(size) for block in stage))
        self.dropout = DenseDropout(DENSE_DROPOUT)
        self.logits = nn.Linear(2 * size.widths[-1], classes)
        _draw(self)

    def forward(self, x: Tensor) -> Tensor:
        """Classify tiles.

        Parameters
        ----------
        x : (batch, 1, side, side), float in [0, 1]; any side from 32 pixels on, also not square

        Returns
        -------
        Tensor of shape (batch, classes): logits; class 0 is normal
        """
        y = self.stages(functional.relu(self.stem(x - GREY_MIDDLE)))
        pooled = torch.cat([y.mean(dim=(2, 3)), y.amax(dim=(2, 3))], dim=1)
        answer: Tensor = self.logits(self.dropout(pooled))
        return answer


def build_s(classes: int = 2) -> TileNet:
    """Make the small one with random weights."""
    return TileNet(SIZES["tilenet-s"], classes)


def build_m(classes: int = 2) -> TileNet:
    """Make the middle one with random weights."""
    return TileNet(SIZES["tilenet-m"], classes)


def build_l(classes: int = 2) -> TileNet:
    """Make the large one with random weights."""
    return TileNet(SIZES["tilenet-l"], classes)
