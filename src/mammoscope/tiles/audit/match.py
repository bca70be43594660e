"""Which pictures may show the same place: their points compared, and poses that points agree on.

Descriptions are sorted into cells round a few hundred typical ones, and compared within the
nearest cells only, which makes tens of millions of comparisons out of millions of millions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mammoscope.tiles.audit.hashes import SIDE
from mammoscope.tiles.audit.points import FORMS, Points

WORDS = 32
"""Numbers of a description that are compared: its strongest directions, weighed more evenly."""
ALIKE = 0.88
"""Least likeness of two descriptions; unrelated ones reach it once in 100,000 times."""
CERTAIN = 0.95
"""Likeness from which one pair of points is enough to look closer."""
CELLS = 1024
NEAREST = 3
"""Cells in which a description is looked for."""
SAMPLE = 20_000
LARGEST = 4_000_000
"""Comparisons that are held at once."""
KEPT = 12
"""Most points that a point is paired with."""
PARTNERS = 4
"""Most pictures that a picture is compared with pixel by pixel, the likeliest first."""
SAME_PLACE, SAME_SIZE = 6.0, 0.25
"""Poses agree that put a picture's middle within so many pixels, and its size within that (log)."""
MIDDLE = (SIDE - 1) / 2
_RELATED = np.array(
    [
        [int(np.flatnonzero((to.T @ have == FORMS).all(axis=(1, 2)))[0]) for to in FORMS]
        for have in FORMS
    ],
    np.int8,
)
"""Shape (8, 8): the form that turns a picture whose patch has one form towards the other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Pairs of pictures that may show the same place, n in all.

    Attributes
    ----------
    first, second : ndarrays of shape (n,): positions of the pictures
    form : ndarray of shape (n,): what is to be done to the first, see `points.turned`
    size : ndarray of shape (n,): pixels of the second to a pixel of the first
    middle : ndarray of shape (n, 2): where the first's middle lies in the second, in its texture
    votes : ndarray of shape (n,): how many points say so
    """

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    form: NDArray[np.int8]
    size: NDArray[np.float32]
    middle: NDArray[np.float32]
    votes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """Points in cells, made by `index_points`.

    Attributes
    ----------
    points : sorted by cell, and within a cell by group; narrowed
    groups : ndarray of shape (points,): the group of each point's picture
    basis : ndarray of shape (64, 32): from descriptions to the numbers that are compared
    cells : ndarray of shape (cells, 32): the middle of each cell
    starts : ndarray of shape (cells + 1,): first point of each cell
    """

    points: Points
    groups: NDArray[np.intp]
    basis: NDArray[np.float32]
    cells: NDArray[np.float32]
    starts: NDArray[np.intp]


def basis_of(points: Points, rng: np.random.Generator) -> NDArray[np.float32]:
    """Learn which numbers of a description tell most, shape (64, 32), from points of a sample."""
    return _basis(_some(points.words, SAMPLE, rng))


def narrowed(points: Points, basis: NDArray[np.float32]) -> Points:
    """Keep only the 32 numbers of each description that are compared: half the memory."""
    return replace(points, words=_projected(points.words, basis))


def index_points(
    points: Points,
    groups: NDArray[np.intp],
    basis: NDArray[np.float32],
    rng: np.random.Generator,
) -> Index:
    """Sort points into cells.

    Parameters
    ----------
    points : narrowed by the basis
    groups : ndarray of shape (points,), the group of each point's picture
    """
    words = points.words
    cells = _cells(_some(words, SAMPLE, rng), min(CELLS, 1 + int(len(words) ** 0.5)), rng)
    nearest = _nearest(words, cells, 1)[:, 0]
    order = np.lexsort((groups, nearest))
    return Index(
        points=points.take(order),
        groups=groups[order],
        basis=basis,
        cells=cells,
        starts=np.searchsorted(nearest[order], np.arange(len(cells) + 1)),
    )


def match_points(index: Index, sought: Points, *, above: int = -1) -> Candidates:
    """Find pictures of the index, in groups above a number, that may show what others show.

    Parameters
    ----------
    sought : points of the pictures that are looked for, narrowed by the basis of the index
    """
    mine, theirs, likeness = _pairs(index, sought.words, above)
    return _agreed(sought.take(mine), index.points.take(theirs), likeness)


def join(parts: Iterable[Candidates]) -> Candidates:
    """Put candidates together."""
    every = list(parts)
    return Candidates(
        first=np.concatenate([part.first for part in every]),
        second=np.concatenate([part.second for part in every]),
        form=np.concatenate([part.form for part in every]),
        size=np.concatenate([part.size for part in every]),
        middle=np.concatenate([part.middle for part in every]),
        votes=np.concatenate([part.votes for part in every]),
    )


