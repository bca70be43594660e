"""Tables of layers: what they name, and what they may read."""

import pytest

from mammoscope.models.paper_network import Plan
from mammoscope.models.paper_plan import Cat, Conv, Pool, convs, in_order


def test_modules_have_the_scripts_names_with_a_line_for_a_point():
    assert Conv("1.1", 32).modules == ("conv1_1", "bn1_1")
    assert Conv("_5.3", 32).modules == ("conv_5_3", "bn_5_3")
    assert Conv("fc1", 32).modules == ("fc1", "bn_fc1")
    assert Pool("pool2.1").modules == ("pool2_1", "drop_pool2_1")


def test_layers_and_rows_are_joined_in_order():
    joined = in_order(Conv("1", 8), convs("1", 8, 8), Pool("pool1"))
    assert [layer.name for layer in joined] == ["1", "1.1", "1.2", "pool1"]


def test_rows_of_convolutions_count_on():
    assert convs("2", 8, 9, of="pool1", first=3) == (Conv("2.3", 8, of="pool1"), Conv("2.4", 9))


@pytest.mark.parametrize(
    "layers",
    [
        (Conv("1", 2, of="0"),),
        (Conv("1", 2, add="1"),),
        (Conv("1", 2), Conv("1", 2)),
        (Conv("1", 2), Cat("cat1", ("1", "1.1"))),
        (Pool("pool1", of="1"),),
    ],
)
def test_a_plan_that_reads_what_is_not_there_or_names_twice_cannot_be_made(layers):
    with pytest.raises(ValueError, match="layer"):
        Plan(layers=layers, dense=())
