"""Inception v3 (Szegedy et al. 2016) for grey tiles, with torchvision's key names.

The paper took its ImageNet features for a comparison. The parameters before the last layer have the
names and shapes of torchvision's `inception_v3`, so its weights fit; the last layer is called
`logits`, as in every classifier here (`fc` there). The auxiliary classifier, which only shapes
training from scratch on ImageNet, is left out: 23,834,568 parameters at 1,000 classes, where
torchvision counts 27,161,264 with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.imagenet import AsColour, take_named
from mammoscope.models.layers import DenseDropout

NORM_EPSILON = 1e-3
DENSE_DROPOUT = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One convolution: its name in torchvision, filters, kernel and stride.

    A kernel of stride 1 is padded to keep the size, one of stride 2 is not padded at all.
    """

    name: str
    filters: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1

    @property
    def padding(self) -> tuple[int, int]:
        """Rows and columns that are added on each side."""
        if self.stride == 2:
            return (0, 0)
        return self.kernel[0] // 2, self.kernel[1] // 2


@dataclass(frozen=True, slots=True)
class Branch:
    """A pool ("max", "mean" or none), a chain of convolutions, and a fork whose ends are joined."""

    rows: tuple[Row, ...] = ()
    pool: str | None = None
    fork: tuple[Row, ...] = ()


