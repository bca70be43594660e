"""Reduced Inception v4: as the paper's scripts have it, and as the paper tells it.

The scripts' version (method facts 3.5) narrows the filters, keeps the pool over all places, has 3,
4 and 2 blocks and means over windows of 2 x 2. The paper tells of filters cut in half, with all of
4, 7 and 3 blocks (Szegedy, Ioffe and Vanhoucke, arXiv:1602.07261v2, figures 3 to 9), and of two
dense layers in place of the pool; how wide these are it does not tell.
"""

from dataclasses import dataclass, replace

from mammoscope.models.paper_network import Plan
from mammoscope.models.paper_plan import Cat, Conv, Layer, Pool

Part = Conv | Pool | tuple[Conv, Conv]
"""One step of a branch, without a name yet; a pair forks the branch at its end."""
Branch = tuple[Part, ...]
MAX = Pool("", 3, padding="valid", dropped=False)
TALL, FLAT = (7, 1), (1, 7)
LOW, WIDE = (1, 3), (3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filters:
    """Filters of each block's branches, in the order of the figures, without the pools' own.

    Attributes
    ----------
    stem : of its three first convolutions, then of the ones beside the first and the second pool
    stem_long : of its second branching; the last number is that of both ends
    a, b, c : pooled branch, single convolution, short branch, long branch; the last numbers of
        `c_short` and `c_long` are those of both ends of a fork
    reduce_a, reduce_b : branches beside the pool
    """

    stem: tuple[int, int, int, int, int]
    stem_long: tuple[int, int, int]
    a: tuple[int, int]
    a_long: tuple[int, int]
    reduce_a: tuple[int, tuple[int, int, int]]
    b: tuple[int, int]
    b_short: tuple[int, int, int]
    b_long: tuple[int, int, int, int, int]
    reduce_b: tuple[tuple[int, int], tuple[int, int, int, int]]
    c: tuple[int, int]
    c_short: tuple[int, int]
    c_long: tuple[int, int, int, int]


SCRIPTS = _Filters(
    stem=(32, 32, 64, 32, 128),
    stem_long=(48, 64, 64),
    a=(48, 64),
    a_long=(48, 64),
    reduce_a=(192, (96, 128, 128)),
    b=(96, 128),
    b_short=(96, 128, 192),
    b_long=(96, 96, 128, 128, 192),
    reduce_b=((96, 96), (128, 128, 192, 192)),
    c=(128, 128),
    c_short=(192, 128),
    c_long=(192, 256, 256, 128),
)
HALVED = _Filters(
    stem=(16, 16, 32, 48, 96),
    stem_long=(32, 32, 48),
    a=(48, 48),
    a_long=(32, 48),
    reduce_a=(192, (96, 112, 128)),
    b=(64, 192),
    b_short=(96, 112, 128),
    b_long=(96, 96, 112, 112, 128),
    reduce_b=((96, 96), (128, 128, 160, 160)),
    c=(128, 128),
    c_short=(192, 128),
    c_long=(192, 224, 256, 128),
)
"""Half of what figures 3 to 9 of arXiv:1602.07261v2 have."""


def _conv(filters: int, kernel: int | tuple[int, int] = 1) -> Conv:
    return Conv("", filters, kernel)


def _valid(filters: int, step: int = 1) -> Conv:
    return Conv("", filters, 3, step, "valid")


def _fork(filters: int) -> tuple[Conv, Conv]:
    return (_conv(filters, LOW), _conv(filters, WIDE))


def _mean(size: int) -> Pool:
    return Pool("", size, step=1, average=True, dropped=False)


def _block(name: str, of: str, *branches: Branch) -> list[Layer]:
    """Name the steps of branches that all read `of`, and join their channels under `name`."""
    layers: list[Layer] = []
    ends: list[str] = []
    for letter, branch in zip("abcd", branches, strict=False):
        before = of
        for number, part in enumerate(branch, 1):
            step = f"_{name}{letter}.{number}"
            if isinstance(part, tuple):
                forks = [replace(p, name=f"{step}.{i}", of=before) for i, p in enumerate(part, 1)]
                layers.extend(forks)
                ends.extend(fork.name for fork in forks)
                break
            before = f"pool{step}" if isinstance(part, Pool) else step
            previous = of if number == 1 else layers[-1].name
            layers.append(replace(part, name=before, of=previous))
        else:
            ends.append(before)
    return [*layers, Cat(name, tuple(ends))]


def _chain(counted: int, name: str, of: str, *branches: Branch) -> list[Layer]:
    """Put equal blocks one after the other: name1, name2, ..."""
    layers: list[Layer] = []
    for number in range(1, counted + 1):
        layers += _block(f"{name}{number}", of, *branches)
        of = f"{name}{number}"
    return layers


def _stem(f: _Filters) -> list[Layer]:
    first, second, third, beside_1, beside_3 = f.stem
    narrow, middle, end = f.stem_long
    return [
        Conv("1", first, 3, 2, "valid"),
        Conv("2", second, 3, 1, "valid"),
        Conv("3", third),
        *_block("stem1", "3", (MAX,), (_valid(beside_1, 2),)),
        *_block(
            "stem2",
            "stem1",
            (_conv(narrow), _valid(end)),
            (_conv(narrow), _conv(middle, TALL), _conv(middle, FLAT), _valid(end)),
        ),
        *_block("stem3", "stem2", (MAX,), (_valid(beside_3, 2),)),
    ]


def _blocks_a(f: _Filters, counted: int, mean: Pool) -> list[Layer]:
    narrow, wide = f.a_long
    beside, (first, second, third) = f.reduce_a
    return [
        *_chain(
            counted,
            "a",
            "stem3",
            (mean, _conv(f.a[0])),
            (_conv(f.a[1]),),
            (_conv(narrow), _conv(wide, 3)),
            (_conv(narrow), _conv(wide, 3), _conv(wide, 3)),
        ),
        *_block(
            "reduce_a",
            f"a{counted}",
            (MAX,),
            (_valid(beside, 2),),
            (_conv(first), _conv(second, 3), _valid(third, 2)),
        ),
    ]


def _blocks_b(f: _Filters, counted: int, mean: Pool) -> list[Layer]:
    short, long = f.b_short, f.b_long
    beside, far = f.reduce_b
    return [
        *_chain(
            counted,
            "b",
            "reduce_a",
            (mean, _conv(f.b[0])),
            (_conv(f.b[1]),),
            (_conv(short[0]), _conv(short[1], FLAT), _conv(short[2], TALL)),
            (
                _conv(long[0]),
                _conv(long[1], FLAT),
                _conv(long[2], TALL),
                _conv(long[3], FLAT),
                _conv(long[4], TALL),
            ),
        ),
        *_block(
            "reduce_b",
            f"b{counted}",
            (MAX,),
            (_conv(beside[0]), _valid(beside[1], 2)),
            (_conv(far[0]), _conv(far[1], FLAT), _conv(far[2], TALL), _valid(far[3], 2)),
        ),
    ]


def _blocks_c(f: _Filters, counted: int, mean: Pool) -> list[Layer]:
    long = f.c_long
    return _chain(
        counted,
        "c",
        "reduce_b",
        (mean, _conv(f.c[0])),
        (_conv(f.c[1]),),
        (_conv(f.c_short[0]), _fork(f.c_short[1])),
        (_conv(long[0]), _conv(long[1], LOW), _conv(long[2], WIDE), _fork(long[3])),
    )


def _layers(f: _Filters, counts: tuple[int, int, int], mean: Pool) -> tuple[Layer, ...]:
    return (
        *_stem(f),
        *_blocks_a(f, counts[0], mean),
        *_blocks_b(f, counts[1], mean),
        *_blocks_c(f, counts[2], mean),
    )


POOL = Pool("pool", 8, step=1, average=True, padding="valid", dropped=False)
INCEPTION_V4_05 = Plan(
    layers=(*_layers(SCRIPTS, (3, 4, 2), _mean(2)), POOL), dense=(), dense_dropout=0.2
)
INCEPTION_V4_PAPER = Plan(
    layers=_layers(HALVED, (4, 7, 3), _mean(3)), dense=(1024, 512), dense_dropout=0.2
)
"""The widths of its dense layers are those of the paper's VGG-16; its own are not told."""
