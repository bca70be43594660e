"""EfficientNet-lite0 as a classifier of grey tiles, from ImageNet features that come offline.

The layers are those of `mammoscope.models.lite0`; here follow the published head (a convolution to
1,280 channels, the mean over all places) and an output layer of our own number of classes.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.layers import DenseDropout
from mammoscope.models.lite0 import BATCH_NORM_EPSILON, GREY_MEAN, GREY_SPREAD, PYRAMID, Lite0

STRIDE = 32
FEATURES = 1280
DENSE_DROPOUT = 0.2


class Lite0Tiles(nn.Module):
    """4,651,432 parameters at 1,000 classes: the published 4,652,008 less two colours' kernels."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = Lite0()
        self.conv_head = nn.Conv2d(max(PYRAMID.values()), FEATURES, 1, bias=False)
        self.bn_head = nn.BatchNorm2d(FEATURES, eps=BATCH_NORM_EPSILON)
        self.dropout = DenseDropout(DENSE_DROPOUT)
        self.logits = nn.Linear(FEATURES, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Classify tiles.

        Parameters
        ----------
        x : (batch, 1, side, side), float in [0, 1]; any side

        Returns
        -------
        Tensor of shape (batch, classes): logits; class 0 is normal
        """
        # The layers want multiples of 32; what is added has ImageNet's mean grey, which is 0 here.
        rows, columns = (-side % STRIDE for side in x.shape[2:])
        around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        padded = functional.pad((x - GREY_MEAN) / GREY_SPREAD, around)
        y = self.bn_head(self.conv_head(self.features(padded)[-1]))
        answer: Tensor = self.logits(self.dropout(functional.relu6(y).mean(dim=(2, 3))))
        return answer

    def load_imagenet(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the published weights; the last layer only where it has as many classes.

        Raises
        ------
        KeyError, RuntimeError
            When names or shapes are not those of EfficientNet-lite0.
        """
        self.features.load_imagenet(tensors)
        self.conv_head.load_state_dict({"weight": tensors["_conv_head.weight"]})
        norm = {key: tensors[f"_bn1.{key}"] for key in self.bn_head.state_dict()}
        self.bn_head.load_state_dict(norm)
        if tensors["_fc.bias"].shape == self.logits.bias.shape:
            self.logits.load_state_dict({k: tensors[f"_fc.{k}"] for k in ("weight", "bias")})


def build(classes: int = 2) -> Lite0Tiles:
    """Make the network with random weights."""
    return Lite0Tiles(classes)
