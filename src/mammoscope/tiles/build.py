"""`build_tiles`: archives and a recipe to a tile set on disk, divided by patient.

Each scan is cut into a part file of an unfinished set, ``.<name>.building`` beside the set that is
wanted. A build that was broken off goes on from its parts; the set appears when it is whole.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.archives.splits import Division, divide
from mammoscope.core.errors import ArchiveError, BadValueError, CorruptFileError
from mammoscope.core.records import Scan
from mammoscope.formats.files import write_atomic
from mammoscope.tiles import remote
from mammoscope.tiles.assemble import Material, assemble
from mammoscope.tiles.cutting import Crew, cut_all, not_taken
from mammoscope.tiles.engine import DISK_FULL
from mammoscope.tiles.recipes import Recipe, make_recipe
from mammoscope.tiles.self_audit import audit_stage
from mammoscope.tiles.store import PROVENANCE, REPORT, TileSet, load_tiles

BY_PATIENT = "by patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """What is to be built.

    Attributes
    ----------
    archives : as `mammoscope.archives.open.open_archive` gives them
    recipe : how scans are cut
    seed : draws the tiles, and the division where none is given
    division : split of each patient; None draws one, unless the recipe divides
    audit : look for leaks and shortcuts at the end
    """

    archives: tuple[Archive, ...]
    recipe: Recipe
    seed: int = 0
    division: Division | None = None
    audit: bool = True


def build_tiles(  # noqa: PLR0913 what a user says of a build; `carry_out` takes it in two records
    archive: Archive | Sequence[Archive],
    recipe: str | Recipe,
    out: str | Path,
    *,
    seed: int = 0,
    division: Division | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    audit: bool = True,
) -> TileSet:
    """Build a tile set, or open the one at `out` when it was built in the same way.

    A build that was broken off goes on where it was. The same seed and scans give the same bytes,
    however many processes there are.

    Parameters
    ----------
    archive : one or several, as `mammoscope.archives.open.open_archive` gives them
    recipe : a name of `mammoscope.tiles.recipes.RECIPES`, or what `make_recipe` made
    out : folder of the tile set, or a URL that fsspec knows
    seed : draws the split and the tiles
    division : split of each patient (`mammoscope.archives.splits.divide`); None draws one
    workers : how many processes; None: one a core, 1: this one
    cluster : address of a Dask scheduler, as "tcp://10.0.0.1:8786", whose workers then cut
    audit : look for leaks and shortcuts at the end, and store what was found

    Returns
    -------
    TileSet
        `read_report` of its folder says which scans could not be read or gave no tile.

    Raises
    ------
    UnknownNameError
        When there is no such recipe.
    BadValueError
        When the recipe is not for these archives, `out` holds something else, or a patient is not
        in the division.
    ArchiveError
        When no scan can be read, or none gives a tile.
    OSError
        When the disk is full; what was cut is kept for the next try.
    """
    archives = (archive,) if isinstance(archive, Archive) else tuple(archive)
    if isinstance(recipe, str):
        recipe = make_recipe(recipe, [one.name for one in archives])
    plan = BuildPlan(archives=archives, recipe=recipe, seed=seed, division=division, audit=audit)
    return carry_out(plan, out, Crew(workers=workers, cluster=cluster))


def carry_out(plan: BuildPlan, out: str | Path, crew: Crew) -> TileSet:
    """Build the tile set of a plan; see `build_tiles`."""
    _check(plan)
    url = str(out) if remote.is_remote(out) else None
    target = remote.cache_folder(url) if url else remote.local_path(out)
    division = _division(plan)
    scans = _scans(plan, division)
    origin = _origin(plan, scans, division)
    unfinished = target.with_name(f".{target.name}.building")
    if remote.holds(url, PROVENANCE) if url else target.exists():
        found = _built_before(url or target, origin)
        # It may have been killed after the set had its name, before its parts were removed.
        shutil.rmtree(unfinished, ignore_errors=True)
        return found
    with _disk_told(str(out)), _unfinished(unfinished, origin) as work:
        parts, stage = work / "parts", work / "set"
        material = Material(
            scans=scans,
            parts=parts,
            unreadable=cut_all(scans, plan.recipe, plan.seed, parts, crew),
            not_taken=not_taken(scans, plan.recipe),
        )
        code = {"code": f"mammoscope {mammoscope.__version__}"}
        with _staged(stage):
            assemble(material, plan.recipe, plan.seed, division, {**origin, **code}, stage)
            if plan.audit:
                audit_stage(stage, url or target, plan.seed)
            if url:
                remote.publish(stage, url, PROVENANCE)
            else:
                stage.rename(target)
        shutil.rmtree(work)
    return load_tiles(url or target)


def read_report(folder: str | Path) -> dict[str, Any]:
    """Read what a build said of itself: see docs/tiles/build.md.

    Raises
    ------
    CorruptFileError
        When it is not there or damaged.
    """
    path = Path(folder) / REPORT
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CorruptFileError(f"{path}: no report of a build; build the set again.") from error


def _check(plan: BuildPlan) -> None:
    names = [archive.name for archive in plan.archives]
    for archive in plan.archives:
        if archive.name not in plan.recipe.archives:
            raise BadValueError(
                f"{archive.folder}: recipe {plan.recipe.name} is for "
                f"{', '.join(plan.recipe.archives)}, not for {archive.name}; open that archive "
                "instead."
            )
    if not names or len(set(names)) < len(names):
        raise BadValueError(
            f"A tile set needs archives, each once, not {', '.join(names) or 'none'}."
        )
    if plan.division is not None and plan.recipe.division is not None:
        raise BadValueError(
            f"Recipe {plan.recipe.name} divides as its author did; leave the division out."
        )
    if plan.seed < 0:
        raise BadValueError(f"The seed must be 0 or more, not {plan.seed}.")


def _division(plan: BuildPlan) -> Division | None:
    """Return the division by patient; None where the recipe divides."""
    everything = [scan for archive in plan.archives for scan in archive.scans()]
    if plan.recipe.division is not None:
        return None
    if plan.division is None:
        return divide(everything, seed=plan.seed)
    plan.division.check(everything)
    return plan.division


def _scans(plan: BuildPlan, division: Division | None) -> tuple[Scan, ...]:
    """Return the scans that are cut, in the order of the tile set."""
    return tuple(
        scan
        for archive in plan.archives
        for scan in archive.scans()
        if division is None or division.split_of(scan) is not None
    )


def _origin(plan: BuildPlan, scans: Sequence[Scan], division: Division | None) -> dict[str, Any]:
    """Say what a set is built from; two builds that agree in it give the same tiles."""
    recipe = plan.recipe
    known = json.dumps([_words(scan) for scan in scans], separators=(",", ":"))
    return {
        "recipe": recipe.name,
        "archives": [archive.name for archive in plan.archives],
        "seed": plan.seed,
        "settings": dict(recipe.settings),
        "scans": len(scans),
        "splits": BY_PATIENT if division else str(recipe.settings.get("splits", "by recipe")),
        "split": division.digest if division else None,
        "records": hashlib.sha256(known.encode()).hexdigest(),
    }


def _words(scan: Scan) -> list[Any]:
    """List what of a scan's record shapes its tiles, but not where the archive lies."""
    findings = None
    if scan.findings is not None:
        findings = [
            repr(replace(f, roi=None)) + getattr(getattr(f.roi, "path", None), "name", repr(f.roi))
            for f in scan.findings
        ]
    told = (scan.patient_id, scan.laterality, scan.view, scan.split, scan.breast_density)
    spacing = None if scan.spacing_mm is None else list(scan.spacing_mm)
    return [scan.archive, scan.scan_id, *(v and str(v) for v in told), spacing, findings]


