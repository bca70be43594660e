"""The builder of the paper's networks: names, branches, sums and sizes, on small plans."""

import pytest
import torch
from torch import nn

from mammoscope.models.layers import DenseDropout, PoolDropout
from mammoscope.models.paper_network import Plan
from mammoscope.models.paper_plan import Cat, Conv, Pool, in_order

SMALL = Plan(
    layers=in_order(
        Conv("1", 2, step=2, padding="valid"),
        Conv("1.1", 3, (1, 7)),
        Conv("1.2", 2, add="1"),
        Cat("cat1", ("1", "1.2")),
        Pool("pool1", 3),
        Conv("2", 3, 1),
        Pool("pool2", 2, average=True, padding="valid", dropped=False),
    ),
    dense=(4,),
    pool_dropout=0.3,
    dense_dropout=0.6,
)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SMALL(3).eval()


def test_modules_are_named_after_the_scripts_scopes(network):
    assert [name for name, _ in network.named_children()] == [
        "conv1", "bn1", "conv1_1", "bn1_1", "conv1_2", "bn1_2", "pool1", "drop_pool1",
        "conv2", "bn2", "pool2", "drop_flat", "fc1", "bn_fc1", "drop_fc1", "logits",
    ]  # fmt: skip


def test_parameters_are_those_counted_by_hand(network):
    # A convolution has weights and a bias, its norm two more a filter.
    convolutions = (9 + 3) * 2 + (7 * 2 + 3) * 3 + (9 * 3 + 3) * 2 + (4 + 3) * 3
    # 299 -> 149 -> 75 -> 37 places.
    dense = (37 * 37 * 3 + 3) * 4 + (4 + 1) * 3
    assert sum(p.numel() for p in network.parameters()) == convolutions + dense


def test_the_answer_is_that_of_the_layers_written_out(network):
    relu = torch.relu
    x = torch.rand(2, 1, 299, 299)
    n = network
    with torch.no_grad():
        one = relu(n.bn1(nn.functional.conv2d(x, n.conv1.weight, n.conv1.bias, 2)))
        two = n.conv1_1.weight, n.conv1_1.bias
        two = relu(n.bn1_1(nn.functional.conv2d(one, *two, padding=(0, 3))))
        three = nn.functional.conv2d(two, n.conv1_2.weight, n.conv1_2.bias, padding=1)
        three = relu(n.bn1_2(three) + one)
        joined = torch.cat([one, three], 1)
        # 149 places are uneven: one padded at both ends.
        pooled = nn.functional.max_pool2d(joined, 3, 2, padding=1)
        four = nn.functional.avg_pool2d(relu(n.bn2(n.conv2(pooled))), 2)
        expected = n.logits(relu(n.bn_fc1(n.fc1(four.flatten(1)))))
        torch.testing.assert_close(n(x), expected)


def test_dropouts_have_the_plans_shares(network):
    assert [m.p for m in network.modules() if isinstance(m, PoolDropout)] == [0.3]
    assert [m.p for m in network.modules() if isinstance(m, DenseDropout)] == [0.6, 0.6]


def test_a_convolution_in_a_dense_layers_place_is_named_and_dropped_as_one():
    plan = Plan(
        layers=(
            Conv("1", 2, step=4),
            Pool("pool1", 4, step=4),
            Conv("fc1", 5, 19, padding="valid"),
        ),
        dense=(),
    )
    network = plan(2)
    assert {"fc1", "bn_fc1", "drop_fc1"} <= dict(network.named_children()).keys()
    assert isinstance(network.drop_fc1, DenseDropout)
    assert network.logits.in_features == 5
