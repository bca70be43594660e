"""Gradients of a depthwise convolution: against PyTorch's own, in every shape that is used."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from mammoscope.models.depthwise import depthwise_conv2d

SHAPES = [(3, 1, 1), (3, 2, 0), (5, 1, 2), (5, 2, 0), (7, 1, 3)]


def example(side: int, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Make input, weight and bias; rows and columns are such as a step of the stride leaves."""
    made = torch.Generator().manual_seed(side * 10 + stride)
    rows, columns = 6 * stride + side, 4 * stride + side
    x = torch.randn(2, 8, rows, columns, generator=made)
    x = x.contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(8, 1, side, side, generator=made), torch.randn(8, generator=made)
    return x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


def gradients(answer: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
    """Gradients of a sum that weighs every place differently."""
    weights = torch.linspace(-1, 1, answer.numel()).reshape(answer.shape)
    return torch.autograd.grad((answer.float() * weights).sum(), parts)


@pytest.mark.parametrize(("side", "stride", "padding"), SHAPES)
def test_answer_and_gradients_are_those_of_a_plain_convolution(
    side: int, stride: int, padding: int
) -> None:
    x, weight, bias = example(side, stride)
    wanted = functional.conv2d(x, weight, bias, stride, padding, groups=8)
    got = depthwise_conv2d(x, weight, bias, stride, padding)
    assert torch.equal(got, wanted)
    for mine, theirs in zip(
        gradients(got, x, weight, bias), gradients(wanted, x, weight, bias), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("side", "stride", "padding"), SHAPES)
def test_gradients_in_bfloat16_are_those_in_float32_to_its_few_digits(
    side: int, stride: int, padding: int
) -> None:
    x, weight, bias = example(side, stride)
    wanted = functional.conv2d(x, weight, bias, stride, padding, groups=8)
    with torch.autocast("cpu", torch.bfloat16):
        got = depthwise_conv2d(x, weight, bias, stride, padding)
    assert got.dtype == torch.bfloat16
    for mine, theirs in zip(
        gradients(got, x, weight, bias), gradients(wanted, x, weight, bias), strict=True
    ):
        assert mine.dtype == torch.float32
        assert (mine - theirs).norm() < 0.02 * theirs.norm()


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    x, weight, _ = example(5, 1)
    depthwise_conv2d(x.detach(), weight, None, 1, 2).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is None
    assert weight.grad is not None
