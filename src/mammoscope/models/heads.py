"""Heads: which classes a network's answers stand for, from the five classes of a tile's label."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.core.errors import TrainingError, UnknownNameError
from mammoscope.tiles.tile import CLASSES, NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the answers of a classifier of tiles stand for.

    Attributes
    ----------
    name : of `HEADS`
    targets : names of the answers in order; the first is always "normal"
    index_of : answer of each label of `mammoscope.tiles.tile.CLASSES`
    """

    name: str
    targets: tuple[str, ...]
    index_of: Mapping[str, int]

    def __post_init__(self) -> None:
        if self.index_of[NORMAL] != 0 or set(self.index_of) != set(CLASSES):
            raise ValueError(f"head {self.name!r} needs an answer for each class, 0 for normal")
        if set(self.index_of.values()) != set(range(len(self.targets))):
            raise ValueError(f"head {self.name!r} has answers that no class leads to")

    def truth(self, labels: ArrayLike) -> NDArray[np.int64]:
        """Turn labels into answers.

        Parameters
        ----------
        labels : shape (tiles,), each one of `mammoscope.tiles.tile.CLASSES`

        Returns
        -------
        ndarray of shape (tiles,), int64: positions in `targets`

        Raises
        ------
        TrainingError
            When a label is none of the five classes.
        """
        names, places = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
        for name in names.tolist():
            if name not in self.index_of:
                raise TrainingError(
                    f"A tile has the label {name!r}, and a head knows {', '.join(CLASSES)} alone; "
                    "give the tiles labels of these classes."
                )
        answers = np.array([self.index_of[name] for name in names.tolist()], dtype=np.int64)
        return answers[places]


def _head(name: str, targets: tuple[str, ...], answers: tuple[int, ...]) -> Head:
    index_of = MappingProxyType(dict(zip(CLASSES, answers, strict=True)))
    return Head(name=name, targets=targets, index_of=index_of)


# Answers stand in the order of `CLASSES`: normal; benign calcification and mass; malignant ones.
HEADS: Mapping[str, Head] = MappingProxyType(
    {
        "binary": _head("binary", ("normal", "abnormal"), (0, 1, 1, 1, 1)),
        "five": _head(
            "five",
            (
                "normal",
                "benign calcification",
                "benign mass",
                "malignant calcification",
                "malignant mass",
            ),
            (0, 1, 2, 3, 4),
        ),
        "mass-calcification": _head(
            "mass-calcification", ("normal", "calcification", "mass"), (0, 1, 2, 1, 2)
        ),
        "benign-malignant": _head(
            "benign-malignant", ("normal", "benign", "malignant"), (0, 1, 1, 2, 2)
        ),
    }
)
"""The paper's ways to label (`-l normal`, `label`, `mass`, `benign`; method facts 4)."""


def head_of(name: str) -> Head:
    """Return the head called `name`.

    Raises
    ------
    UnknownNameError
        When there is no such head.
    """
    if name not in HEADS:
        raise UnknownNameError.among("head", name, HEADS)
    return HEADS[name]
