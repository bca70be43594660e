"""2.0.0.35 and 2.0.0.36: 1.0.0.35 without dense layers, for tiles and whole scans (facts 3.6, 7).

The first dense layer is a convolution over the last 5 x 5 maps in steps of 5, the second one of
1 x 1, and the output layer works on channels. A tile of 299 pixels gives one answer, the very one
of 1.0.0.35 with the same weights; a whole scan gives one for every 320 x 320 pixels. The two
numbers are one network; what the author changed between them is in its data.

Batch norm after the two layers is that of 1.0.0.35's dense ones, so that weights can be moved.
"""

from dataclasses import replace

from torch import Tensor, nn
from torch.nn import functional

from mammoscope.models.layers import DENSE_EPSILON, DENSE_MOMENTUM, DenseDropout, draw_weights
from mammoscope.models.paper import NET_1_0_0_35
from mammoscope.models.paper_network import PaperNetwork

MAPS = 512
WIDTH = 2048
KERNEL = 5
STRIDE_PX = 320
"""Pixels of a scan for one place of the grid: five times the 64 of the convolutions."""
MULTIPLE_PX = 64


class FullyConvolutional(PaperNetwork):
    """32,198,594 parameters with two classes, as 1.0.0.35 has."""

    def __init__(self, classes: int) -> None:
        plan = replace(NET_1_0_0_35, dense=())
        super().__init__(plan, classes)
        self.fc1 = nn.Conv2d(MAPS, WIDTH, KERNEL, KERNEL)
        self.bn_fc1 = _norm()
        self.drop_fc1 = DenseDropout(plan.dense_dropout)
        self.fc2 = nn.Conv2d(WIDTH, WIDTH, 1)
        self.bn_fc2 = _norm()
        self.drop_fc2 = DenseDropout(plan.dense_dropout)
        self.logits = nn.Linear(WIDTH, classes)
        draw_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """Classify tiles or the places of scans.

        Parameters
        ----------
        x : (batch, 1, rows, columns), float in [0, 1]; sides from 257 pixels on

        Returns
        -------
        Tensor of shape (batch, classes) where a single place fits, as for tiles of 299 pixels, else
        (batch, classes, places down, places across): logits; class 0 is normal
        """
        answer = self.grid(x)
        return answer.flatten(1) if answer.shape[2:] == (1, 1) else answer

    def grid(self, x: Tensor) -> Tensor:
        """Answer as `forward` does, but always with rows and columns of places."""
        y = self.drop_flat(self.maps(x))
        y = self.drop_fc1(functional.relu(self.bn_fc1(self.fc1(y))))
        y = self.drop_fc2(functional.relu(self.bn_fc2(self.fc2(y))))
        answer: Tensor = self.logits(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return answer

    def take_dense(self, network: PaperNetwork) -> None:
        """Take the weights of a 1.0.0.35 of as many classes, so that tiles are answered as it does.

        Raises
        ------
        RuntimeError
            When the network is another one, or has another number of classes.
        """
        moved = dict(network.state_dict())
        for name, kernel in (("fc1.weight", KERNEL), ("fc2.weight", 1)):
            # The maps are flattened channel by channel, rows then columns, as kernels lie.
            moved[name] = moved[name].reshape(WIDTH, -1, kernel, kernel)
        self.load_state_dict(moved)


def _norm() -> nn.BatchNorm2d:
    return nn.BatchNorm2d(WIDTH, eps=DENSE_EPSILON, momentum=DENSE_MOMENTUM)


def build(classes: int = 2) -> FullyConvolutional:
    """Make the network with random weights."""
    return FullyConvolutional(classes)
