"""A convolution of each channel by itself whose gradients are quick on CPUs, in bfloat16 too.

oneDNN 3.12, which computes PyTorch's convolutions on CPUs, has quick kernels in bfloat16 only for
windows of 3 x 3. The gradient of a larger window's weights takes forty times as long as the
convolution itself, and so does that of a strided one's input. Both can be had from quick kernels: a
weight's gradient depends on its own place in the window alone, so windows of 3 x 3 laid over the
larger one give all of them; and the input's is computed in float32. In float32 only the gradient of
the bias is taken apart from that of the weights, which together cost a third more.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

PART = 3
"""Side of the windows that have quick kernels."""


def depthwise_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
) -> Tensor:
    """Convolve each channel with its own window; `torch.nn.functional.conv2d` of as many groups.

    The answer is that function's; gradients agree with its up to rounding.

    Parameters
    ----------
    x : (batch, channel, rows, columns)
    weight : (channel, 1, side, side); an odd side of at least 3
    bias : (channel,) or None
    stride, padding : the same for rows and columns
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.conv2d(x, weight, bias, stride, padding, groups=len(weight))
    if torch.is_autocast_enabled("cpu"):
        # Autocast does not look into functions with gradients of their own.
        kind = torch.get_autocast_dtype("cpu")
        x, weight = x.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    answer: Tensor = _Depthwise.apply(x, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
    return answer


class _Depthwise(torch.autograd.Function):
    """The convolution with gradients put together from quick parts."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
    ) -> Tensor:
        """Convolve, and keep what the gradients need."""
        ctx.save_for_backward(x, weight)
        ctx.steps = (stride, padding)
        return functional.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        """Give the gradients of input, weight and bias that are asked for."""
        x, weight = ctx.saved_tensors
        stride, padding = ctx.steps
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        return (
            _of_input(gradient, x, weight, stride, padding) if of_x else None,
            _of_weight(gradient, x, weight, stride, padding) if of_weight else None,
            gradient.sum(dim=(0, 2, 3)) if of_bias else None,
            None,
            None,
        )


def _of_input(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    kind = torch.float32 if stride > 1 and x.dtype == torch.bfloat16 else x.dtype
    parts = (gradient.to(kind), x.to(kind), weight.to(kind))
    return _backward(*parts, stride, padding, wanted=0).to(x.dtype)


def _of_weight(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    side = weight.shape[-1]
    if side == PART or x.dtype != torch.bfloat16:
        return _backward(gradient, x, weight, stride, padding, wanted=1)
    if padding:
        x = functional.pad(x, (padding,) * 4)
    rows, columns = ((count - 1) * stride + PART for count in gradient.shape[2:])
    part = weight[:, :, :PART, :PART].contiguous()
    found = torch.empty_like(weight)
    # An odd side's windows overlap by one row or column, which comes out the same from both.
    for i in range(0, side - 2, 2):
        for j in range(0, side - 2, 2):
            seen = x[:, :, i : i + rows, j : j + columns]
            found[:, :, i : i + PART, j : j + PART] = _backward(
                gradient, seen, part, stride, 0, wanted=1
            )
    return found


def _backward(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, *, wanted: int
) -> Tensor:
    """Ask PyTorch for one gradient: 0 of the input, 1 of the weight."""
    mask = [place == wanted for place in range(3)]
    transposed, added = False, [0, 0]
    steps = ([stride] * 2, [padding] * 2, [1] * 2)
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, *steps, transposed, added, len(weight), mask
    )[wanted]
    return found