class ConvNormRelu(nn.Module):
    """A convolution without bias, batch norm, ReLU; torchvision's `BasicConv2d`."""

    def __init__(self, incoming: int, row: Row, padding: tuple[int, int] | None = None) -> None:
        super().__init__()
        around = row.padding if padding is None else padding
        self.conv = nn.Conv2d(incoming, row.filters, row.kernel, row.stride, around, bias=False)
        self.bn = nn.BatchNorm2d(row.filters, eps=NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channel, rows, columns)."""
        return functional.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side on the same input, joined by channel."""

    def __init__(self, incoming: int, branches: tuple[Branch, ...]) -> None:
        super().__init__()
        self.branches = branches
        self.outgoing = sum(self._add(incoming, branch) for branch in branches)

    def _add(self, incoming: int, branch: Branch) -> int:
        """Make a branch's convolutions; return how many channels come out of it."""
        for row in branch.rows:
            self.add_module(row.name, ConvNormRelu(incoming, row))
            incoming = row.filters
        for row in branch.fork:
            self.add_module(row.name, ConvNormRelu(incoming, row))
        return sum(row.filters for row in branch.fork) or incoming

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channel, rows, columns) to the joined channels."""
        ends: list[Tensor] = []
        for branch in self.branches:
            y = x
            if branch.pool == "max":
                y = functional.max_pool2d(y, 3, 2)
            elif branch.pool == "mean":
                y = functional.avg_pool2d(y, 3, 1, 1)
            for row in branch.rows:
                y = self.get_submodule(row.name)(y)
            ends += [self.get_submodule(row.name)(y) for row in branch.fork] or [y]
        return torch.cat(ends, dim=1)


def _a(pooled: int) -> tuple[Branch, ...]:
    return (
        Branch((Row("branch1x1", 64),)),
        Branch((Row("branch5x5_1", 48), Row("branch5x5_2", 64, (5, 5)))),
        Branch(
            (
                Row("branch3x3dbl_1", 64),
                Row("branch3x3dbl_2", 96, (3, 3)),
                Row("branch3x3dbl_3", 96, (3, 3)),
            )
        ),
        Branch((Row("branch_pool", pooled),), pool="mean"),
    )


def _c(narrow: int) -> tuple[Branch, ...]:
    return (
        Branch((Row("branch1x1", 192),)),
        Branch(
            (
                Row("branch7x7_1", narrow),
                Row("branch7x7_2", narrow, (1, 7)),
                Row("branch7x7_3", 192, (7, 1)),
            )
        ),
        Branch(
            (
                Row("branch7x7dbl_1", narrow),
                Row("branch7x7dbl_2", narrow, (7, 1)),
                Row("branch7x7dbl_3", narrow, (1, 7)),
                Row("branch7x7dbl_4", narrow, (7, 1)),
                Row("branch7x7dbl_5", 192, (1, 7)),
            )
        ),
        Branch((Row("branch_pool", 192),), pool="mean"),
    )


_B = (
    Branch((Row("branch3x3", 384, (3, 3), 2),)),
    Branch(
        (
            Row("branch3x3dbl_1", 64),
            Row("branch3x3dbl_2", 96, (3, 3)),
            Row("branch3x3dbl_3", 96, (3, 3), 2),
        )
    ),
    Branch(pool="max"),
)
_D = (
    Branch((Row("branch3x3_1", 192), Row("branch3x3_2", 320, (3, 3), 2))),
    Branch(
        (
            Row("branch7x7x3_1", 192),
            Row("branch7x7x3_2", 192, (1, 7)),
            Row("branch7x7x3_3", 192, (7, 1)),
            Row("branch7x7x3_4", 192, (3, 3), 2),
        )
    ),
    Branch(pool="max"),
)
_E = (
    Branch((Row("branch1x1", 320),)),
    Branch(
        (Row("branch3x3_1", 384),),
        fork=(Row("branch3x3_2a", 384, (1, 3)), Row("branch3x3_2b", 384, (3, 1))),
    ),
    Branch(
        (Row("branch3x3dbl_1", 448), Row("branch3x3dbl_2", 384, (3, 3))),
        fork=(Row("branch3x3dbl_3a", 384, (1, 3)), Row("branch3x3dbl_3b", 384, (3, 1))),
    ),
    Branch((Row("branch_pool", 192),), pool="mean"),
)
STEM = (
    (Row("Conv2d_1a_3x3", 32, (3, 3), 2), (0, 0)),
    (Row("Conv2d_2a_3x3", 32, (3, 3)), (0, 0)),
    (Row("Conv2d_2b_3x3", 64, (3, 3)), (1, 1)),
    (Row("Conv2d_3b_1x1", 80), (0, 0)),
    (Row("Conv2d_4a_3x3", 192, (3, 3)), (0, 0)),
)
"""The first five convolutions and their padding."""
POOL_AFTER = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")
BLOCKS: Mapping[str, tuple[Branch, ...]] = MappingProxyType(
    {
        "Mixed_5b": _a(32),
        "Mixed_5c": _a(64),
        "Mixed_5d": _a(64),
        "Mixed_6a": _B,
        "Mixed_6b": _c(128),
        "Mixed_6c": _c(160),
        "Mixed_6d": _c(160),
        "Mixed_6e": _c(192),
        "Mixed_7a": _D,
        "Mixed_7b": _E,
        "Mixed_7c": _E,
    }
)


class InceptionV3(nn.Module):
    """Five convolutions, eleven blocks of branches, global average pooling, one dense layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        # These weights were trained on values of -1 to 1, not on ImageNet's means and spreads.
        self.colour = AsColour(mean=(0.5,) * 3, spread=(0.5,) * 3)
        incoming = 3
        for row, padding in STEM:
            self.add_module(row.name, ConvNormRelu(incoming, row, padding))
            incoming = row.filters
        for name, branches in BLOCKS.items():
            block = Mixed(incoming, branches)
            self.add_module(name, block)
            incoming = block.outgoing
        self.dropout = DenseDropout(DENSE_DROPOUT)
        self.logits = nn.Linear(incoming, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Classify tiles.

        Parameters
        ----------
        x : (batch, 1, side, side), float in [0, 1]; sides from 75 pixels on

        Returns
        -------
        Tensor of shape (batch, classes): logits; class 0 is normal
        """
        y = self.colour(x)
        for row, _ in STEM:
            y = self.get_submodule(row.name)(y)
            if row.name in POOL_AFTER:
                y = functional.max_pool2d(y, 3, 2)
        for name in BLOCKS:
            y = self.get_submodule(name)(y)
        answer: Tensor = self.logits(self.dropout(y.mean(dim=(2, 3))))
        return answer

    def load_imagenet(self, tensors: Mapping[str, Tensor]) -> None:
        """Take torchvision's weights; its last layer only where it has as many classes.

        Raises
        ------
        KeyError, RuntimeError
            When names or shapes are not those of torchvision's `inception_v3`.
        """
        kept = {k: v for k, v in tensors.items() if not k.startswith("AuxLogits.")}
        take_named(self, kept, last="fc")


def build(classes: int = 2) -> InceptionV3:
    """Make the network with random weights."""
    return InceptionV3(classes)
