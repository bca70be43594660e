"""What lies in two splits: by the table, by equal pixels, and by pixels that are nearly the same.

Near duplicates are found in three steps: points whose surroundings look alike name pairs of
pictures and how one lies on the other (`match`), the pose is made exact and the pictures compared
place by place (`align`), and pairs that agree in enough of their texture are leaks.
"""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.tiles.audit.align import Fits, fit
from mammoscope.tiles.audit.hashes import THREADS, Hashes, floats, hash_pictures
from mammoscope.tiles.audit.match import (
    Candidates,
    basis_of,
    index_points,
    join,
    match_points,
    narrowed,
)
from mammoscope.tiles.audit.pictures import Pictures, pictures_of
from mammoscope.tiles.audit.points import Points, describe
from mammoscope.tiles.audit.points import join as join_points
from mammoscope.tiles.audit.tables import IDS, Leak, LeakKind, overlapping_boxes, shared_ids
from mammoscope.tiles.store import TileSet

LIKE, MOST_LIKE = 0.56, 0.75
"""Least correlation of textures; of 425 million honest pairs of CBIS-DDSM one reaches 0.45, and
19 of 20 planted ones reach 0.89 (`benchmarks/leaks.py`)."""
PAIRS, A_FOLD = 4e8, 0.03
"""For each e-fold of pairs beyond so many, so much more likeness is asked: the likest of honest
pairs grow rarer at that rate, so that a larger set raises no more alarms."""
TISSUE = 0.01
"""Least share of a picture with texture to compare that is neither bare film nor lies on it: the
lead letters of two films are alike to the last bit, dust nearly so, and say nothing of tissue.
Whole films in two archives have 0.011 and more, planted tiles 0.03, lead letters of CBIS-DDSM 0;
a white plaque that a tile's border cuts narrow may still count as tissue (docs/tiles/audit.md)."""
TOLD = 0.11
"""Least share of a picture with texture to compare: two plain edges lie on each other too well."""
VOTES, PLENTY = 3, 0.2
"""Points that must agree where less than that share of a picture has texture."""
CLEAR, LITTLE, MANY, TWO = 0.85, 0.05, 8, 2
"""Likeness from which so little texture is enough if so many points agree, as beside a film's edge,
which is steeper than all tissue; and two points, where `TOLD` is reached."""
SHARED = 0.35
"""Least share of each picture that the other shows."""
STRETCH = 1.25
"""Largest ratio of the sizes along rows and along columns."""
AT_ONCE = 256
SOUGHT_AT_ONCE = 1024
SAMPLED = 1500
"""Pictures whose points tell which numbers of a description are worth comparing."""
CAME_BY = (
    "",
    "mirrored left to right",
    "mirrored top to bottom",
    "turned by 180 degrees",
    "mirrored and turned by 90 degrees",
    "turned by 90 degrees clockwise",
    "turned by 90 degrees anticlockwise",
    "mirrored and turned by 270 degrees",
)
"""How a picture that was sought came out of the one that was found, by the form that undoes it."""


def find_leaks(source: TileSet | Pictures, *, seed: int = 0) -> tuple[Leak, ...]:
    """Find everything that lies in two splits.

    Parameters
    ----------
    source : a tile set, or pictures from elsewhere; rows without a split are left out
    seed : of the sample that sorts points into cells

    Returns
    -------
    Exact and near duplicates, overlapping boxes, and one leak for each lesion, scan, exam and
    patient that lies in two splits, in this order.

    Raises
    ------
    MammoscopeError
        When a picture can no longer be read.
    """
    pictures = source if isinstance(source, Pictures) else pictures_of(source)
    if pictures.table["split"].drop_nulls().n_unique() < 2:
        return ()
    by_id = (leak for kind in reversed(IDS) for leak in shared_ids(pictures.table, kind))
    return (*find_twins(pictures, seed=seed), *overlapping_boxes(pictures.table), *by_id)


def find_twins(pictures: Pictures, *, column: str = "split", seed: int = 0) -> tuple[Leak, ...]:
    """Find pairs of pictures with the same pixels, or nearly, that lie in different groups.

    Pictures of a single grey level say nothing and are left out. Of many pictures that show one
    place, each of the smaller groups is named with a few of the larger, not with all.

    Parameters
    ----------
    column : of the pictures' table: "split", or "archive" for what is in two archives

    Returns
    -------
    Exact duplicates, then near ones, the most alike first.
    """
    groups = _groups(pictures.table[column])
    names = [str(name) for name in pictures.table[column]]
    hashes = hash_pictures(len(pictures), pictures.read)
    groups[hashes.blank] = -1
    exact = [_exact(first, second, names) for first, second in _equal(hashes.digests, groups)]
    candidates = _candidates(hashes, groups, np.random.default_rng(seed))
    if candidates is None:
        return tuple(exact)
    near = _confirmed(hashes, candidates, names, least_likeness(groups))
    return (*exact, *sorted(near, key=lambda leak: (-leak.score, leak.first, leak.second)))


def least_likeness(groups: NDArray[np.intp]) -> float:
    """Return how alike two pictures must be: the more pairs there are, the more.

    Parameters
    ----------
    groups : ndarray of shape (n,), the group of each picture; below 0 where it is in none
    """
    sizes = np.bincount(groups[groups >= 0]).astype(np.float64)
    pairs = (sizes.sum() ** 2 - (sizes**2).sum()) / 2
    return float(np.clip(LIKE + A_FOLD * np.log(max(pairs, 1) / PAIRS), LIKE, MOST_LIKE))


