"""Recipes: which archives, how a scan is cut into tiles, how many normal tiles stay, how to divide.

A recipe is data: the engine of `mammoscope.tiles.build` carries out any of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any

import numpy as np
import polars as pl

from mammoscope.core.errors import BadValueError
from mammoscope.core.records import Scan
from mammoscope.core.registry import Registry
from mammoscope.scans.load import LoadedScan
from mammoscope.tiles.tile import Tile

Cut = Callable[[Scan, LoadedScan, np.random.Generator], Iterator[Tile]]
Choice = Callable[[pl.DataFrame, int], pl.Series]

RECIPES = Registry(
    "recipe",
    {
        "6": "mammoscope.tiles.paper_recipes:recipe_6",
        "8": "mammoscope.tiles.paper_recipes:recipe_8",
        "9": "mammoscope.tiles.paper_recipes:recipe_9",
        "9.5": "mammoscope.tiles.paper_recipes:recipe_9_5",
        "10": "mammoscope.tiles.paper_recipes:recipe_10",
        "strict": "mammoscope.tiles.strict:strict",
    },
)
"""Name to maker; a maker is called with ``archives`` (names) and the recipe's own options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How archives become a tile set.

    Attributes
    ----------
    name : of `RECIPES`
    archives : names of the archives whose scans `cut` takes
    cut : gives the tiles of one scan; a function of a module, or `functools.partial` of one, so
        that it can be sent to other processes
    normals_per_abnormal : of the candidates without finding, those of the smallest lots stay, so
        many for each one with; None: all stay
    division : gives the split of each row of the table of candidates (the columns of
        `mammoscope.tiles.store.SCHEMA` but split, and lot and official_split) from a seed; None:
        by patient
    choose : says which rows of that table stay, where `normals_per_abnormal` is too simple
    settings : what is kept in the provenance
    """

    name: str
    archives: tuple[str, ...]
    cut: Cut
    normals_per_abnormal: float | None = None
    division: Choice | None = None
    choose: Choice | None = None
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def make_recipe(name: str, archives: Sequence[str] | None = None, **options: Any) -> Recipe:
    """Make a recipe.

    Parameters
    ----------
    name : of `RECIPES`
    archives : names of the archives that will be cut; the paper's recipes differ between
        "ddsm" with "cbis-ddsm", which is what None means for them, and "mini-mias" alone
    options : the recipe's own, as its maker takes them

    Raises
    ------
    UnknownNameError
        When there is no such recipe.
    BadValueError
        When the recipe is not for these archives, or has no such option.
    """
    maker = RECIPES.get(name)
    taken = signature(maker).parameters.values()
    known = {one.name for one in taken if one.kind is Parameter.KEYWORD_ONLY}
    for option in options:
        if option not in known:
            raise BadValueError(
                f"Recipe {name} has no option {option!r}; it has: {', '.join(sorted(known))}."
            )
    made: Recipe = maker(None if archives is None else tuple(archives), **options)
    return made
