"""The recipes of the paper as data; docs/tiles/recipes.md is their table.

Each maker takes the names of the archives to cut: "ddsm" for normal tissue and "cbis-ddsm" for
findings, or "mini-mias" alone, which the paper kept apart as a test on a foreign archive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from mammoscope.core.errors import BadValueError
from mammoscope.tiles.faithful import (
    MARK,
    all_test,
    choose_extras,
    choose_faithfully,
    divide_faithfully,
)
from mammoscope.tiles.paper_cut import (
    CBIS,
    DDSM,
    MIAS,
    FilmPlan,
    MiasPlan,
    cut_film,
    cut_mias,
    takes_film,
    takes_mias,
)
from mammoscope.tiles.paper_lesions import (
    every_way,
    every_way_but_parts,
    three_crops,
    three_crops_printed,
    zoomed,
    zoomed_only,
    zoomed_printed,
)
from mammoscope.tiles.paper_normals import Grid
from mammoscope.tiles.recipes import Recipe

FILMS = (DDSM, CBIS)
MIAS_SCALE = 2.58
"""Half the mean height of CBIS-DDSM's scans over the 1024 rows of mini-MIAS."""
_SMALL = Grid(side=299, stride=(200, 200))
_SMALL_PRINTED = Grid(side=299, stride=(150, 200))
_LARGE = Grid(side=598, stride=(350, 350))
_APART = Grid(side=598, stride=(598, 598))
_MIAS_GRID = Grid(side=299, stride=(200, 200), kept=0.3)
_SHRINK = (1.8, 3.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A recipe for both kinds of archive.

    Attributes
    ----------
    film : how scans of DDSM and CBIS-DDSM are cut
    mias : how those of mini-MIAS are; None where the author never cut them so
    abnormal_per_normal : tiles of findings for each normal tile of films; None keeps all
    mixed : see `mammoscope.tiles.faithful.divide_faithfully`
    """

    film: FilmPlan
    mias: MiasPlan | None
    abnormal_per_normal: float | None
    mixed: bool = False


def _nine(film: FilmPlan, mias: MiasPlan) -> dict[str, Facts]:
    """Recipe 9 and those that differ from it in their normal tiles alone."""
    grid = replace(film.grid, refused=0.2)
    # Tiles of recipe 10 have levels of 255, and 67,093 of 2,499 films are those of a grid apart.
    untested = replace(film, recipe="10", grid=replace(_APART, tested=False), white_to_black=False)
    return {
        "9": Facts(film=film, mias=mias, abnormal_per_normal=0.2),
        "9.5": Facts(
            film=replace(film, recipe="9.5", grid=grid), mias=None, abnormal_per_normal=0.2
        ),
        "10": Facts(film=untested, mias=None, abnormal_per_normal=0.15),
    }


_FILM_6 = FilmPlan(recipe="6", lesions=every_way, grid=_SMALL, shrink=_SHRINK)
_FILM_8 = replace(_FILM_6, recipe="8", lesions=zoomed)
_FILM_9 = FilmPlan(recipe="9", lesions=three_crops, grid=_LARGE)
_MIAS_9 = MiasPlan(recipe="9", lesions=three_crops, grid=_MIAS_GRID, enlarge=(MIAS_SCALE, 0))
CODE: Mapping[str, Facts] = {
    "6": Facts(
        film=_FILM_6,
        mias=replace(
            _MIAS_9,
            recipe="6",
            lesions=every_way_but_parts,
            enlarge=(2.5, 0.5),
            lesion_scale=2.5,
            trim_film=True,
        ),
        abnormal_per_normal=None,
        mixed=True,
    ),
    "8": Facts(
        film=_FILM_8,
        mias=replace(
            _MIAS_9, recipe="8", lesions=zoomed_only, enlarge=(2.2, 0), lesions_at_size=True
        ),
        abnormal_per_normal=0.2,
    ),
    **_nine(_FILM_9, _MIAS_9),
}
"""What the author's code does."""
PRINTED: Mapping[str, Facts] = {
    "6": replace(
        CODE["6"],
        film=replace(_FILM_6, grid=_SMALL_PRINTED, own_labels=True),
        mias=replace(_MIAS_9, recipe="6", lesions=every_way, trim_film=True),
    ),
    "8": replace(
        CODE["8"],
        film=replace(_FILM_8, lesions=zoomed_printed, grid=_SMALL_PRINTED, own_labels=True),
        mias=replace(_MIAS_9, recipe="8", lesions=zoomed_printed),
    ),
    **_nine(
        replace(_FILM_9, lesions=three_crops_printed, grid=_APART, own_labels=True),
        replace(_MIAS_9, lesions=three_crops_printed),
    ),
}
"""What the paper says, where it says something else."""


def paper_recipe(
    name: str,
    archives: tuple[str, ...] | None = None,
    *,
    as_printed: bool = False,
    label_per_finding: bool | None = None,
    radius_as_side: bool = True,
    faithful_splits: bool = False,
) -> Recipe:
    """Make a recipe of the paper.

    Parameters
    ----------
    name : of `CODE`
    archives : "ddsm", "cbis-ddsm" or both, which is what None means; or "mini-mias"
    as_printed : what the paper says where the author's code does something else
    label_per_finding : each finding has its own label; False: all of a scan have that of its first,
        as in the author's code; None: as `as_printed` has it
    radius_as_side : a finding of mini-MIAS is taken for half as wide as it is, as in the notebooks
    faithful_splits : divide as the author did, which leaks; on mini-MIAS, cut findings whose place
        is on air too, as he did

    Raises
    ------
    BadValueError
        When it cannot be made for these archives.
    """
    facts = (PRINTED if as_printed else CODE)[name]
    if label_per_finding is not None:
        facts = replace(facts, film=replace(facts.film, own_labels=label_per_finding))
    wanted = FILMS if archives is None else tuple(dict.fromkeys(archives))
    settings: dict[str, str | int | float | bool] = {"as_printed": as_printed}
    if faithful_splits:
        settings["splits"] = MARK
    if wanted == (MIAS,):
        settings["radius_as_side"] = radius_as_side
        plan = replace(
            _mias_plan(name, facts), radius_as_side=radius_as_side, on_air=faithful_splits
        )
        return Recipe(
            name=name,
            archives=wanted,
            cut=partial(cut_mias, plan),
            takes=takes_mias,
            division=all_test if faithful_splits else None,
            settings=settings,
        )
    _check_films(name, wanted)
    settings["label_per_finding"] = facts.film.own_labels
    cut = partial(cut_film, facts.film)
    recipe = Recipe(name=name, archives=wanted, cut=cut, takes=takes_film, settings=settings)
    return _as_author_divides(recipe, facts) if faithful_splits else _by_patient(recipe, facts)


recipe_6 = partial(paper_recipe, "6")
recipe_8 = partial(paper_recipe, "8")
recipe_9 = partial(paper_recipe, "9")
recipe_9_5 = partial(paper_recipe, "9.5")
recipe_10 = partial(paper_recipe, "10")


def _check_films(name: str, archives: tuple[str, ...]) -> None:
    if not archives or not set(archives) <= set(FILMS):
        raise BadValueError(
            f"Recipe {name} is for {' and '.join(FILMS)}, or for {MIAS} alone, not for "
            f"{' with '.join(archives) or 'no archive'}; build a tile set of each."
        )


def _mias_plan(name: str, facts: Facts) -> MiasPlan:
    if facts.mias is None:
        raise BadValueError(
            f"Recipe {name} has no form for {MIAS}: the author tested its networks on the tiles "
            "of recipe 9; build those."
        )
    return facts.mias


def _by_patient(recipe: Recipe, facts: Facts) -> Recipe:
    """Say how many normal tiles stay."""
    share = facts.abnormal_per_normal
    per_abnormal = None if share is None else 1 / share
    if facts.film.grid.refused and per_abnormal is not None:
        choose = partial(choose_extras, normals_per_abnormal=per_abnormal)
        return replace(recipe, choose=choose)
    return replace(recipe, normals_per_abnormal=per_abnormal)


def _as_author_divides(recipe: Recipe, facts: Facts) -> Recipe:
    share = facts.abnormal_per_normal
    if set(recipe.archives) != set(FILMS):
        raise BadValueError(
            f"The author's division of recipe {recipe.name} needs {' and '.join(FILMS)} together."
        )
    return replace(
        recipe,
        choose=partial(choose_faithfully, abnormal_per_normal=share),
        division=partial(divide_faithfully, abnormal_per_normal=share, mixed=facts.mixed),
    )
