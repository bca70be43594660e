"""From parts to a tile set: which candidates stay, who is in which split, and what a build reports.

Everything goes in the order of the scans, whatever the order in which they were cut, so that the
same parts give the same bytes.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.archives.splits import Division
from mammoscope.core.errors import ArchiveError
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.choose import choose_smallest_lots
from mammoscope.tiles.engine import part_path
from mammoscope.tiles.parts import Part, read_part, read_pixels
from mammoscope.tiles.recipes import Recipe
from mammoscope.tiles.store import REPORT, SCHEMA, finish, write_shards
from mammoscope.tiles.tile import CLASSES

REPORT_VERSION = "mammoscope.tiles-build/1"
CANDIDATES = {
    **{name: kind for name, kind in SCHEMA.items() if name not in ("split", "recipe", "seed")},
    "lot": pl.Float64,
    "official_split": pl.String,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that was cut.

    Attributes
    ----------
    scans : in the order of the tile set
    parts : folder of the part files
    unreadable : why a scan could not be read, by its place in `scans`
    """

    scans: Sequence[Scan]
    parts: Path
    unreadable: Mapping[int, str]


def assemble(
    material: Material,
    recipe: Recipe,
    seed: int,
    division: Division | None,
    provenance: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write the tile set of what was cut into an empty folder.

    Parameters
    ----------
    division : by patient; None where the recipe divides

    Raises
    ------
    ArchiveError
        When no tile is left.
    OSError
        When it cannot be written.
    """
    parts = {
        index: read_part(part_path(material.parts, index))
        for index in range(len(material.scans))
        if index not in material.unreadable
    }
    if not parts:
        raise ArchiveError(_all_unreadable(material))
    table, owner, place = _candidates(parts, recipe.name, seed)
    chosen = _chosen(table, recipe, seed)
    if not chosen.any():
        raise ArchiveError(_none_left(material, parts, recipe.name))
    kept = table.filter(pl.Series(chosen))
    kept = kept.with_columns(split=_splits(kept, recipe, seed, division))
    files = write_shards(folder, _pixels(material, parts, owner[chosen], place[chosen]))
    finish(folder, kept, files, provenance)
    report = _report(material, parts, kept, Counter(owner[chosen].tolist()))
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _candidates(
    parts: Mapping[int, Part], recipe: str, seed: int
) -> tuple[pl.DataFrame, NDArray[np.intp], NDArray[np.intp]]:
    """Return a row a candidate, which scan each is of, and its place in that scan's part."""
    frames = [pl.DataFrame(schema=CANDIDATES)]
    frames += [pl.DataFrame(part.rows, schema=CANDIDATES) for part in parts.values() if part.rows]
    table = pl.concat(frames).with_columns(recipe=pl.lit(recipe), seed=pl.lit(seed, pl.Int64))
    counts = np.array([part.shape[0] for part in parts.values()], dtype=np.intp)
    owner = np.repeat(np.array(list(parts), dtype=np.intp), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return table, owner, place


def _chosen(table: pl.DataFrame, recipe: Recipe, seed: int) -> NDArray[np.bool_]:
    if recipe.choose is None:
        return choose_smallest_lots(table, recipe.normals_per_abnormal)
    chosen = recipe.choose(table, seed)
    if len(chosen) != table.height or chosen.dtype != pl.Boolean or chosen.null_count():
        raise ValueError(f"recipe {recipe.name} chose {chosen}, not a yes or no for each row")
    return np.asarray(chosen.to_numpy(), dtype=bool)


def _splits(table: pl.DataFrame, recipe: Recipe, seed: int, division: Division | None) -> pl.Series:
    if division is not None:
        known = {patient: str(split) for patient, split in division.patients.items()}
        return table["patient_id"].replace_strict(known, return_dtype=pl.String)
    if recipe.division is None:
        raise ValueError(f"recipe {recipe.name} does not divide, and no division was given")
    splits = recipe.division(table, seed).cast(pl.String)
    if len(splits) != table.height or not splits.is_in([str(split) for split in Split]).all():
        raise ValueError(f"recipe {recipe.name} divided into {splits}, not a split for each row")
    return splits


def _pixels(
    material: Material,
    parts: Mapping[int, Part],
    owner: NDArray[np.intp],
    place: NDArray[np.intp],
) -> Iterator[NDArray[np.uint8]]:
    """Read the chosen tiles, scan by scan."""
    side: tuple[int, int] | None = None
    edges = np.flatnonzero(np.diff(owner)) + 1
    for group in np.split(np.arange(len(owner)), edges):
        index = int(owner[group[0]])
        part = parts[index]
        side = side or part.shape[1:]
        if part.shape[1:] != side:
            raise ValueError(f"{part.scan_id}: tiles of {part.shape[1:]}, others have {side}")
        yield read_pixels(part_path(material.parts, index), part, place[group].tolist())


def _report(
    material: Material, parts: Mapping[int, Part], table: pl.DataFrame, kept: Counter[int]
) -> dict[str, Any]:
    candidates: Counter[str] = Counter()
    for part in parts.values():
        candidates.update(part.candidates)
    tiles: dict[str, dict[str, int]] = {}
    for split, label, count in table.group_by("split", "label").len().sort("split", "label").rows():
        tiles.setdefault(split, {})[label] = count
    chosen = Counter(table["label"].to_list())
    return {
        "schema": REPORT_VERSION,
        "scans": {
            "given": len(material.scans),
            "read": len(parts),
            "with_tiles": len(kept),
        },
        "unreadable": [
            {**_named(material.scans[index]), "why": why}
            for index, why in sorted(material.unreadable.items())
        ],
        "without_tiles": _without_tiles(material, parts, kept),
        "candidates": dict(sorted(candidates.items())),
        "chosen": dict(sorted(chosen.items())),
        "tiles": tiles,
        "missing_classes": [label for label in CLASSES if not chosen[label]],
    }


def _without_tiles(
    material: Material, parts: Mapping[int, Part], kept: Mapping[int, int]
) -> list[dict[str, str]]:
    return [
        {**_named(material.scans[index]), "why": _why(material.scans[index], part)}
        for index, part in parts.items()
        if not kept.get(index)
    ]


def _named(scan: Scan) -> dict[str, str]:
    return {"archive": scan.archive, "scan_id": scan.scan_id}


def _why(scan: Scan, part: Part) -> str:
    """Say why a scan that was read has no tile in the set."""
    if part.candidates:
        return f"none of its {sum(part.candidates.values())} candidates was chosen"
    if scan.findings is None:
        return "its archive does not say whether it has findings"
    if not scan.findings:
        return "no place on it passed the recipe's tests"
    if all(finding.roi is None for finding in scan.findings):
        return "its archive does not say where its findings lie"
    return "the recipe takes none of its findings"


def _none_left(material: Material, parts: Mapping[int, Part], recipe: str) -> str:
    candidates = sum(sum(part.candidates.values()) for part in parts.values())
    if candidates:
        return (
            f"Recipe {recipe} keeps none of {candidates} candidates: without a tile of a finding "
            "it takes no normal tiles either; see what a check of the archive says."
        )
    return (
        f"None of {len(parts)} scans gave a tile of recipe {recipe}; of the first: "
        f"{_without_tiles(material, parts, {})[0]['why']}; see what a check of the archive says."
    )


def _all_unreadable(material: Material) -> str:
    if not material.unreadable:
        return "The archive has no scans; tiles can be cut from scans only."
    first = material.unreadable[min(material.unreadable)]
    return f"None of {len(material.scans)} scans could be read; the first one: {first}"
