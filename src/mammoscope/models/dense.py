"""Networks that pass over a whole scan at once and answer for every place on it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.lite0 import GREY_MEAN, GREY_SPREAD, PYRAMID, Lite0, hold_batch_norm
from mammoscope.models.local_contrast import Surroundings, stand_out
from mammoscope.models.tilenet import Pyramid, Size

TARGETS = ("lesion", "malignant")
STRIDE_PX = 8
WIDTH = 64
WIDE = 128
NEARBY = (Surroundings(cell_px=8, square=5), Surroundings(cell_px=32, square=3))
TILENET = Size(widths=(32, 64, 112, 224), blocks=(2, 2, 3, 2))
"""Between `tilenet-m` and `tilenet-l`: with the head 2.7 million parameters."""


class Dense(nn.Module):
    """Features with a small top-down head that answers at every eighth pixel.

    For each place two logits: *lesion or not*, and, where there is a lesion, *malignant or benign*.
    There is no layer of fixed input size and none that mixes distant places, so a scan's answer at
    a place is that of any window that holds the place's receptive field.

    Parameters
    ----------
    features : gives a batch's features at strides 8, 16 and 32
    channels : of these, in their order

    Attributes
    ----------
    architecture : its name in `mammoscope.models.zoo`
    """

    architecture: ClassVar[str]

    def __init__(self, features: nn.Module, channels: Sequence[int]) -> None:
        super().__init__()
        self.features = features
        self.lateral = nn.ModuleList(nn.Conv2d(c, WIDTH, 1) for c in channels)
        self.mix = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(2))
        self.lesion = nn.Conv2d(WIDTH, 1, 1)
        # Lesions are rare: start from a probability of about one in a hundred, so that the first
        # steps are not spent on learning that most places are empty.
        nn.init.normal_(self.lesion.weight, std=0.01)
        assert self.lesion.bias is not None
        nn.init.constant_(self.lesion.bias, -4.6)
        # Malignancy has a branch of its own on the coarser levels: in a shared one it did not
        # learn beside the much larger loss of the lesion map.
        self.nature_lateral = nn.ModuleList(nn.Conv2d(c, WIDE, 1) for c in channels[1:])
        self.nature_mix = nn.Conv2d(WIDE, WIDE, 3, padding=1)
        self.malignant = nn.Conv2d(WIDE, 1, 1)

    def levels(self, x: Tensor) -> list[Tensor]:
        """Return the features of a batch as `forward` takes it, finest level first."""
        found: list[Tensor] = self.features(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Answer for a batch of prepared scans.

        Parameters
        ----------
        x : (batch, 1, rows, columns), float in [0, 1]; rows and columns multiples of 32

        Returns
        -------
        Tensor of shape (batch, 2, rows / 8, columns / 8): logits of `TARGETS`
        """
        levels = self.levels(x)
        return self.answer(levels, self.nature(levels))

    def nature(self, levels: list[Tensor]) -> Tensor:
        """Return what malignancy is told from, at half the answer's grid, of such `levels`."""
        nature = functional.relu(_top_down(self.nature_lateral, levels[1:]))
        return functional.relu(self.nature_mix(nature))

    def answer(self, levels: list[Tensor], nature: Tensor) -> Tensor:
        """Return the logits that `forward` gives, of `levels` and their `nature`."""
        y = _top_down(self.lateral, levels)
        for mix in self.mix:
            y = functional.relu(mix(y))
        return torch.cat([self.lesion(y), _double(self.malignant(nature))], dim=1)


class DenseLite0(Dense):
    """A dense network over EfficientNet-lite0, made to start from its ImageNet features."""

    architecture = "lite0-dense"

    def __init__(self, channels: int = 1) -> None:
        super().__init__(Lite0(channels), list(PYRAMID.values()))

    def train(self, mode: bool = True) -> "DenseLite0":  # noqa: FBT001, FBT002 torch's signature
        """Switch modes; batch norm keeps its statistics in both."""
        super().train(mode)
        hold_batch_norm(self)
        return self

    def levels(self, x: Tensor) -> list[Tensor]:
        """Return the features of a batch as `forward` takes it, finest level first."""
        return super().levels((x - GREY_MEAN) / GREY_SPREAD)


class DenseLite0Local(DenseLite0):
    """`DenseLite0` that sees in place of three colours: grey, and how it stands out nearby.

    Nearby is with a standard deviation of 16 pixels and of 37: 5 and 11 mm at 0.3 mm, so that half
    of all masses (15 mm across) stand out whole of the larger surroundings.
    """

    architecture = "lite0-local"

    def __init__(self) -> None:
        super().__init__(channels=3)

    def levels(self, x: Tensor) -> list[Tensor]:
        """Return the features of a batch as `forward` takes it, finest level first."""
        grey = (x - GREY_MEAN) / GREY_SPREAD
        seen = [grey, *(stand_out(x, surroundings) for surroundings in NEARBY)]
        found: list[Tensor] = self.features(torch.cat(seen, dim=1))
        return found


class DenseTileNet(Dense):
    """A dense network over a tilenet's layers, to be trained from scratch.

    Its batch norm learns its statistics from batches, as there are none of ImageNet to keep. Four
    views of 384 x 256 pixels, which is how it is trained, are enough for them: a channel has 24,576
    places a step at stride 4 and still 384 at stride 32.
    """

    architecture = "tilenet-dense"

    def __init__(self) -> None:
        super().__init__(Pyramid(TILENET), TILENET.widths[1:])


ARCHITECTURES: Mapping[str, type[DenseLite0] | type[DenseTileNet]] = MappingProxyType(
    {kind.architecture: kind for kind in (DenseLite0, DenseLite0Local, DenseTileNet)}
)
"""The networks that can be trained on whole scans, by their names in the zoo."""


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _top_down(lateral: nn.ModuleList, levels: list[Tensor]) -> Tensor:
    """Bring levels, finest first, to one width and add them up on the finest one's grid."""
    y: Tensor = lateral[-1](levels[-1])
    for project, level in zip(lateral[-2::-1], levels[-2::-1], strict=True):
        y = project(level) + _double(y)
    return y


def build(classes: int = 2) -> DenseLite0:
    """Make lite0-dense with random weights; it has two answers for a place, no more, no less.

    Raises
    ------
    ValueError
        When another number of classes is asked for.
    """
    _check(classes)
    return DenseLite0()


def build_local(classes: int = 2) -> DenseLite0Local:
    """Make lite0-local with random weights; see `build`."""
    _check(classes)
    return DenseLite0Local()


def build_tilenet(classes: int = 2) -> DenseTileNet:
    """Make tilenet-dense with random weights; see `build`."""
    _check(classes)
    return DenseTileNet()


def _check(classes: int) -> None:
    if classes != len(TARGETS):
        raise ValueError(f"a dense network answers {TARGETS}, not {classes} classes")