def _some(values: NDArray[np.float32], most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    if len(values) <= most:
        return values
    return values[np.sort(rng.choice(len(values), most, replace=False))]


def _basis(words: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (64, 32): the strongest directions, the weaker ones raised: they tell more apart."""
    spread, directions = np.linalg.eigh(words.T @ words / max(1, len(words)))
    strongest = directions[:, ::-1][:, :WORDS]
    return np.asarray(strongest / (spread[::-1][:WORDS] + 1e-4) ** 0.25, np.float32)


def _projected(words: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    values = words @ basis
    return np.asarray(values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-9), np.float32)


def _cells(words: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Find the middles of cells by a few rounds of k-means on the sphere."""
    cells = words[np.sort(rng.choice(len(words), min(count, len(words)), replace=False))]
    for _ in range(4):
        owner = _nearest(words, cells, 1)[:, 0]
        sums = np.zeros_like(cells)
        np.add.at(sums, owner, words)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        cells = np.where(length > 1e-6, sums / np.maximum(length, 1e-6), cells)
    return cells


def _nearest(
    words: NDArray[np.float32], cells: NDArray[np.float32], count: int
) -> NDArray[np.intp]:
    """Find the `count` nearest cells of each description, shape (n, count)."""
    found = np.empty((len(words), min(count, len(cells))), np.intp)
    for start in range(0, len(words), 8192):
        likeness = words[start : start + 8192] @ cells.T
        rows = np.arange(len(likeness))
        for rank in range(found.shape[1]):
            best = likeness.argmax(axis=1)
            found[start : start + 8192, rank] = best
            likeness[rows, best] = -2
    return found


def _pairs(
    index: Index, words: NDArray[np.float32], above: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Pair descriptions with those of the index that are alike, at most `KEPT` each."""
    near = _nearest(words, index.cells, NEAREST)
    asking = np.repeat(np.arange(len(words)), near.shape[1])
    order = np.argsort(near.ravel(), kind="stable")
    bounds = np.searchsorted(near.ravel()[order], np.arange(len(index.cells) + 1))
    mine: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
    theirs: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
    alike: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
    for cell, (first, last) in enumerate(pairwise(bounds)):
        asked = asking[order[first:last]]
        start, end = index.starts[cell], index.starts[cell + 1]
        start += np.searchsorted(index.groups[start:end], above, side="right")
        for part in _blocks(asked, int(end - start)):
            likeness = words[part] @ index.points.words[start:end].T
            hits = np.flatnonzero(likeness.ravel() > ALIKE)
            rows, columns = np.divmod(hits, max(1, end - start))
            # Black film is like all other black film: what is too much is dropped at once.
            who, whom, how = _best(part[rows], columns + start, likeness.ravel()[hits])
            mine.append(who)
            theirs.append(whom)
            alike.append(how)
    return _best(np.concatenate(mine), np.concatenate(theirs), np.concatenate(alike))


def _blocks(asked: NDArray[np.intp], wide: int) -> Iterator[NDArray[np.intp]]:
    """Divide what is asked of a cell, so that no table of likenesses fills the memory."""
    rows = max(1, LARGEST // max(1, wide))
    for start in range(0, len(asked), rows):
        yield asked[start : start + rows]


def _best(
    mine: NDArray[np.intp], theirs: NDArray[np.intp], alike: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    order = np.lexsort((theirs, -alike, mine))
    kept = order[_rank(mine[order]) < KEPT]
    return mine[kept], theirs[kept], alike[kept]


def _rank(groups: NDArray[np.generic]) -> NDArray[np.intp]:
    """Give each member its number in its group; members of one lie side by side."""
    starts = _starts(groups)
    lengths = np.diff(np.append(starts, len(groups)))
    return np.asarray(np.arange(len(groups)) - np.repeat(starts, lengths), np.intp)


def _starts(groups: NDArray[np.generic]) -> NDArray[np.intp]:
    changes = np.flatnonzero(groups[1:] != groups[:-1]) + 1
    return np.concatenate([np.zeros(min(1, len(groups)), np.intp), changes])


def _agreed(mine: Points, theirs: Points, likeness: NDArray[np.float32]) -> Candidates:
    """Find the poses that points agree on, or that one says with certainty."""
    form = _RELATED[mine.form, theirs.form]
    size = theirs.radius / mine.radius
    turn = FORMS[form].astype(np.float32)
    away = np.einsum("nij,nj->ni", turn, MIDDLE - mine.centre)
    middle = theirs.centre + size[:, None] * away
    most = np.int64(1) << 31
    key = (mine.picture.astype(np.int64) * most + theirs.picture) * 8 + form
    order = np.lexsort((-likeness, key))
    starts = _starts(key[order])
    lengths = np.diff(np.append(starts, len(order)))
    leader = np.repeat(order[starts], lengths)
    near = np.abs(middle[order] - middle[leader]).max(axis=1) < SAME_PLACE
    near &= np.abs(np.log(size[order] / size[leader])) < SAME_SIZE
    votes = _distinct(mine, order, near, np.repeat(np.arange(len(starts)), lengths), len(starts))
    best = order[starts]
    enough = (votes > 1) | (likeness[best] > CERTAIN)
    best, votes = best[enough], votes[enough]
    rank = np.lexsort((theirs.picture[best], -likeness[best], -votes, mine.picture[best]))
    rank = rank[_rank(mine.picture[best[rank]]) < PARTNERS]
    best, votes = best[rank], votes[rank]
    return Candidates(
        first=mine.picture[best],
        second=theirs.picture[best],
        form=form[best],
        size=size[best],
        middle=middle[best].astype(np.float32),
        votes=votes,
    )


def _distinct(
    mine: Points,
    order: NDArray[np.intp],
    near: NDArray[np.bool_],
    group: NDArray[np.intp],
    count: int,
) -> NDArray[np.intp]:
    """Count the places of the first picture that agree, in each group."""
    centre = mine.centre[order]
    place = (centre[:, 0] * SIDE + centre[:, 1]).astype(np.int64)
    told = np.unique((group * (SIDE * SIDE) + place)[near])
    return np.bincount(told // (SIDE * SIDE), minlength=count)
