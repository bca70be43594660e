"""Every network by its name; the paper's numbers are names."""

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeVar

import torch
from torch import nn

from mammoscope.core.errors import BadValueError, UnknownNameError
from mammoscope.core.registry import Registry
from mammoscope.models.facts import FACTS, NetworkFacts
from mammoscope.models.layers import DenseDropout, PoolDropout, set_dropout

Net = TypeVar("Net", bound=nn.Module)
_SINGLE = "mammoscope.models.paper"
_PLAIN = "mammoscope.models.paper_plain"
_BRANCHED = "mammoscope.models.paper_branched"
_RESIDUAL = "mammoscope.models.paper_residual"
_VGG = "mammoscope.models.vgg"
_INCEPTION = "mammoscope.models.inception_v4"
NETWORKS = Registry(
    "network",
    MappingProxyType(
        {
            "lite0-dense": "mammoscope.models.dense:build",
            "lite0-local": "mammoscope.models.dense:build_local",
            "tilenet-dense": "mammoscope.models.dense:build_tilenet",
            "1.0.0.28": f"{_SINGLE}:NET_1_0_0_35",
            "1.0.0.28.2": f"{_SINGLE}:NET_1_0_0_35",
            "1.0.0.29": f"{_SINGLE}:NET_1_0_0_35",
            "1.0.0.35": f"{_SINGLE}:NET_1_0_0_35",
            "1.0.0.45": f"{_SINGLE}:NET_1_0_0_35",
            "1.0.0.46": f"{_SINGLE}:NET_1_0_0_35",
            "1.0.0.24": f"{_SINGLE}:NET_1_0_0_24",
            "DDSM_2": f"{_PLAIN}:DDSM_2",
            "1.0.0.1": f"{_PLAIN}:NET_1_0_0_1",
            "1.0.0.2": f"{_PLAIN}:CANDIDATE_1_0_0_2",
            "1.1.0.01": f"{_PLAIN}:NET_1_1_0_01",
            "1.1.1.01": f"{_PLAIN}:NET_1_1_1_01",
            "1.1.2.06": f"{_PLAIN}:NET_1_1_2_06",
            "1.0.0.30": f"{_BRANCHED}:NET_1_0_0_30",
            "1.0.1.32": f"{_BRANCHED}:NET_1_0_1_32",
            "1.0.1.39d": f"{_BRANCHED}:NET_1_0_1_32",
            "1.0.1.39n": f"{_BRANCHED}:NET_1_0_1_32",
            "1.0.1.39f": f"{_BRANCHED}:NET_1_1_0_40",
            "1.0.1.44a": f"{_BRANCHED}:NET_1_0_1_44A",
            "1.0.2.02": f"{_BRANCHED}:NET_1_0_2_02",
            "1.0.2.06": f"{_BRANCHED}:NET_1_0_2_06",
            "1.0.3.02": f"{_BRANCHED}:NET_1_0_3_02",
            "1.0.3.04": f"{_BRANCHED}:NET_1_0_3_04",
            "1.0.4.01": f"{_BRANCHED}:NET_1_0_4_01",
            "1.0.5.01": f"{_BRANCHED}:NET_1_0_5_01",
            "1.1.0.40": f"{_BRANCHED}:NET_1_1_0_40",
            "1.2.0.01": f"{_BRANCHED}:NET_1_2_0_01",
            "0.0.2.06b": f"{_RESIDUAL}:NET_0_0_2_06B",
            "1.0.1.40": f"{_RESIDUAL}:NET_1_0_1_40",
            "1.3.0.03n": f"{_RESIDUAL}:NET_1_3_0_03N",
            "1.3.1.01n": f"{_RESIDUAL}:NET_1_3_1_01N",
            "1.4.0.01": f"{_RESIDUAL}:NET_1_4_0_01",
            "1.4.1.04": f"{_RESIDUAL}:NET_1_4_1_04",
            "vgg_16": f"{_VGG}:VGG_16",
            "vgg_16.2": f"{_VGG}:VGG_16_2",
            "vgg_16.3.01": f"{_VGG}:VGG_16_3_01",
            "vgg_16.3": f"{_VGG}:VGG_16_3",
            "vgg_16.paper": f"{_VGG}:VGG_16_PAPER",
            "inception_v4.05": f"{_INCEPTION}:INCEPTION_V4_05",
            "inception_v4.paper": f"{_INCEPTION}:INCEPTION_V4_PAPER",
            "2.0.0.35": "mammoscope.models.fcn:build",
            "2.0.0.36": "mammoscope.models.fcn:build",
            "3.9.4.01": "mammoscope.models.dense_prediction:build",
            "tilenet-s": "mammoscope.models.tilenet:build_s",
            "tilenet-m": "mammoscope.models.tilenet:build_m",
            "tilenet-l": "mammoscope.models.tilenet:build_l",
            "lite0": "mammoscope.models.lite0_tiles:build",
            "vgg19": "mammoscope.models.vgg19:build",
            "inception_v3": "mammoscope.models.inception_v3:build",
        }
    ),
)


def build(
    name: str,
    classes: int = 2,
    *,
    pool_dropout: float | None = None,
    dense_dropout: float | None = None,
) -> nn.Module:
    """Make the network called `name` with random weights and `classes` outputs.

    Parameters
    ----------
    pool_dropout, dense_dropout : share that is dropped of pooled maps, and before and between dense
        layers; None keeps what the network's script has

    Raises
    ------
    UnknownNameError
        When there is no such network.
    BadValueError
        When a share is given for a dropout that the network does not have.
    ValueError
        When the network cannot have so many classes, or a share is not in [0, 1).
    """
    make: Callable[[int], nn.Module] = NETWORKS.get(name)
    if classes < 1:
        raise ValueError(f"a network has one answer or more, got {classes}")
    network = make(classes)
    for kind, share, place in (
        (PoolDropout, pool_dropout, "pooled maps"),
        (DenseDropout, dense_dropout, "dense layers"),
    ):
        if share is not None and not set_dropout(network, kind, share) and share > 0:
            raise BadValueError(
                f"network {name!r} has no dropout on {place}; leave that share out, or choose "
                "another network."
            )
    return network


def facts(name: str) -> NetworkFacts:
    """Tell how the network called `name` is fed and trained where the user says nothing else.

    Raises
    ------
    UnknownNameError
        When there is no such network.
    """
    if name not in NETWORKS.places:
        raise UnknownNameError.among(NETWORKS.kind, name, NETWORKS.places)
    return FACTS.get(name, NetworkFacts())


def channels_last(network: Net) -> Net:
    """Lay a network's weights out so that convolutions on CPUs run about three times as fast."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # not in the stubs
    return network
