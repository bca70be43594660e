"""The networks of Scuccimarra 2018, layer by layer as their scripts build them.

1.0.0.35: nine convolutions and three dense layers on tiles of 299 x 299 pixels (method facts 3.1).
TensorFlow's conventions are kept: pooling that pads (a ceiling in PyTorch), batch norm with
momentum .99 after convolutions and .9 after dense layers (PyTorch counts the other way round),
truncated normal weights, element-wise dropout on feature maps too.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE_PX = 299
CONV_DEVIATION = 0.05
CONV_L2 = 1e-5
DENSE_L2 = 2.5e-3
# TensorFlow's fused kernel raises the epsilon of 1e-8 that the scripts ask for to this.
CONV_EPSILON = 1.001e-5
DENSE_EPSILON = 1e-8
POOL_DROPOUT, DENSE_DROPOUT = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class _Block:
    """Convolutions of 3 x 3 with so many filters each, the first with a stride, then a pool."""

    filters: tuple[int, ...]
    pool: int
    stride: int = 1


BLOCKS = (
    _Block((32, 32, 32), pool=3, stride=2),
    _Block((64, 64), pool=2),
    _Block((128, 128), pool=2),
    _Block((256,), pool=2),
    _Block((512,), pool=2),
)
FLAT = 512 * 5 * 5
DENSE = 2048


class Paper35(nn.Module):
    """1.0.0.35: 32,198,594 trainable parameters with two classes.

    The scripts divide grey levels of 0 to 255 by 255; here the input is in [0, 1] already. The last
    maps are flattened channel by channel, element (c, row, column) at (c * 5 + row) * 5 + column;
    the scripts' order is (row * 5 + column) * 512 + c, so the rows of `fc1` of their checkpoints
    have to be put in this order.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        incoming, layers = 1, []
        for block in BLOCKS:
            for position, filters in enumerate(block.filters):
                stride = block.stride if position == 0 else 1
                layers += [
                    nn.Conv2d(incoming, filters, 3, stride, padding=1),
                    nn.BatchNorm2d(filters, eps=CONV_EPSILON, momentum=0.01),
                    nn.ReLU(),
                ]
                incoming = filters
            # SAME pooling pads behind only, by what is missing: the ceiling mode of PyTorch.
            layers += [nn.MaxPool2d(block.pool, 2, ceil_mode=True), nn.Dropout(POOL_DROPOUT)]
        self.features = nn.Sequential(*layers)
        self.fc1 = nn.Linear(FLAT, DENSE)
        self.bn_fc1 = nn.BatchNorm1d(DENSE, eps=DENSE_EPSILON, momentum=0.1)
        self.fc2 = nn.Linear(DENSE, DENSE)
        self.bn_fc2 = nn.BatchNorm1d(DENSE, eps=DENSE_EPSILON, momentum=0.1)
        self.logits = nn.Linear(DENSE, classes)
        self._draw_weights()

    def _draw_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _truncated_normal(module.weight, CONV_DEVIATION)
            elif isinstance(module, nn.Linear):
                # Variance scaling over the inputs: 2 for hidden layers, 1 for the last one.
                # TensorFlow widens the normal so that it has that variance after the cut.
                scale = 1.0 if module is self.logits else 2.0
                deviation = math.sqrt(scale / module.in_features) / 0.87962566103423978
                _truncated_normal(module.weight, deviation)
            else:
                continue
            assert module.bias is not None
            nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Classify tiles.

        Parameters
        ----------
        x : (batch, 1, 299, 299), float in [0, 1]

        Returns
        -------
        Tensor of shape (batch, classes): logits; class 0 is normal
        """
        x = functional.dropout(self.features(x).flatten(1), DENSE_DROPOUT, self.training)
        for dense, norm in ((self.fc1, self.bn_fc1), (self.fc2, self.bn_fc2)):
            x = functional.relu(norm(dense(x)))
            x = functional.dropout(x, DENSE_DROPOUT, self.training)
        answer: Tensor = self.logits(x)
        return answer


def _truncated_normal(weight: Tensor, deviation: float) -> None:
    """Draw from a normal distribution cut at two deviations."""
    nn.init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation)


def l2_terms(network: Paper35) -> Tensor:
    """Compute the paper's weight penalty: s times half the sum of squares, kernels only.

    1e-5 for convolutions, 2.5e-3 for the two hidden dense layers; biases, batch norm and the output
    layer go free.
    """
    convolutions = [m.weight for m in network.features if isinstance(m, nn.Conv2d)]
    dense = [network.fc1.weight, network.fc2.weight]
    total = torch.zeros(())
    for strength, weights in ((CONV_L2, convolutions), (DENSE_L2, dense)):
        total = total + strength * 0.5 * sum((w.square().sum() for w in weights), torch.zeros(()))
    return total


def build_1_0_0_35(classes: int = 2) -> Paper35:
    """Make 1.0.0.35 with random weights."""
    return Paper35(classes)
