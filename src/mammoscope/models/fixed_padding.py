"""Layers that pad by the size of their maps, made to pad always as for one size.

The exporter follows a network with rows and columns left open, and "half of what is missing to a
whole number of steps" is no number then. For sides that are multiples of all steps of a network
every layer pads alike whatever the size, so that what one example needs can be written in.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from mammoscope.models.layers import MaxPool, SameConv2d, same_padding


def fix_padding(network: nn.Module, example: Tensor) -> None:
    """Replace the layers of TensorFlow's SAME padding by ones of fixed padding, in place.

    Parameters
    ----------
    example : (batch, 1, rows, columns); what it needs, every later input gets
    """
    seen: dict[str, torch.Size] = {}

    def note(name: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen[name] = given[0].shape[2:]

    handles = [
        module.register_forward_pre_hook(partial(note, name))
        for name, module in network.named_modules()
        if isinstance(module, (SameConv2d, MaxPool))
    ]
    with torch.no_grad():
        network(example)
    for handle in handles:
        handle.remove()
    for name, sides in seen.items():
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, _fixed(network.get_submodule(name), sides))


def _fixed(module: nn.Module, sides: torch.Size) -> nn.Module:
    if isinstance(module, SameConv2d):
        padding = _padding(sides, module.kernel_size, module.stride)
        return _padded(_plain(module), padding, nn.ZeroPad2d)
    assert isinstance(module, MaxPool)
    pool = nn.MaxPool2d(module.size, module.step)
    if module.padding == "valid":
        return pool
    padding = _padding(sides, (module.size,) * 2, (module.step,) * 2)
    # What is padded must never be a maximum.
    return _padded(pool, padding, lambda around: nn.ConstantPad2d(around, -torch.inf))


def _padded(
    module: nn.Module,
    padding: tuple[int, int, int, int],
    pad: Callable[[tuple[int, int, int, int]], nn.Module],
) -> nn.Module:
    return nn.Sequential(pad(padding), module) if any(padding) else module


def _padding(
    sides: torch.Size, kernels: tuple[int, ...], steps: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Columns before and behind, rows before and behind, as PyTorch's paddings count."""
    rows, columns = map(same_padding, sides, kernels, steps)
    return (*columns, *rows)


def _plain(given: SameConv2d) -> nn.Conv2d:
    """Make the convolution of the same weights that pads nothing."""
    plain = nn.Conv2d(
        given.in_channels,
        given.out_channels,
        (given.kernel_size[0], given.kernel_size[1]),
        (given.stride[0], given.stride[1]),
        groups=given.groups,
        bias=given.bias is not None,
    )
    plain.weight, plain.bias = given.weight, given.bias
    return plain.eval()
