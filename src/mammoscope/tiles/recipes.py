"""Recipes: which archives, how a scan is cut into tiles, how many normal tiles stay, how to divide.

A recipe is data: the engine of `mammoscope.tiles.build` carries out any of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any, get_args

import numpy as np
import polars as pl

from mammoscope.core.errors import BadValueError
from mammoscope.core.records import Scan
from mammoscope.core.registry import Registry
from mammoscope.scans.load import LoadedScan
from mammoscope.tiles.tile import Missed, Tile

Cut = Callable[[Scan, LoadedScan, np.random.Generator], Iterator[Tile | Missed]]
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
        that it can be sent to other processes; it may give a `Missed` for a finding that no tile
        is cut for
    takes : tells of a scan's record whether `cut` may give a tile of it; where not, its file is
        never opened, which for a film of DDSM saves half a second; None: every scan is cut
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
    takes: Callable[[Scan], bool] | None = None
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
    known = {one.name: one.annotation for one in taken if one.kind is Parameter.KEYWORD_ONLY}
    for option, value in options.items():
        if option not in known:
            raise BadValueError(
                f"Recipe {name} has no option {option!r}; it has: {', '.join(sorted(known))}."
            )
        if not _fits(value, get_args(known[option]) or (known[option],)):
            raise BadValueError(
                f"Recipe {name}: option {option} is {value!r}, where "
                f"{_kinds(get_args(known[option]) or (known[option],))} was expected."
            )
    made: Recipe = maker(None if archives is None else tuple(archives), **options)
    return made


def _fits(value: object, kinds: Sequence[type]) -> bool:
    """Tell whether an option's value is of one of its kinds; True is no number, but 40 is one."""
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, tuple(kinds)) or (float in kinds and isinstance(value, int))


def _kinds(kinds: Sequence[type]) -> str:
    words = {bool: "true or false", float: "a number", str: "a file"}
    return " or ".join(words[kind] for kind in kinds if kind in words)
