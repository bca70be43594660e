"""VGG-16 "lite": the paper's reduced forms of VGG-16 on grey tiles, from method facts 3.4."""

from mammoscope.models.paper_network import Plan
from mammoscope.models.paper_plan import Conv, Layer, Pool, in_order

Blocks = tuple[tuple[int, ...], ...]
WIDE: Blocks = ((64, 64), (128, 128), (256, 256), (512,) * 3, (512,) * 3)
"""Twelve convolutions: one fewer in the third block than VGG-16 has."""
FULL: Blocks = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
NARROW: Blocks = ((64, 64), (96, 96), (128, 128), (256,) * 3, (384,) * 3)


def _plan(blocks: Blocks, *dense: int, first: Conv, before: tuple[Layer, ...] = ()) -> Plan:
    """Make a plan from the filters of each block and a first convolution, which is "_1.1"."""
    layers: list[Layer] = [*before, first]
    for block, filters in enumerate(blocks, 1):
        for number, width in enumerate(filters, 1):
            if (block, number) != (1, 1):
                layers.append(Conv(f"_{block}.{number}", width))
        layers.append(Pool(f"pool_{block}"))
    # The scripts have dropout on pooled maps, switched off.
    return Plan(layers=in_order(layers), dense=dense, pool_dropout=0.0)


VGG_16 = _plan(WIDE, 2048, 2048, first=Conv("_1.1", 64, padding="valid"))
VGG_16_2 = _plan(WIDE, 2048, 2048, first=Conv("_1.1", 64, step=2))
VGG_16_3_01 = _plan(
    WIDE,
    2048,
    2048,
    first=Conv("_1.1", 64),
    before=(Pool("pool_0", average=True, dropped=False),),
)
VGG_16_3 = _plan(NARROW, 1024, 512, first=Conv("_1.1", 64, step=2))
VGG_16_PAPER = _plan(FULL, 1024, 512, first=Conv("_1.1", 64, step=2))
"""As the paper tells it: VGG-16 with a step of 2, batch norm and dense layers of 1024 and 512."""
