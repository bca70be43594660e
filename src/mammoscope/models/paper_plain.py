"""The paper's plain stacks of convolutions: ancestors of 1.0.0.35 and the family 1.1.x.

From method facts 3.2 and 3.3. Where these leave a choice open, docs/models/zoo.md says which was
made and whether the published count of parameters bears it out.
"""

from mammoscope.models.paper_network import Plan
from mammoscope.models.paper_plan import Conv, Pool, convs, in_order

DDSM_2 = Plan(
    layers=in_order(
        Conv("1", 32, 7, step=2),
        Pool("pool1", 3),
        Conv("2", 32, 5),
        Pool("pool2", 3),
        Conv("3", 64),
        Pool("pool3"),
        Conv("4", 96),
        Pool("pool4"),
        Conv("5", 128),
        Pool("pool5"),
        Conv("6", 256),
        Pool("pool6"),
        Conv("7", 512),
    ),
    dense=(1024, 1024),
)
CANDIDATE_1_0_0_2 = Plan(
    layers=in_order(
        Conv("1", 32, step=2, padding="valid"),
        Pool("pool1"),
        Conv("2", 48, step=2),
        Pool("pool2"),
        Conv("3", 64),
        Pool("pool3"),
        Conv("4", 96),
        Pool("pool4"),
        Conv("5", 128),
        Pool("pool5"),
    ),
    dense=(1024, 512),
)
NET_1_0_0_1 = Plan(
    layers=in_order(
        Conv("1", 32, step=2),
        convs("1", 32, 32),
        Pool("pool1", 3),
        Conv("2", 64),
        Pool("pool2"),
        Conv("3", 128),
        Pool("pool3"),
        Conv("4", 256),
        Pool("pool4"),
        Conv("5", 512),
        Pool("pool5"),
    ),
    dense=(2048, 2048),
    pool_dropout=0.2,
)
NET_1_1_0_01 = Plan(
    layers=in_order(
        Conv("1", 32, step=2, padding="valid"),
        Conv("1.1", 32, padding="valid"),
        Conv("1.2", 32),
        Pool("pool1", 3),
        Conv("2", 48),
        convs("2", 64, 64),
        Pool("pool2"),
        convs("3", 96, 96),
        Pool("pool3"),
        convs("4", 128, 128),
        Pool("pool4"),
        convs("5", 192, 192),
        Pool("pool5"),
    ),
    dense=(2048, 1024),
)
NET_1_1_1_01 = Plan(
    layers=in_order(
        Conv("1", 32, step=2, padding="valid"),
        convs("1", 32, 32),
        Pool("pool1", 3),
        convs("2", 48, 48),
        Pool("pool2"),
        convs("3", 96, 96, 96),
        Pool("pool3"),
        convs("4", 128, 128, 128),
        Pool("pool4"),
        convs("5", 192, 192),
        Pool("pool5"),
    ),
    dense=(1024, 512),
)
NET_1_1_2_06 = Plan(
    layers=in_order(
        Conv("1", 32, padding="valid"),
        Pool("pool1", padding="valid"),
        convs("2", 48, 48),
        Pool("pool2", 3),
        convs("3", 128, 128),
        Pool("pool3"),
        convs("4", 192, 192),
        Pool("pool4"),
        convs("5", 256, 256),
        Pool("pool5"),
        Conv("6", 512),
        Pool("pool6", 3, step=3),
    ),
    dense=(1024, 512, 256),
    pool_dropout=0.0,
    dense_dropout=0.7,
)
