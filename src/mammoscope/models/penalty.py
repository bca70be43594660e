"""The weight penalty of the paper's scripts: on kernels only, convolutions and dense ones apart."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

OUTPUT_LAYER = "logits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """The kernels of a network that a penalty may hold small.

    Attributes
    ----------
    convolutions : each of shape (out, in, rows, columns)
    dense : of hidden dense layers, (out, in), or of the convolutions in their place
    """

    convolutions: tuple[Tensor, ...]
    dense: tuple[Tensor, ...]


def kernel_groups(network: nn.Module) -> Kernels:
    """Sort a network's kernels; the output layer, biases and norms are left out.

    A convolution whose name begins with "fc" stands for a dense layer (fully convolutional
    networks).
    """
    convolutions: list[Tensor] = []
    dense: list[Tensor] = []
    for path, module in network.named_modules():
        name = path.rpartition(".")[2]
        if name == OUTPUT_LAYER or not isinstance(
            module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
        ):
            continue
        is_dense = isinstance(module, nn.Linear) or name.startswith("fc")
        (dense if is_dense else convolutions).append(module.weight)
    return Kernels(convolutions=tuple(convolutions), dense=tuple(dense))


def l2_penalty(network: nn.Module, conv_l2: float, dense_l2: float) -> Tensor:
    """Compute s * sum(w^2) / 2 for convolutions and dense kernels, each with a strength of its own.

    Parameters
    ----------
    conv_l2, dense_l2 : 0 or more; the paper's scripts have 1e-5 and 2.5e-3 (method facts 3.1)

    Returns
    -------
    Tensor without axes, on the network's device

    Raises
    ------
    ValueError
        When a strength is negative.
    """
    if conv_l2 < 0 or dense_l2 < 0:
        raise ValueError(f"a penalty is 0 or more, got {conv_l2} and {dense_l2}")
    kernels = kernel_groups(network)
    total = torch.zeros((), device=next(network.parameters()).device)
    for strength, weights in ((conv_l2, kernels.convolutions), (dense_l2, kernels.dense)):
        if strength > 0:
            for weight in weights:
                total = total + strength * 0.5 * weight.square().sum()
    return total
