"""A network of the paper as a short table of its layers.

Layers stand in the order in which they run. Each has a name and reads the maps of the layer before
it, or those that `of` names. Names are those of the scripts' scopes ("1.1" is the convolution
conv1.1 with the norm bn1.1); modules have "_" for ".", since PyTorch's names cannot hold a point.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mammoscope.models.layers import Padding

INPUT = "input"


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with bias, its batch norm, and ReLU.

    Attributes
    ----------
    name : "1.1" makes the modules conv1_1 and bn1_1
    filters : channels that come out
    kernel : rows and columns, or one number for both
    step : of the windows in both directions
    padding : "same" or "valid", as TensorFlow means it
    of : name of the layer whose maps it reads; None is the layer before
    add : name of the layer whose maps are added before ReLU (a residual connection)
    """

    name: str
    filters: int
    kernel: int | tuple[int, int] = 3
    step: int = 1
    padding: Padding = "same"
    of: str | None = None
    add: str | None = None

    @property
    def is_dense(self) -> bool:
        """Whether it stands for a dense layer, so that dropout goes before it."""
        return self.name.startswith("fc")

    @property
    def kernel_sides(self) -> tuple[int, int]:
        """Rows and columns of the kernel."""
        return self.kernel if isinstance(self.kernel, tuple) else (self.kernel, self.kernel)

    @property
    def modules(self) -> tuple[str, str]:
        """Names of the convolution and of its norm: conv1_1 and bn1_1, or fc1 and bn_fc1."""
        name = self.name.replace(".", "_")
        return (name, f"bn_{name}") if self.is_dense else (f"conv{name}", f"bn{name}")


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool, then dropout of the plan's share on its maps.

    Attributes
    ----------
    name : "pool2.1" makes the modules pool2_1 and drop_pool2_1
    size, step : of its windows
    average : the mean of a window, not its maximum
    padding : "same" or "valid", as TensorFlow means it
    of : name of the layer whose maps it reads; None is the layer before
    dropped : whether dropout follows
    """

    name: str
    size: int = 2
    step: int = 2
    average: bool = False
    padding: Padding = "same"
    of: str | None = None
    dropped: bool = True

    @property
    def modules(self) -> tuple[str, str]:
        """Names of the pool and of its dropout: pool2_1 and drop_pool2_1."""
        name = self.name.replace(".", "_")
        return name, f"drop_{name}"


@dataclass(frozen=True, slots=True)
class Cat:
    """Joins the channels of other layers, in their order."""

    name: str
    of: tuple[str, ...]


Layer = Conv | Pool | Cat


def sources(layer: Layer) -> tuple[str, ...]:
    """Name the layers that a layer reads beside the one before it."""
    match layer:
        case Cat():
            return layer.of
        case Conv():
            return tuple(name for name in (layer.of, layer.add) if name is not None)
        case Pool():
            return () if layer.of is None else (layer.of,)


def convs(block: str, *filters: int, of: str | None = None, first: int = 1) -> tuple[Conv, ...]:
    """Put convolutions of 3 x 3 one after the other: "2.1", "2.2", ... of block "2".

    Parameters
    ----------
    of : name of the layer whose maps the first one reads; None is the layer before
    first : number of the first one
    """
    return tuple(
        Conv(f"{block}.{first + i}", width, of=of if i == 0 else None)
        for i, width in enumerate(filters)
    )


def in_order(*parts: Layer | Iterable[Layer]) -> tuple[Layer, ...]:
    """Join layers and rows of layers to one table."""
    joined: list[Layer] = []
    for part in parts:
        joined.extend([part] if isinstance(part, Layer) else part)
    return tuple(joined)
