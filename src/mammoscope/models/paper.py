"""1.0.0.35, the paper's network, and its brothers, which differ in what they are fed.

Nine convolutions and three dense layers on tiles of 299 x 299 pixels (method facts 3.1).
"""

from mammoscope.models.paper_network import PaperNetwork, Plan
from mammoscope.models.paper_plan import Conv, Pool, convs, in_order

_LAYERS = in_order(
    Conv("1", 32, step=2),
    convs("1", 32, 32),
    Pool("pool1", 3),
    convs("2", 64, 64),
    Pool("pool2"),
    convs("3", 128, 128),
    Pool("pool3"),
    Conv("4", 256),
    Pool("pool4"),
    Conv("5", 512),
    Pool("pool5"),
)
NET_1_0_0_24 = Plan(layers=_LAYERS, dense=(2048, 2048), pool_dropout=0.2)
NET_1_0_0_35 = Plan(layers=_LAYERS, dense=(2048, 2048))
"""Also 1.0.0.28, .28.2, .29, .45 and .46: 32,198,594 trainable parameters with two classes."""


def build_1_0_0_35(classes: int = 2) -> PaperNetwork:
    """Make 1.0.0.35 with random weights."""
    return NET_1_0_0_35(classes)
