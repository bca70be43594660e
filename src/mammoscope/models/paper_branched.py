"""The paper's networks with branches that are joined by their channels: 1.0.0.30, 1.0.1.x to 1.2.x.

From method facts 3.2 and 3.3. Where these leave a choice open, docs/models/zoo.md says which was
made and whether the published count of parameters bears it out.
"""

from mammoscope.models.paper_network import Plan
from mammoscope.models.paper_plan import Cat, Conv, Layer, Pool, convs, in_order


def stem(*, filters: int = 32, side_branch_of: str = "1") -> tuple[Layer, ...]:
    """Make the first block of most: conv1 at step 2, two in a row, one beside them, joined."""
    return in_order(
        Conv("1", filters, step=2),
        convs("1", filters, filters),
        Conv("1.3", filters, of=side_branch_of),
        Cat("cat1", ("1.2", "1.3")),
        Pool("pool1", 3),
    )


def narrow_pair(block: str, squeeze: int, width: int, of: str) -> tuple[Layer, ...]:
    """Make a block of two branches, each behind a convolution of 1 x 1: two in a row beside one."""
    return in_order(
        Conv(f"{block}.0", squeeze, 1, of=of),
        convs(block, width, width),
        Conv(f"{block}.3", squeeze, 1, of=of),
        Conv(f"{block}.4", width),
        Cat(f"cat{block}", (f"{block}.2", f"{block}.4")),
    )


def pair(block: str, width: int, of: str) -> tuple[Layer, ...]:
    """Make a block of two branches: two convolutions in a row beside one."""
    return in_order(
        convs(block, width, width, of=of),
        Conv(f"{block}.3", width, of=of),
        Cat(f"cat{block}", (f"{block}.2", f"{block}.3")),
    )


NET_1_0_0_30 = Plan(
    layers=in_order(
        stem(),
        convs("2", 64, 64),
        Pool("pool2"),
        convs("3", 128, 128),
        Pool("pool3"),
        Conv("4", 256),
        Pool("pool4"),
        Conv("5", 512),
        Pool("pool5"),
    ),
    dense=(2048, 2048),
)


def _family_1_0_1(*dense: int, pool_dropout: float = 0.25, dense_dropout: float = 0.7) -> Plan:
    return Plan(
        layers=in_order(
            stem(),
            convs("2", 96, 96),
            Pool("pool2"),
            convs("3", 128, 128),
            Pool("pool3"),
            Conv("4", 256),
            Conv("4.1", 256),
            Pool("pool4"),
            Conv("5", 384),
            Pool("pool5"),
        ),
        dense=dense,
        pool_dropout=pool_dropout,
        dense_dropout=dense_dropout,
    )


NET_1_0_1_32 = _family_1_0_1(1024, 1024)
"""Also 1.0.1.39d and .39n."""
NET_1_0_1_44A = _family_1_0_1(2048, 1024, 512, pool_dropout=0.2, dense_dropout=0.6)
NET_1_1_0_40 = _family_1_0_1(1024, 1024, 512)


def _family_1_0_2(side_branch_of: str) -> Plan:
    return Plan(
        layers=in_order(
            stem(side_branch_of=side_branch_of),
            pair("2", 64, "pool1"),
            Pool("pool2.1"),
            convs("3", 192, 192),
            Pool("pool3"),
            Conv("4", 256),
            Pool("pool4"),
            Conv("5", 512),
            Pool("pool5"),
        ),
        dense=(2048, 2048),
        pool_dropout=0.2,
    )


NET_1_0_2_02 = _family_1_0_2("1")
NET_1_0_2_06 = _family_1_0_2("1.1")
NET_1_0_3_02 = Plan(
    layers=in_order(
        Conv("1", 64, step=2),
        narrow_pair("1", 32, 64, "1"),
        Pool("pool1.1", 3),
        narrow_pair("2", 64, 96, "pool1.1"),
        Pool("pool2.1"),
        convs("3", 256, 256),
        Pool("pool3"),
        Conv("4", 384),
        Conv("4.1", 384),
        Pool("pool4"),
        Conv("5", 512),
        Conv("5.1", 512),
        Pool("pool5"),
        Conv("6.1", 512),
        Pool("pool6"),
    ),
    dense=(2048, 1024),
    pool_dropout=0.2,
)
NET_1_0_3_04 = Plan(
    layers=in_order(
        Conv("0", 32, step=2, padding="valid"),
        Conv("0.1", 32, padding="valid"),
        Conv("0.2", 64),
        Pool("pool0", 3),
        pair("1", 64, "pool0"),
        Pool("pool1.1", 3),
        pair("2", 128, "pool1.1"),
        Pool("pool2.1"),
        Conv("3.0", 192, 1),
        convs("3", 256, 256),
        Pool("pool3"),
        Conv("4", 384),
        Conv("4.1", 384),
        Pool("pool4"),
    ),
    dense=(2048, 2048),
    pool_dropout=0.2,
)
NET_1_0_4_01 = Plan(
    layers=in_order(
        Conv("1", 64, step=2),
        narrow_pair("1", 32, 48, "1"),
        Pool("pool1.1", 3),
        convs("2", 128, 128),
        Pool("pool2"),
        convs("3", 192, 192),
        Pool("pool3"),
        convs("4", 256, 256),
        Pool("pool4"),
        convs("5", 384, 512),
        Pool("pool5"),
        Conv("6", 512),
        Pool("pool6"),
    ),
    dense=(2048, 1024),
)
NET_1_0_5_01 = Plan(
    layers=in_order(
        Conv("1", 64, step=2),
        Conv("1.0", 32, 1),
        convs("1", 32, 32),
        Conv("1.3", 32, 1, of="1"),
        Conv("1.4", 32),
        Cat("cat1", ("1.2", "1.4")),
        Pool("pool1", 3),
        convs("2", 96, 96),
        Pool("pool2"),
        convs("3", 128, 128),
        Pool("pool3"),
        convs("4", 192, 192),
        Pool("pool4"),
        convs("5", 256, 256),
        Pool("pool5"),
        Conv("6", 512),
        Pool("pool6", average=True),
        Conv("fc1", 512, padding="valid"),
        Conv("fc2", 512, 1),
    ),
    dense=(),
)
NET_1_2_0_01 = Plan(
    layers=in_order(
        Conv("1", 32, step=2),
        convs("1", 32, 32, 32),
        Conv("1.4", 32, of="1"),
        Cat("cat1", ("1.3", "1.4")),
        Pool("pool1", 3),
        narrow_pair("2", 32, 64, "pool1"),
        Pool("pool2"),
        convs("3", 128, 128),
        Pool("pool3"),
        Conv("4", 256),
        Pool("pool4"),
        Conv("5", 512),
        Pool("pool5"),
    ),
    dense=(2048, 2048),
)
