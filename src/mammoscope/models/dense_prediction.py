"""3.9.4.01: an answer for every pixel, the last of the paper's sequels (method facts 3.6).

An encoder with residual stages down to 1/32, dilated convolutions there, a decoder of resizes and
transposed convolutions up to half the input's size, and a nearest resize to the whole of it.

Two flaws of the script are known and not repeated in what is trained here. Its convolution 5.1 is
made and never used, since 5.2 reads conv5: its parameters are kept, held, so that the count is the
script's 11,502,625, and take no part. And its loss takes the sigmoid of values that went through a
sigmoid already; this network answers with logits, and a loss takes the sigmoid once.

The facts leave two things open. How the two resizes in the middle are done: nearest here, as the
last one. And where batch norm is missing: the count of parameters leaves the two transposed
convolutions and the output layer without one, if every convolution has a bias.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.layers import (
    CONV_DEVIATION,
    MaxPool,
    PoolDropout,
    SameConv2d,
    conv_norm,
    draw_weights,
)

POOL_DROPOUT = 0.001
MULTIPLE_PX = 32
"""Rows and columns of an input are multiples of this."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Convolutions of 3 x 3 with so many filters; the first one's output is added to the last."""

    scopes: tuple[str, ...]
    incoming: int
    filters: int


ENCODER = (
    Stage(("0_1", "0_2", "0_3"), 1, 32),
    Stage(("1_1", "1_2", "1_3"), 48, 48),
    Stage(("2_1", "2_2", "2_3"), 48, 64),
    Stage(("3_1", "3_2", "3_3"), 64, 128),
    Stage(("4", "4_1", "4_2", "4_3"), 128, 256),
)
DEEP = Stage(("5", "5_2", "5_3"), 256, 512)
DILATION = 2
UNUSED = ("conv5_1", "bn5_1")


class DensePrediction(nn.Module):
    """3.9.4.01: 11,502,625 parameters with one channel, 2,360,832 of them the unused ones."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        for stage in ENCODER:
            incoming = stage.incoming
            for scope in stage.scopes:
                # The very first convolution halves the scan.
                self._add(f"conv{scope}", incoming, stage.filters, step=2 if scope == "0_1" else 1)
                incoming = stage.filters
        # The first pool is a convolution.
        self._add("pool0_1", 32, 48, step=2)
        self.pool = MaxPool(3, 2, "same")
        self.dropout = PoolDropout(POOL_DROPOUT)
        for scope in (*DEEP.scopes, "5_1"):
            incoming = DEEP.incoming if scope == "5" else DEEP.filters
            self._add(f"conv{scope}", incoming, DEEP.filters, dilation=DILATION)
        self._add("fc_1", 512, 256, kernel=1)
        self._add("conv6", 256, 128)
        self._add("conv7", 128, 64)
        self.transpose1 = nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1)
        self.transpose2 = nn.ConvTranspose2d(64, 32, 4, padding=1)
        self._add("conv8", 32, 16)
        self.logits = nn.Conv2d(16, classes, 1)
        self._draw()

    def _add(
        self,
        name: str,
        incoming: int,
        filters: int,
        *,
        kernel: int = 3,
        step: int = 1,
        dilation: int = 1,
    ) -> None:
        """Add a convolution and its norm: conv1_1 and bn1_1, fc_1 and bn_fc_1."""
        # At step 1 the fixed padding is TensorFlow's.
        around = dilation * (kernel // 2)
        self.add_module(
            name,
            SameConv2d(incoming, filters, kernel, step)
            if step > 1
            else nn.Conv2d(incoming, filters, kernel, padding=around, dilation=dilation),
        )
        self.add_module(_norm_of(name), conv_norm(filters))

    def _draw(self) -> None:
        draw_weights(self)
        for transpose in (self.transpose1, self.transpose2):
            cut = 2 * CONV_DEVIATION
            nn.init.trunc_normal_(transpose.weight, std=CONV_DEVIATION, a=-cut, b=cut)
            assert transpose.bias is not None
            nn.init.zeros_(transpose.bias)
        for name in UNUSED:
            self.get_submodule(name).requires_grad_(requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Answer for every pixel of scans.

        Parameters
        ----------
        x : (batch, 1, rows, columns), float in [0, 1]; rows and columns multiples of 32

        Returns
        -------
        Tensor of shape (batch, classes, rows, columns): logits; the script has one, abnormal
        """
        for position, stage in enumerate(ENCODER):
            x = self._residual(stage, x)
            if position == 0:
                x = self.dropout(functional.relu(self._norm("pool0_1", x)))
            elif position < len(ENCODER) - 1:
                x = self.dropout(self.pool(x))
        first = self._norm("conv5", x)
        y = functional.relu(self._norm("conv5_2", functional.relu(first)))
        # The sum goes on as it is, before any ReLU.
        y = functional.relu(self._norm("fc_1", self._norm("conv5_3", y) + functional.relu(first)))
        y = functional.relu(self._norm("conv6", _resize(y, 4)))
        y = functional.relu(self._norm("conv7", _resize(y, 2)))
        y = functional.relu(self.transpose1(y))
        # An even kernel in steps of 1 gives one place too many.
        y = functional.relu(self.transpose2(y)[:, :, :-1, :-1])
        answer: Tensor = self.logits(functional.relu(self._norm("conv8", y)))
        return _resize(answer, 2)

    def _residual(self, stage: Stage, x: Tensor) -> Tensor:
        first = functional.relu(self._norm(f"conv{stage.scopes[0]}", x))
        y = first
        for scope in stage.scopes[1:-1]:
            y = functional.relu(self._norm(f"conv{scope}", y))
        return functional.relu(self._norm(f"conv{stage.scopes[-1]}", y) + first)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        """Run a convolution and its norm."""
        answer: Tensor = self.get_submodule(_norm_of(name))(self.get_submodule(name)(x))
        return answer


def _norm_of(name: str) -> str:
    return f"bn{name.removeprefix('conv')}" if name.startswith("conv") else f"bn_{name}"


def _resize(x: Tensor, times: int) -> Tensor:
    return functional.interpolate(x, scale_factor=float(times), mode="nearest")


def build(classes: int = 1) -> DensePrediction:
    """Make the network with random weights."""
    return DensePrediction(classes)
