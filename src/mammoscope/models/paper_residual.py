"""The paper's networks with sums (residual connections) and the wide ones beside them.

0.0.2.06b, 1.0.1.40, 1.3.x and 1.4.x, from method facts 3.3. What is added is the named layer's
answer after its ReLU; the sum goes through ReLU once more. Where the facts leave a choice open,
docs/models/zoo.md says which was made and whether the published count of parameters bears it out.
"""

from mammoscope.models.paper_branched import pair, stem
from mammoscope.models.paper_network import Plan
from mammoscope.models.paper_plan import Cat, Conv, Pool, convs, in_order

NET_0_0_2_06B = Plan(
    layers=in_order(
        Conv("1.1", 64, step=2, padding="valid"),
        Conv("1.2", 32, 1),
        Conv("1.3", 32),
        Conv("1.4", 32, add="1.2"),
        Pool("pool1", 3),
        Conv("2.0", 64),
        Conv("2.1", 64),
        Conv("2.2", 64, add="2.0"),
        Pool("pool2"),
        Conv("3.0", 96),
        Conv("3.1", 96),
        Conv("3.2", 96, add="3.0"),
        Conv("1.1.2", 32, 1, of="1.1"),
        Conv("1.1.3", 32),
        Pool("pool1.1", 3),
        Conv("2.1.1", 64),
        Conv("2.1.2", 64),
        Pool("pool2.1"),
        Conv("3.1.1", 96),
        Cat("cat3", ("3.2", "3.1.1")),
        Pool("pool3"),
        convs("4", 256, 256),
        Pool("pool4"),
        convs("5", 384, 384),
        Pool("pool5"),
    ),
    dense=(2048, 1024),
)
NET_1_0_1_40 = Plan(
    layers=in_order(
        stem(),
        Conv("2.1", 96),
        Conv("2.2", 96, add="2.1"),
        Pool("pool2"),
        Conv("3.1", 128),
        Conv("3.2", 128, add="3.1"),
        Pool("pool3"),
        Conv("4", 256),
        Conv("4.1", 256, add="4"),
        Pool("pool4"),
        Conv("5", 384),
        Pool("pool5"),
    ),
    dense=(1024, 1024, 512),
    pool_dropout=0.25,
    dense_dropout=0.7,
)
NET_1_3_0_03N = Plan(
    layers=in_order(
        stem(),
        convs("2", 96, 96),
        Conv("2.3", 96, of="pool1"),
        Conv("2.4", 32, 1, of="pool1"),
        Cat("cat2", ("2.2", "2.3", "2.4")),
        Pool("pool2"),
        convs("3", 256, 256),
        Pool("pool3"),
        Conv("4", 384),
        Pool("pool4"),
        Conv("5", 512),
        Pool("pool5"),
    ),
    dense=(2048, 2048, 1024),
)
NET_1_3_1_01N = Plan(
    layers=in_order(
        Conv("1", 32, step=2, padding="valid"),
        Conv("1.1", 32),
        Conv("1.2", 32, add="1"),
        Conv("1.3", 32, of="1", add="1"),
        Cat("cat1", ("1.2", "1.3")),
        Pool("pool1"),
        Conv("2.0", 32, 1),
        convs("2", 64, 64),
        Conv("2.3", 64, of="pool1", add="pool1"),
        Cat("cat2", ("2.2", "2.3")),
        Pool("pool2"),
        Conv("3.1", 128),
        Conv("3.2", 128, add="3.1"),
        Conv("3.3", 128),
        Pool("pool3"),
        Conv("4", 256),
        Conv("4.1", 256, add="4"),
        Pool("pool4"),
        Conv("5", 512),
        Pool("pool5"),
    ),
    dense=(2048, 2048, 1024),
)
NET_1_4_0_01 = Plan(
    layers=in_order(
        Conv("1", 32, padding="valid"),
        Pool("pool1", average=True, padding="valid"),
        pair("2", 64, "pool1"),
        Pool("pool2", 3, padding="valid"),
        convs("3", 192, 192),
        Pool("pool3", 3, padding="valid"),
        convs("4", 256, 256),
        Pool("pool4", 3, padding="valid"),
        convs("5", 256, 256),
        Pool("pool5", padding="valid"),
        convs("6", 384, 384),
        Pool("pool6", average=True),
    ),
    dense=(2048, 1024, 512),
)
NET_1_4_1_04 = Plan(
    layers=in_order(
        Conv("1", 32, step=2),
        convs("1", 32, 32, 32, first=2),
        convs("1", 32, 32, of="1", first=5),
        Cat("cat1", ("1.4", "1.6")),
        Pool("pool1", 3),
        convs("2", 96, 96),
        Pool("pool2", 3),
        convs("3", 192, 192),
        Pool("pool3", 3),
        convs("4", 256, 256),
        Pool("pool4", 3),
        convs("5", 384, 384),
        Pool("pool5", 3),
        convs("6", 512, 512),
        Pool("pool6", average=True),
    ),
    dense=(2048, 1024, 512),
)
