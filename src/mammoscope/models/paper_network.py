"""The module that a plan of `mammoscope.models.paper_plan` describes.

TensorFlow's conventions are kept: padding that depends on the size of the maps, batch norm with
momentum .99 after convolutions and .9 after dense layers, truncated normal weights, element-wise
dropout on pooled maps too (method facts 3).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.layers import (
    AveragePool,
    DenseDropout,
    MaxPool,
    Padding,
    PoolDropout,
    SameConv2d,
    conv_norm,
    dense_norm,
    draw_weights,
)
from mammoscope.models.paper_plan import INPUT, Cat, Conv, Layer, Pool, sources

TILE_PX = 299
Maps = tuple[int, int, int]
"""Channels, rows and columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole classifier of tiles; calling it makes the network with random weights.

    After the last layer the maps are flattened, then come dense layers, each with batch norm, ReLU
    and dropout, and the output layer `logits`.

    Attributes
    ----------
    layers : in the order in which they run
    dense : widths of the hidden dense layers fc1, fc2, ...
    pool_dropout, dense_dropout : share dropped after each pool; of the flattened maps and after
        each dense layer
    """

    layers: tuple[Layer, ...]
    dense: tuple[int, ...]
    pool_dropout: float = 0.1
    dense_dropout: float = 0.5

    def __post_init__(self) -> None:
        known = {INPUT}
        for layer in self.layers:
            missing = set(sources(layer)) - known
            if missing or layer.name in known:
                raise ValueError(f"layer {layer.name!r} reads {sorted(missing)} or has a used name")
            known.add(layer.name)

    def __call__(self, classes: int = 2) -> "PaperNetwork":
        """Make the network with so many answers."""
        return PaperNetwork(self, classes)


class PaperNetwork(nn.Module):
    """A classifier of tiles of 299 x 299 pixels.

    Every module is a direct child, named after the scope of the paper's script: conv1_1, bn1_1,
    pool1, fc1, bn_fc1, logits. The last maps are flattened channel by channel, element (c, row,
    column) at (c * rows + row) * columns + column; the scripts' order is (row * columns + column) *
    channels + c, so the rows of `fc1` of their checkpoints have to be put in this order.
    """

    def __init__(self, plan: Plan, classes: int) -> None:
        super().__init__()
        self.plan = plan
        self._kept = frozenset(name for layer in plan.layers for name in sources(layer))
        width = self._add_layers()
        self.drop_flat = DenseDropout(plan.dense_dropout)
        for number, outgoing in enumerate(plan.dense, 1):
            self.add_module(f"fc{number}", nn.Linear(width, outgoing))
            self.add_module(f"bn_fc{number}", dense_norm(outgoing))
            self.add_module(f"drop_fc{number}", DenseDropout(plan.dense_dropout))
            width = outgoing
        self.logits = nn.Linear(width, classes)
        draw_weights(self)

    def _add_layers(self) -> int:
        """Make what the layers need; return how many values the last maps have."""
        shapes: dict[str, Maps] = {INPUT: (1, TILE_PX, TILE_PX)}
        before = INPUT
        for layer in self.plan.layers:
            given = [shapes[name] for name in self._reads(layer, before)]
            shapes[layer.name] = self._add_layer(layer, given)
            before = layer.name
        channels, rows, columns = shapes[before]
        return channels * rows * columns

    def _add_layer(self, layer: Layer, given: list[Maps]) -> Maps:
        channels, rows, columns = given[0]
        match layer:
            case Conv():
                self._add_conv(layer, channels)
                tall, wide = layer.kernel_sides
                channels = layer.filters
            case Pool():
                self._add_pool(layer)
                tall = wide = layer.size
            case Cat():
                return (sum(maps[0] for maps in given), rows, columns)
        return (
            channels,
            _places(rows, tall, layer.step, layer.padding),
            _places(columns, wide, layer.step, layer.padding),
        )

    def _add_conv(self, layer: Conv, channels: int) -> None:
        kind = SameConv2d if layer.padding == "same" else nn.Conv2d
        convolution, norm = layer.modules
        if layer.is_dense:
            self.add_module(f"drop_{convolution}", DenseDropout(self.plan.dense_dropout))
        self.add_module(convolution, kind(channels, layer.filters, layer.kernel_sides, layer.step))
        self.add_module(norm, conv_norm(layer.filters))

    def _add_pool(self, layer: Pool) -> None:
        kind = AveragePool if layer.average else MaxPool
        pool, dropout = layer.modules
        self.add_module(pool, kind(layer.size, layer.step, layer.padding))
        if layer.dropped:
            self.add_module(dropout, PoolDropout(self.plan.pool_dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Classify tiles.

        Parameters
        ----------
        x : (batch, 1, 299, 299), float, scaled as `mammoscope.models.zoo.facts` says

        Returns
        -------
        Tensor of shape (batch, classes): logits; class 0 is normal
        """
        x = self.drop_flat(self.maps(x).flatten(1))
        for number in range(1, len(self.plan.dense) + 1):
            x = self.get_submodule(f"bn_fc{number}")(self.get_submodule(f"fc{number}")(x))
            x = self.get_submodule(f"drop_fc{number}")(functional.relu(x))
        answer: Tensor = self.logits(x)
        return answer

    def maps(self, x: Tensor) -> Tensor:
        """Give the last maps, (batch, channels, rows, columns), before they are flattened."""
        kept = {INPUT: x}
        for layer in self.plan.layers:
            x = self._run(layer, x, kept)
            if layer.name in self._kept:
                kept[layer.name] = x
        return x

    def _run(self, layer: Layer, x: Tensor, kept: dict[str, Tensor]) -> Tensor:
        match layer:
            case Cat():
                return torch.cat([kept[name] for name in layer.of], dim=1)
            case Pool():
                pool, dropout = layer.modules
                x = self.get_submodule(pool)(x if layer.of is None else kept[layer.of])
                return self.get_submodule(dropout)(x) if layer.dropped else x
            case Conv():
                return self._convolve(layer, x if layer.of is None else kept[layer.of], kept)

    def _convolve(self, layer: Conv, x: Tensor, kept: dict[str, Tensor]) -> Tensor:
        convolution, norm = layer.modules
        if layer.is_dense:
            x = self.get_submodule(f"drop_{convolution}")(x)
        x = self.get_submodule(norm)(self.get_submodule(convolution)(x))
        if layer.add is not None:
            x = x + kept[layer.add]
        return functional.relu(x)

    @staticmethod
    def _reads(layer: Layer, before: str) -> tuple[str, ...]:
        if isinstance(layer, Cat):
            return layer.of
        return (before if layer.of is None else layer.of,)


def _places(side: int, size: int, step: int, padding: Padding) -> int:
    """Tell how many windows fit along a side."""
    return -(-side // step) if padding == "same" else (side - size) // step + 1
