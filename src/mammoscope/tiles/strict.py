"""Recipe strict: tiles of one physical size under one grey rule, normal tissue from everywhere.

What the paper's recipes let a network learn instead of lesions is kept out here: every archive and
label goes through `mammoscope.scans.prepare` with the same numbers, and normal tissue comes from
scans without findings, from the other breast, and from the very films that hold lesions.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mammoscope.core.contract import InputSpec
from mammoscope.core.errors import BadValueError
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.scans.load import LoadedScan
from mammoscope.tiles.negatives import Place, is_apart, negative_tiles, normal_tile, read_places
from mammoscope.tiles.recipes import Recipe
from mammoscope.tiles.strict_choose import balanced
from mammoscope.tiles.strict_field import Field, Lesion, Places, field_of
from mammoscope.tiles.tile import Missed, Origin, Tile, label_of

FULL_MM = 0.1
"""Calcifications of interest are 0.1 to 1 mm wide; full-size archives have 0.04 to 0.1 mm."""
COARSE_MM = {"mini-mias": 0.2, "cbis-ddsm-800": 0.3}
"""Archives that were made coarser: the finest spacing at which all their scans can be used."""
TILE_MM = 40.0
"""Holds 99 of 100 masses of CBIS-DDSM (half are above 15 mm) and 5 of 6 calcifications."""
MARGIN_MM = 5.0
"""Normal tiles stay so far from every finding: outlines of lesions are a matter of opinion."""
CONTEXT_MM = 2.0
"""A lesion that a tile can hold whole is shown with at least so much round it."""
LEAST_BREAST = 0.5
"""No tile is mostly air."""
WHOLE_SHARE = 0.5
"""With less than this of what a tile can show of a finding, a tile holds a part of it."""
LEAST_SHARE = 0.1
"""Tiles with less of a finding are neither normal nor of the finding's class, so none is cut."""
NORMALS = 6
"""Normal candidates a scan, so that nearly every stratum has more of them than are kept."""
TO_GREY, GREY_ENOUGH, TO_BREAST = 20.0, 0.5, 4.0
"""Normal places are drawn with a chance that rises with exp(20 x mean grey, up to a mean of 0.5,
+ 4 x breast share), because lesions lie in dense tissue away from the skin. Drawn evenly, the
greys alone tell tiles with lesions from normal ones: a logistic regression on eight grey statistics
has an area under the curve of 0.72 on every eighth scan of CBIS-DDSM's masses and of 0.83 on every
fourth of mini-MIAS; drawn so, 0.55 and 0.57 (0.62 and 0.64 on half and on all of their scans). The
numbers are the same for every archive; they were chosen on these scans. Without an end at 0.5, the
pectoral muscle would be preferred."""
CROPS, MOST_CROPS = 3, 12
"""Tiles round a finding, as in the paper, and at most round one that is larger than a tile."""
DRAWS, NORMAL_DRAWS = 64, 256
"""Places that are tried for a lesion, where most serve, and for normal tissue."""
GREY_NUMBERS = {"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 2.5}
"""Those of the shipped dense model (docs/decisions/0002)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictSettings:
    """Numbers of the recipe; see `strict`."""

    spacing_mm: float
    tile_mm: float = TILE_MM
    keep_partial: bool = True
    assumed_um: float | None = None

    @property
    def side_px(self) -> int:
        """Side of a tile in its own pixels."""
        return round(self.tile_mm / self.spacing_mm)

    @property
    def spec(self) -> InputSpec:
        """How scans are prepared: as acquired, with room for a tile round the breast."""
        return InputSpec(
            spacing_mm=self.spacing_mm,
            grey_rule="breast-percentiles",
            grey_numbers=GREY_NUMBERS,
            orientation="as-acquired",
            margin_mm=self.tile_mm,
            multiple_px=1,
        )


def strict(
    archives: tuple[str, ...] | None,
    *,
    spacing_mm: float | None = None,
    tile_mm: float = TILE_MM,
    normals_per_abnormal: float = 1.0,
    keep_partial: bool = True,
    assumed_um: float | None = None,
    places: str | Path | None = None,
) -> Recipe:
    """Make the recipe.

    Parameters
    ----------
    archives : names of the archives that will be cut, any; None: not known
    spacing_mm : of the tiles; None: `FULL_MM`, or what the coarsest of `archives` allows
    tile_mm : side of the tiles
    normals_per_abnormal : in every stratum of archive, scanner and density
    keep_partial : whether tiles stay that hold only part of a finding; their `lesion_share` says
        how much
    assumed_um : side of a pixel, in micrometres, of scans whose spacing nobody knows; None
        refuses them. 47.7 is the mean of CBIS-DDSM's scans whose film is known (42 to 50)
    places : file of scored places for hard negatives (`mammoscope.tiles.negatives`); None: none

    Raises
    ------
    BadValueError
        When a number is out of range.
    MissingFileError, CorruptFileError
        When the places cannot be read.
    """
    if spacing_mm is None:
        spacing_mm = max([FULL_MM, *(COARSE_MM.get(name, 0.0) for name in archives or ())])
    settings = StrictSettings(
        spacing_mm=spacing_mm,
        tile_mm=tile_mm,
        keep_partial=keep_partial,
        assumed_um=assumed_um,
    )
    _check(settings, normals_per_abnormal)
    scored = read_places(places) if places is not None else MappingProxyType({})
    digest = hashlib.sha256(Path(places).read_bytes()).hexdigest() if places is not None else ""
    return Recipe(
        name="strict",
        archives=archives or (),
        cut=partial(strict_tiles, settings=settings, places=dict(scored)),
        takes=takes,
        choose=partial(balanced, normals_per_abnormal=normals_per_abnormal),
        settings=MappingProxyType(
            {
                "spacing_mm": spacing_mm,
                "tile_mm": tile_mm,
                "margin_mm": MARGIN_MM,
                "keep_partial": keep_partial,
                "assumed_um": assumed_um or 0.0,
                "normals_per_abnormal": normals_per_abnormal,
                "places": digest,
                "grey_rule": settings.spec.grey_rule,
                **{f"grey_{name}": number for name, number in GREY_NUMBERS.items()},
            }
        ),
    )


def takes(scan: Scan) -> bool:
    """Tell whether `strict_tiles` may give a tile of a scan: if it is known where findings are."""
    if scan.findings is None:
        return False
    return not scan.findings or any(finding.roi is not None for finding in scan.findings)


def strict_tiles(
    scan: Scan,
    loaded: LoadedScan,
    rng: np.random.Generator,
    *,
    settings: StrictSettings,
    places: Mapping[str, tuple[Place, ...]] = MappingProxyType({}),
) -> Iterator[Tile | Missed]:
    """Cut the tiles of one scan.

    Findings without a place or without a proven pathology give no tile of their own, and one that
    lies on air none either. Normal
    tissue is only taken from scans of which all findings have a place, and from scans that their
    archive calls free of them.

    Raises
    ------
    SpacingMissingError, SpacingError, ScanError
        See `mammoscope.tiles.strict_field.field_of`.
    """
    if not takes(scan):
        return
    if loaded.spacing_mm is None and settings.assumed_um is not None:
        side = settings.assumed_um / 1000
        loaded = replace(loaded, spacing_mm=(side, side), spacing_source=SpacingSource.ASSUMED)
    field = field_of(scan, loaded, settings.spec, settings.side_px)
    yield from _all_lesion_tiles(field, rng, settings)
    margin = round(MARGIN_MM / settings.spacing_mm)
    yield from _normal_tiles(field, rng, margin)
    named = places.get(scan.scan_id, ())
    peaks = [place for place in named if place.archive in (None, scan.archive)]
    yield from negative_tiles(field, peaks, margin_px=margin, least_breast=LEAST_BREAST)


def _all_lesion_tiles(
    field: Field, rng: np.random.Generator, settings: StrictSettings
) -> Iterator[Tile | Missed]:
    """Tiles of all lesions, and then why some have none."""
    shown: set[str | None] = set()
    for lesion in field.lesions:
        if lesion.finding.pathology is not None and not lesion.on_air:
            for tile in _lesion_tiles(field, lesion, rng, settings):
                shown.add(tile.finding_id)
                yield tile
    for lesion in field.lesions:
        if lesion.finding.pathology is not None and lesion.finding.finding_id not in shown:
            yield Missed(finding_id=lesion.finding.finding_id, why=_why_none(lesion))


def _why_none(lesion: Lesion) -> str:
    if lesion.on_air:
        return f"{1 - lesion.in_breast:.0%} of it lies outside the breast, on air"
    return (
        f"no tile that shows {WHOLE_SHARE:.0%} of it is at least {LEAST_BREAST:.0%} breast and "
        "shows more of it than of another finding"
    )


def _lesion_tiles(
    field: Field, lesion: Lesion, rng: np.random.Generator, settings: StrictSettings
) -> Iterator[Tile]:
    """Tiles that hold a lesion, or of a large one as much as they can, and one with a part of it.

    The lesion lies anywhere in the tile, so that a network cannot learn that lesions are central.
    """
    side = field.side_px
    context = round(CONTEXT_MM / settings.spacing_mm)
    corner = (int(lesion.box.top), int(lesion.box.left))
    across = (int(lesion.box.height), int(lesion.box.width))
    wanted = min(MOST_CROPS, CROPS * math.prod(-(-length // side) for length in across))
    spans = [_span(at, n, side, context) for at, n in zip(corner, across, strict=True)]
    drawn = _draw(field, spans, rng)
    shown = lesion.shares(drawn, side) / lesion.largest
    yield from _owned(field, drawn[shown >= WHOLE_SHARE][:wanted])
    if settings.keep_partial:
        touching = [(at - side, at + n) for at, n in zip(corner, across, strict=True)]
        drawn = _draw(field, touching, rng)
        shown = lesion.shares(drawn, side) / lesion.largest
        yield from _owned(field, drawn[(shown >= LEAST_SHARE) & (shown < WHOLE_SHARE)][:1])


def _span(first: int, length: int, side: int, context: int) -> tuple[int, int]:
    """First and last place along an axis of tiles that show a lesion, itself whole if it can be."""
    if length + 2 * context <= side:
        return first + length + context - side, first - context
    if length <= side:
        return first + length - side, first
    # A tile on a large lesion may reach out of it by a quarter.
    return first - side // 4, first + length - side + side // 4


def _draw(
    field: Field, spans: Sequence[tuple[int, int]], rng: np.random.Generator, draws: int = DRAWS
) -> Places:
    """Draw places evenly from the spans of both axes, in the image, that are not mostly air."""
    axes = [
        rng.integers(np.clip(low, 0, last), np.clip(high, 0, last) + 1, draws)
        for (low, high), last in zip(spans, field.last, strict=True)
    ]
    places = np.unique(np.stack(axes, axis=-1), axis=0)
    places = rng.permutation(places).astype(np.intp)
    return places[field.breast_shares(places) >= LEAST_BREAST]


def _owned(field: Field, places: Places) -> Iterator[Tile]:
    """Tiles named by the finding that they show most of, where that one is proven."""
    for place, owner in zip(places, field.owners(places), strict=True):
        lesion = field.lesions[owner]
        if lesion.finding.pathology is None:
            continue
        top, left = (int(v) for v in place)
        yield Tile(
            pixels=field.pixels((top, left)),
            scan=field.scan,
            finding_id=lesion.finding.finding_id,
            box=field.box_on_scan((top, left)),
            label=label_of(lesion.finding),
            origin=Origin.LESION,
            lesion_share=float(lesion.shares(place[None], field.side_px)[0]),
        )


def _normal_tiles(field: Field, rng: np.random.Generator, margin_px: int) -> Iterator[Tile]:
    """Tiles of tissue away from every finding, with their corners half a tile apart."""
    drawn = _draw(field, [(0, last) for last in field.last], rng, NORMAL_DRAWS)
    drawn = drawn[field.clear(drawn, margin_px)]
    # The smallest of exponential times over weights come first: a weighted draw without putting
    # back (Efraimidis and Spirakis 2006, Information Processing Letters 97:181).
    grey = np.minimum(field.grey_means(drawn), GREY_ENOUGH)
    weights = np.exp(TO_GREY * grey + TO_BREAST * field.breast_shares(drawn))
    taken = np.empty((0, 2), np.intp)
    for place in drawn[np.argsort(rng.exponential(size=len(drawn)) / weights, kind="stable")]:
        if len(taken) < NORMALS and is_apart(place, taken, field.side_px // 2):
            taken = np.vstack([taken, place])
            yield normal_tile(field, place, Origin.NORMAL, lot=float(rng.random()))


def _check(settings: StrictSettings, normals_per_abnormal: float) -> None:
    limits = {
        "spacing_mm": (settings.spacing_mm, 0.02, 1.0),
        "tile_mm": (settings.tile_mm, 5.0, 200.0),
        "assumed_um": (settings.assumed_um or 50.0, 10.0, 2000.0),
        "normals_per_abnormal": (normals_per_abnormal, 0.0, 1000.0),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise BadValueError(
                f"Recipe strict: {name} is {value:g}, but must lie between {least:g} and {most:g}."
            )