def agree(fits: Fits, votes: NDArray[np.intp], least: float) -> NDArray[np.bool_]:
    """Tell which pairs of pictures agree in enough of their texture to be leaks.

    Parameters
    ----------
    fits : how n pairs fit
    votes : ndarray of shape (n,), points that agree on the pose
    least : likeness that is asked, see `least_likeness`
    """
    clear = np.minimum(fits.likeness, fits.alike) >= CLEAR
    good = (fits.likeness >= least) & (fits.shared.min(axis=1) >= SHARED)
    good &= (fits.tissue >= TISSUE) & (fits.alike >= least)
    good &= (fits.told >= TOLD) | (clear & (votes >= MANY) & (fits.tissue >= LITTLE))
    # A speck lies on any other: where there is little to see, several points have to agree.
    good &= (votes >= VOTES) | (fits.told >= PLENTY) | (clear & (votes >= TWO))
    good &= fits.size.max(axis=1) <= STRETCH * fits.size.min(axis=1)
    return np.asarray(good, np.bool_)


def _groups(column: pl.Series) -> NDArray[np.intp]:
    """Give each picture the number of its group, the smallest first; -1 where it is in none."""
    counted = column.drop_nulls().value_counts().rows()
    order = sorted(counted, key=lambda row: (row[1], row[0]))
    number = {name: rank for rank, (name, _) in enumerate(order)}
    return np.array([number.get(name, -1) for name in column], np.intp)


def _equal(digests: tuple[bytes, ...], groups: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield pairs of equal pictures in two groups, each with the first of the largest group."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for position, group in enumerate(groups):
        if group >= 0:
            same[digests[position]].append(position)
    for members in same.values():
        anchor = max(members, key=lambda position: (int(groups[position]), -position))
        for position in members:
            if groups[position] != groups[anchor]:
                yield anchor, position


def _exact(first: int, second: int, names: list[str]) -> Leak:
    return Leak(
        kind=LeakKind.EXACT,
        first=first,
        second=second,
        first_split=names[first],
        second_split=names[second],
        score=1.0,
        relation="the same pixels",
    )


def _candidates(
    hashes: Hashes, groups: NDArray[np.intp], rng: np.random.Generator
) -> Candidates | None:
    """Compare the points of each group with those of all larger ones."""
    others = np.flatnonzero(groups > 0)
    if not others.size:
        return None
    some = np.sort(rng.choice(others, min(SAMPLED, len(others)), replace=False))
    basis = basis_of(_described(hashes, some), rng)
    points = join_points(
        narrowed(_described(hashes, part), basis) for part in _parts(others, AT_ONCE)
    )
    if not len(points.picture):
        return None
    index = index_points(points, groups[points.picture], basis, rng)
    sought = [
        (group, part)
        for group in range(int(groups.max()))
        for part in _parts(np.flatnonzero(groups == group), SOUGHT_AT_ONCE)
    ]

    def match(task: tuple[int, NDArray[np.intp]]) -> Candidates:
        group, part = task
        points = narrowed(_described(hashes, part, sought=True), basis)
        return match_points(index, points, above=group)

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(match, sought))
    return join(found) if found else None


def _described(hashes: Hashes, positions: NDArray[np.intp], *, sought: bool = False) -> Points:
    return join_points(
        describe(floats(hashes.textures[part]), part, sought=sought)
        for part in _parts(positions, AT_ONCE)
    )


def _parts(positions: NDArray[np.intp], most: int) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(positions), most):
        yield positions[start : start + most]


def _confirmed(
    hashes: Hashes, candidates: Candidates, names: list[str], least: float
) -> Iterator[Leak]:
    """Yield the candidates whose pixels agree, each pair once, as it fits best."""
    fits = fit(hashes, candidates)
    good = agree(fits, candidates.votes, least)
    seen: set[tuple[int, int]] = set()
    for row in np.flatnonzero(good)[np.argsort(-fits.likeness[good], kind="stable")]:
        second, first = int(candidates.first[row]), int(candidates.second[row])
        pair = min(first, second), max(first, second)
        if pair in seen or hashes.digests[first] == hashes.digests[second]:
            continue
        seen.add(pair)
        yield Leak(
            kind=LeakKind.NEAR,
            first=first,
            second=second,
            first_split=names[first],
            second_split=names[second],
            score=float(fits.likeness[row]),
            relation=_relation(hashes, candidates, fits, int(row)),
        )


def _relation(hashes: Hashes, candidates: Candidates, fits: Fits, row: int) -> str:
    """Tell in words how the picture that was sought came out of the one that was found."""
    sides = [
        float(hashes.shapes[pair[row]].prod()) for pair in (candidates.first, candidates.second)
    ]
    size = float(np.sqrt(sides[0] / sides[1] / fits.size[row].prod()))
    overlap = float(fits.shared[row].min())
    told = [CAME_BY[int(candidates.form[row])]]
    if abs(np.log(size)) > 0.03:
        told.append(f"{size:.2f} times as large")
    if overlap < 0.97:
        told.append(f"{overlap:.0%} overlap")
    words = ", ".join(word for word in told if word)
    return words or "the same place in other grey levels or compressed anew"
