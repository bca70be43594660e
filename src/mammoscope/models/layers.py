"""TensorFlow-like layers that the paper's networks share, and the dropouts that settings reach.

TensorFlow's SAME pads so that a step of s leaves ceil(n / s) places, what is uneven behind: a
convolution of 3 x 3 with step 2 gets one row before and one behind where n is odd, none before and
one behind where n is even (method facts 3). PyTorch's fixed padding would shift the maps by a pixel
there.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Padding = Literal["same", "valid"]

# TensorFlow's fused kernel raises the epsilon of 1e-8 that the scripts ask for to this.
CONV_EPSILON = 1.001e-5
DENSE_EPSILON = 1e-8
# PyTorch's momentum is the share of the new value, TensorFlow's (.99 and .9) that of the old one.
CONV_MOMENTUM, DENSE_MOMENTUM = 0.01, 0.1
CONV_DEVIATION = 0.05
# A normal distribution cut at two deviations has this share of the deviation left; TensorFlow's
# variance scaling widens the normal by it.
CUT_SHARE = 0.87962566103423978


class PoolDropout(nn.Dropout):
    """Dropout on pooled maps, element by element as the paper's scripts do it."""


class DenseDropout(nn.Dropout):
    """Dropout before and between dense layers."""


class SameConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow's SAME does, for any size of maps.

    Its own `padding` stays zero; what is padded is decided by the maps that come in.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 torch's name
        """Map (batch, channels, rows, columns) to ceil(rows / step), ceil(columns / step)."""
        spans = (
            (size - 1) * apart + 1
            for size, apart in zip(self.kernel_size, self.dilation, strict=True)
        )
        rows, columns = map(same_padding, input.shape[2:], spans, self.stride)
        around = (rows[0], columns[0])
        if around != (rows[1], columns[1]):
            input, around = functional.pad(input, (*columns, *rows)), (0, 0)  # noqa: A001 torch's name
        # Otherwise the usual case: padding inside the convolution spares a copy of the maps.
        return functional.conv2d(
            input, self.weight, self.bias, self.stride, around, self.dilation, self.groups
        )


def same_padding(side: int, kernel: int, step: int) -> tuple[int, int]:
    """Tell how many rows or columns TensorFlow's SAME puts before and behind `side` of them."""
    total = max((math.ceil(side / step) - 1) * step + kernel - side, 0)
    return total // 2, total - total // 2


class MaxPool(nn.Module):
    """A maximum over windows, padded as TensorFlow does it."""

    def __init__(self, size: int, step: int, padding: Padding) -> None:
        super().__init__()
        self.size, self.step, self.padding = size, step, padding

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, rows, columns) to the maxima of windows."""
        if self.padding == "valid":
            return functional.max_pool2d(x, self.size, self.step)
        rows, columns = (same_padding(side, self.size, self.step) for side in x.shape[2:])
        if self.step == 1:
            # The ceiling mode below adds nothing at step 1.
            x = functional.pad(x, (*columns, *rows), value=-math.inf)
            return functional.max_pool2d(x, self.size, 1)
        before = (rows[0], columns[0])
        # What is missing behind is the ceiling mode; what is padded never is a maximum.
        return functional.max_pool2d(x, self.size, self.step, before, ceil_mode=True)


class AveragePool(nn.Module):
    """A mean over windows, padded as TensorFlow does it: what is padded is not counted."""

    def __init__(self, size: int, step: int, padding: Padding) -> None:
        super().__init__()
        self.size, self.step, self.padding = size, step, padding

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, rows, columns) to the means of windows."""
        if self.padding == "valid":
            return functional.avg_pool2d(x, self.size, self.step)
        rows, columns = (same_padding(side, self.size, self.step) for side in x.shape[2:])
        padded = functional.pad(x, (*columns, *rows))
        inside = functional.pad(torch.ones_like(x[:1, :1]), (*columns, *rows))
        mean = functional.avg_pool2d(padded, self.size, self.step)
        return mean / functional.avg_pool2d(inside, self.size, self.step)


def conv_norm(filters: int) -> nn.BatchNorm2d:
    """Make the batch norm that follows a convolution of so many filters."""
    return nn.BatchNorm2d(filters, eps=CONV_EPSILON, momentum=CONV_MOMENTUM)


def dense_norm(width: int) -> nn.BatchNorm1d:
    """Make the batch norm that follows a dense layer."""
    return nn.BatchNorm1d(width, eps=DENSE_EPSILON, momentum=DENSE_MOMENTUM)


def draw_weights(network: nn.Module) -> None:
    """Draw a network's kernels as the paper's scripts do, and set biases to zero.

    Convolutions: normal, deviation .05, cut at two deviations. Dense layers: variance scaling over
    the inputs, 2 for hidden ones and 1 for the layer called `logits`.
    """
    for name, module in network.named_modules():
        if not isinstance(module, (nn.Conv2d, nn.Linear)):
            continue
        deviation = CONV_DEVIATION
        if isinstance(module, nn.Linear):
            scale = 1.0 if name == "logits" else 2.0
            deviation = math.sqrt(scale / module.in_features) / CUT_SHARE
        cut_normal(module.weight, deviation)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def cut_normal(weight: Tensor, deviation: float) -> None:
    """Fill with draws from a normal distribution, those beyond two deviations drawn again.

    As TensorFlow does it, and several times as fast as PyTorch's way by the inverse error function.
    """
    nn.init.normal_(weight, std=deviation)
    if weight.is_meta:
        return
    with torch.no_grad():
        outside = (weight.abs() > 2 * deviation).nonzero(as_tuple=True)
        while len(outside[0]) > 0:
            again = torch.randn(len(outside[0]), device=weight.device) * deviation
            weight[outside] = again
            far = again.abs() > 2 * deviation
            outside = tuple(axis[far] for axis in outside)


def set_dropout(network: nn.Module, kind: type[nn.Dropout], share: float) -> int:
    """Set the share that every dropout of a kind drops, from 0 to below 1; tell how many there are.

    Raises
    ------
    ValueError
        When the share is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"a dropout drops a share from 0 to below 1, got {share}")
    found = [module for module in network.modules() if isinstance(module, kind)]
    for module in found:
        module.p = share
    return len(found)
