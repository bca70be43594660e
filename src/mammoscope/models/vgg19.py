"""VGG-19 (Simonyan & Zisserman 2015, configuration E) for grey tiles, with torchvision's key names.

The paper took its ImageNet features for a comparison. The parameters before the last layer have the
names and shapes of torchvision's `vgg19`, so its weights fit; the last layer is called `logits`, as
in every classifier here (`classifier.6` there).
"""

from collections.abc import Mapping

from torch import Tensor, nn

from mammoscope.models.imagenet import AsColour, take_named
from mammoscope.models.layers import DenseDropout

FILTERS = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
POOLED_SIDE = 7
DENSE = 4096
DENSE_DROPOUT = 0.5


class Vgg19(nn.Module):
    """Sixteen convolutions and three dense layers; 143,667,240 parameters at 1,000 classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.colour = AsColour()
        incoming, layers = 3, list[nn.Module]()
        for block in FILTERS:
            for filters in block:
                layers += [nn.Conv2d(incoming, filters, 3, padding=1), nn.ReLU()]
                incoming = filters
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(POOLED_SIDE)
        self.classifier = nn.Sequential(
            nn.Linear(incoming * POOLED_SIDE**2, DENSE),
            nn.ReLU(),
            DenseDropout(DENSE_DROPOUT),
            nn.Linear(DENSE, DENSE),
            nn.ReLU(),
            DenseDropout(DENSE_DROPOUT),
        )
        self.logits = nn.Linear(DENSE, classes)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Classify tiles.

        Parameters
        ----------
        x : (batch, 1, side, side), float in [0, 1]; sides from 32 pixels on

        Returns
        -------
        Tensor of shape (batch, classes): logits; class 0 is normal
        """
        y = self.pool(self.features(self.colour(x))).flatten(1)
        answer: Tensor = self.logits(self.classifier(y))
        return answer

    def load_imagenet(self, tensors: Mapping[str, Tensor]) -> None:
        """Take torchvision's weights; its last layer only where it has as many classes.

        Raises
        ------
        KeyError, RuntimeError
            When names or shapes are not those of torchvision's `vgg19`.
        """
        take_named(self, tensors, last="classifier.6")


def build(classes: int = 2) -> Vgg19:
    """Make the network with random weights."""
    return Vgg19(classes)
