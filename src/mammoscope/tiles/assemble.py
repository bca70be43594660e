"""From parts to a tile set: which candidates stay, who is in which split, and what a build reports.

Everything goes in the order of the scans, whatever the order in which they were cut, so that the
same parts give the same bytes.
"""

import json
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.archives.splits import Division
from mammoscope.core.errors import ArchiveError
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.choose import choose_smallest_lots
from mammoscope.tiles.engine import part_path
from mammoscope.tiles.parts import Part, read_part, read_pixels
from mammoscope.tiles.recipes import Recipe
from mammoscope.tiles.store import REPORT, SCHEMA, finish, write_shards
from mammoscope.tiles.tile import CLASSES

REPORT_VERSION = "mammoscope.tiles-build/2"
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
    not_taken : places of the scans that were never opened, as the recipe takes no tile of them
    """

    scans: Sequence[Scan]
    parts: Path
    unreadable: Mapping[int, str]
    not_taken: frozenset[int] = frozenset()


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
        if index not in material.unreadable and index not in material.not_taken
    }
    if not parts:
        raise ArchiveError(_no_parts(material, recipe.name))
    table, owner, place = _candidates(parts, recipe.name, seed)
    chosen = _chosen(table, recipe, seed)
    if not chosen.any():
        raise ArchiveError(_none_left(material, parts, recipe.name))
    kept = table.filter(pl.Series(chosen))
    kept = kept.with_columns(split=_splits(kept, recipe, seed, division))
    files = write_shards(folder, _pixels(material, parts, owner[chosen], place[chosen]))
    finish(folder, kept, files, provenance)
    report = _report(material, parts, kept, set(owner[chosen].tolist()))
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
    material: Material, parts: Mapping[int, Part], table: pl.DataFrame, kept: Container[int]
) -> dict[str, Any]:
    candidates: Counter[str] = Counter()
    for part in parts.values():
        candidates.update(part.candidates)
    tiles: dict[str, dict[str, int]] = {}
    for split, label, count in table.group_by("split", "label").len().sort("split", "label").rows():
        tiles.setdefault(split, {})[label] = count
    chosen = Counter(table["label"].to_list())
    without_tiles = _without_tiles(material, parts, kept)
    without_any = len(material.unreadable) + len(without_tiles)
    return {
        "schema": REPORT_VERSION,
        "scans": {
            "given": len(material.scans),
            "read": len(parts),
            "with_tiles": len(material.scans) - without_any,
        },
        "unreadable": [
            {**_named(material.scans[index]), "why": why}
            for index, why in sorted(material.unreadable.items())
        ],
        "without_tiles": without_tiles,
        "findings_without_tiles": _findings_without_tiles(material, parts, table),
        "candidates": dict(sorted(candidates.items())),
        "chosen": dict(sorted(chosen.items())),
        "tiles": tiles,
        "missing_classes": [label for label in CLASSES if not chosen[label]],
    }


def _without_tiles(
    material: Material, parts: Mapping[int, Part], kept: Container[int]
) -> list[dict[str, str]]:
    return [
        {**_named(scan), "why": _why(scan, parts.get(index))}
        for index, scan in enumerate(material.scans)
        if index not in material.unreadable and index not in kept
    ]


def _findings_without_tiles(
    material: Material, parts: Mapping[int, Part], table: pl.DataFrame
) -> list[dict[str, str]]:
    """List every finding that no tile of the set was cut round, and why."""
    shown = set(table.select("archive", "finding_id").drop_nulls().unique().rows())
    return [
        {
            **_named(scan),
            "finding_id": finding.finding_id,
            "why": "its scan could not be read"
            if index in material.unreadable
            else _why_missed(finding, scan, parts.get(index)),
        }
        for index, scan in enumerate(material.scans)
        for finding in scan.findings or ()
        if (scan.archive, finding.finding_id) not in shown
    ]


def _why_missed(finding: Finding, scan: Scan, part: Part | None) -> str:
    """Say why a finding of a scan that could be read has no tile in the set."""
    if part is None:
        return f"nothing was cut of its scan: {_why(scan, None)}"
    if finding.finding_id in part.missed:
        return part.missed[finding.finding_id]
    if finding.roi is None:
        return "its archive does not say where it lies"
    if finding.pathology is None:
        return "nothing is proven of it, so it has no class"
    return "the recipe cuts no tile round it"


def _named(scan: Scan) -> dict[str, str]:
    return {"archive": scan.archive, "scan_id": scan.scan_id}


def _why(scan: Scan, part: Part | None) -> str:
    """Say why a scan has no tile in the set; it has no part where the recipe does not take it."""
    if part is not None and part.candidates:
        return f"none of its {sum(part.candidates.values())} candidates was chosen"
    if scan.findings is None:
        return "its archive does not say whether it has findings"
    if not scan.findings and part is None:
        return "the recipe takes no normal tissue of its archive"
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
        f"{_without_tiles(material, parts, ())[0]['why']}; see what a check of the archive says."
    )


def _no_parts(material: Material, recipe: str) -> str:
    if not material.scans:
        return "The archive has no scans; tiles can be cut from scans only."
    if not material.unreadable:
        return (
            f"Recipe {recipe} takes none of {len(material.scans)} scans; of the first: "
            f"{_why(material.scans[0], None)}; add the archive that it takes tiles of."
        )
    first = material.unreadable[min(material.unreadable)]
    taken = len(material.scans) - len(material.not_taken)
    return f"None of {taken} scans could be read; the first one: {first}"