def _built_before(place: str | Path, origin: Mapping[str, Any]) -> TileSet:
    """Open the tile set that is there if it was built as `origin` says."""
    found = load_tiles(place)
    for key, was, now in _differences(found.provenance, origin):
        raise BadValueError(
            f"{place}: holds tiles built with {key} {was}, not {now}; "
            "remove it or name another folder."
        )
    found.verify()
    return found


def _differences(
    was: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    for key, value in now.items():
        before = was.get(key)
        if isinstance(value, Mapping):
            yield from _differences(before if isinstance(before, Mapping) else {}, value)
        elif before != value:
            yield key, before, value


@contextmanager
def _unfinished(work: Path, origin: Mapping[str, Any]) -> Iterator[Path]:
    """Give the folder of the unfinished set; parts of another plan in it are thrown away.

    Raises
    ------
    BadValueError
        When another process is building there.
    """
    work.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**origin, "code": mammoscope.__version__}, indent=1, sort_keys=True)
    plan = work / "plan.json"
    with (work / "lock").open("w") as lock:
        try:
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadValueError(
                f"{work}: another process is building this tile set; wait for it to end."
            ) from error
        if not plan.is_file() or plan.read_text(encoding="utf-8") != text:
            shutil.rmtree(work / "parts", ignore_errors=True)
            write_atomic(plan, text)
        (work / "parts").mkdir(exist_ok=True)
        try:
            yield work
        except ArchiveError:
            # Nothing came of it, and nothing will.
            shutil.rmtree(work, ignore_errors=True)
            raise


@contextmanager
def _staged(stage: Path) -> Iterator[None]:
    """Make an empty folder; it is removed again unless it was moved away."""
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _disk_told(out: str) -> Iterator[None]:
    """Name the tile set in an error of a full disk: the system names no file then."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL and error.filename is None:
            raise OSError(error.errno, os.strerror(error.errno), out) from error
        raise
