"""Which variable of a TensorFlow 1 graph is which tensor of a network, and how its axes lie.

The scopes of the author's variables are the names of our modules with "_" for "." (method facts
3.1); `OTHER_SCOPES` has the exceptions. His kernels are (row, column, in, out) or (in, out), ours
(out, in, row, column) and (out, in).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

OTHER_SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "fc_logits": "logits",
        "conv_fc_1": "fc1",
        "conv_fc_2": "fc2",
        "bn_fc_1": "bn_fc1",
        "bn_fc_2": "bn_fc2",
        "fc1_bn": "bn_fc1",
        "fc2_bn": "bn_fc2",
    }
)
"""Module by scope where the author's later networks and VGG-16 have names of their own."""
_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_KERNEL = {"kernel": "weight", "bias": "bias"}
_ADAM_SLOTS = {"Adam", "Adam_1"}
_ADAM_POWERS = {"beta1_power", "beta2_power"}
_STEPS = {"Variable", "global_step"}

Values = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A tensor of a network, and what a graph's variable must be to become it.

    Attributes
    ----------
    tensor : the network's own, changed in place by `fill`
    shape : the variable's shape in the graph
    turned : gives the variable's values the tensor's order of axes
    """

    tensor: Tensor
    shape: tuple[int, ...]
    turned: Callable[[Values], Values]

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Tell whether a variable of that shape has as many values in the same order."""
        # A dense layer on maps (his 2.0.0) is a convolution of 1 x 1 here.
        return shape == self.shape or (1, 1, *shape) == self.shape

    def fill(self, values: Values) -> None:
        """Put a variable's values, an array of a shape that is taken, into the tensor."""
        turned = np.ascontiguousarray(self.turned(values.reshape(self.shape)), dtype=np.float32)
        with torch.no_grad():
            self.tensor.copy_(torch.from_numpy(turned))


def targets_of(network: nn.Module, tile: Tensor) -> dict[tuple[str, str], Target]:
    """List the tensors of a network by module and name of the variable ("conv1_1", "kernel").

    Parameters
    ----------
    tile : an input of the network, of shape (1, 1, rows, columns)

    Raises
    ------
    ValueError
        When it cannot be seen in which order maps are flattened.
    """
    flattened = _channels_before(network, tile)
    found = {}
    for name, module in network.named_modules():
        names = _NORM if isinstance(module, nn.modules.batchnorm._BatchNorm) else _KERNEL
        for variable, ours in names.items():
            tensor = getattr(module, ours, None)
            if isinstance(tensor, Tensor):
                found[name, variable] = _target(tensor, flattened.get(name, 0))
    return found


def place_of(variable: str, modules: set[str]) -> tuple[str, str]:
    """Name the module and variable that a graph's variable would fill, whether there or not."""
    scope, _, leaf = variable.rpartition("/")
    module = scope.replace(".", "_")
    if module not in modules:
        module = OTHER_SCOPES.get(scope, module)
    return module, leaf


def is_step(variable: str) -> bool:
    """Tell whether a variable is the global step, which has no name in the author's graphs."""
    return variable.rpartition("/")[2] in _STEPS


def is_of_adam(variable: str) -> bool:
    """Tell whether a variable is a running mean or power that the optimiser keeps."""
    return variable.rpartition("/")[2] in _ADAM_SLOTS | _ADAM_POWERS


def _target(tensor: Tensor, channels: int) -> Target:
    shape = tuple(tensor.shape)
    if tensor.ndim == 4:
        # The same turn serves a transposed convolution, (row, column, out, in) there.
        return Target(
            tensor=tensor,
            shape=(*shape[2:], shape[1], shape[0]),
            turned=lambda values: values.transpose(3, 2, 0, 1),
        )
    if tensor.ndim == 2:
        return Target(tensor=tensor, shape=shape[::-1], turned=_by_channel(channels))
    return Target(tensor=tensor, shape=shape, turned=lambda values: values)


def _by_channel(channels: int) -> Callable[[Values], Values]:
    """Turn a dense kernel; its rows go from place by place to channel by channel."""

    def turned(kernel: Values) -> Values:
        if channels:
            rows, out = kernel.shape
            places = kernel.reshape(rows // channels, channels, out)
            kernel = places.transpose(1, 0, 2).reshape(rows, out)
        return kernel.T

    return turned


class _Watch(TorchFunctionMode):
    """Keeps the shape of the last maps that a network made, joined ones too."""

    maps: tuple[int, ...] = ()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        del types
        answer = func(*args, **(kwargs or {}))
        if isinstance(answer, Tensor) and answer.ndim == 4:
            self.maps = tuple(answer.shape[1:])
        return answer


def _channels_before(network: nn.Module, tile: Tensor) -> dict[str, int]:
    """Find the dense layers that are fed flattened maps, and how many channels these have."""
    found: dict[str, int] = {}
    watch = _Watch()

    def look(name: str, given: Tensor) -> None:
        if given.ndim == 2 and watch.maps:
            found[name] = _channels_of(watch.maps, given.shape[1], name)
            watch.maps = ()

    dense = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear)]
    hooks = [
        module.register_forward_pre_hook(lambda _, given, name=name: look(name, given[0]))
        for name, module in dense
    ]
    was_training = network.training
    try:
        with torch.no_grad(), watch:
            network.eval()(tile)
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return found


def _channels_of(maps: tuple[int, ...], width: int, name: str) -> int:
    """Channels of maps that were flattened to a width, or 0 where they were pooled to one place."""
    if width == prod(maps):
        return maps[0]
    if width == maps[0]:
        return 0
    # A guess would put weights at wrong places, and nobody would see it.
    raise ValueError(f"{name} takes {width} values, and the maps before it have the shape {maps}")
