"""The tile sets of the quick reproduction: one built the paper's way, one by recipe strict.

All tiles show 40 mm at 0.8 mm a pixel, so that one network takes every set. Beside the two sets
there are probes, on which nothing is trained: MIAS at the paper's places, and under both greys at
those of recipe strict; and the crossed one, whose lesions come from the archive of the normal tiles
and the other way round.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mammoscope.archives.archive import Archive
from mammoscope.archives.splits import Division, divide
from mammoscope.core.errors import ArchiveError, BadValueError
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Split
from mammoscope.studies.reproduce_tiles import SPACING_MM, TILE_MM, Amount, cut_again, cut_scans
from mammoscope.tiles.audit.report import audit_tiles, set_digest, write_audit
from mammoscope.tiles.build import BuildPlan, carry_out
from mammoscope.tiles.cutting import Crew
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.store import AUDIT, TileSet, load_tiles, write_tiles
from mammoscope.tiles.tile import Tile

CBIS, DDSM, MIAS = "cbis-ddsm-800", "ddsm-299", "mini-mias"
PAPER, STRICT, CROSSED, MIAS_PLAIN, MIAS_STRICT, MIAS_SAME = (
    "paper-way",
    "strict",
    "crossed",
    "mias-as-stored",
    "mias-strict",
    "mias-same-places",
)
AUDITED = (PAPER, STRICT)
LESIONS, NORMALS = Amount(1, 0), Amount(0, 4)
"""One tile a finding and four a normal film: about the paper's five normal tiles for each other."""
CROSSED_NORMALS, MIAS_AMOUNT = Amount(0, 1), Amount(1, 2)
OnDone = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickSets:
    """What can be built of the archives at hand; None where one lacks its archives.

    Attributes
    ----------
    trained : of `PAPER` and `STRICT`, those that are there
    probes : of `CROSSED` and the three of MIAS, those that are there
    """

    trained: Mapping[str, TileSet]
    probes: Mapping[str, TileSet]


def build_quick_sets(
    archives: Mapping[str, Archive],
    out: Path,
    *,
    seed: int = 0,
    every: int = 1,
    on_done: OnDone = lambda _done, _total: None,
) -> QuickSets:
    """Build the sets, or open those that were built before.

    Parameters
    ----------
    archives : by name; of `CBIS`, `DDSM` and `MIAS`, those at hand
    out : folder of all sets
    seed : draws division and places
    every : only every so-manieth scan, to try the road out
    on_done : told (scans done, scans in all) of each set

    Raises
    ------
    ArchiveError
        When an archive has too little to cut.
    BadValueError
        When a set in `out` was built of something else.
    MammoscopeError
        When a scan cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    scans = {name: _usable(archive)[::every] for name, archive in archives.items()}
    trained: dict[str, TileSet] = {}
    probes: dict[str, TileSet] = {}
    maker = _Maker(out, seed, on_done)
    if CBIS in scans:
        ours = [*scans[CBIS], *_normals(scans.get(DDSM, ()))]
        division = divide(ours, seed=seed)
        if DDSM in scans:
            parts = [(scans[CBIS], LESIONS), (_normals(scans[DDSM]), NORMALS)]
            trained[PAPER] = maker.plain(PAPER, parts, division.patients)
            probes[CROSSED] = _crossed(maker, scans, division)
        trained[STRICT] = maker.strict(STRICT, archives[CBIS], scans[CBIS], division)
    if MIAS in scans and trained:
        tested = {scan.patient_id: Split.TEST for scan in scans[MIAS]}
        probes[MIAS_PLAIN] = maker.plain(MIAS_PLAIN, [(scans[MIAS], MIAS_AMOUNT)], tested)
        probes[MIAS_STRICT] = maker.strict(
            MIAS_STRICT, archives[MIAS], scans[MIAS], Division(patients=tested)
        )
        probes[MIAS_SAME] = maker.again(MIAS_SAME, probes[MIAS_STRICT], scans[MIAS], tested)
    return QuickSets(trained=trained, probes=probes)


def shortcuts_of(tiles: TileSet) -> list[dict[str, Any]]:
    """How well the audit's simple features tell normal from abnormal; empty where not audited."""
    path = tiles.folder / AUDIT
    if not path.is_file():
        return []
    told = json.loads(path.read_text(encoding="utf-8"))["shortcuts"]["figures"]
    return [one for one in told if one["question"] == "abnormal"]


def _crossed(maker: "_Maker", scans: Mapping[str, Sequence[Scan]], division: Division) -> TileSet:
    """Cut lesions of DDSM's films and normal tissue of CBIS-DDSM's; no patient was trained on."""

    def unseen(candidates: Iterable[Scan]) -> list[Scan]:
        apart = [s for s in candidates if division.patients.get(s.patient_id) is not Split.TRAIN]
        return [s for s in apart if division.patients.get(s.patient_id) is not Split.VALIDATION]

    lesions, normals = unseen(scans[DDSM]), unseen(scans[CBIS])
    patients = {scan.patient_id: Split.TEST for scan in (*lesions, *normals)}
    return maker.plain(CROSSED, [(lesions, LESIONS), (normals, CROSSED_NORMALS)], patients)


@dataclass(frozen=True, slots=True)
class _Maker:
    out: Path
    seed: int
    on_done: OnDone

    def plain(
        self,
        name: str,
        parts: Sequence[tuple[Sequence[Scan], Amount]],
        split_of: Mapping[str, Split],
    ) -> TileSet:
        """Cut a set with the greys of the files; one that is there must be the same."""
        made = {
            "recipe": name,
            "seed": self.seed,
            "split": "by patient",
            "spacing_mm": SPACING_MM,
            "tile_mm": TILE_MM,
            "scans": [[len(scans), amount.lesion, amount.normal] for scans, amount in parts],
        }
        folder = self.out / name
        if not folder.exists():
            write_tiles(folder, self._cut(parts), split_of, made)
        tiles = load_tiles(folder)
        if any(tiles.provenance.get(key) != value for key, value in made.items()):
            raise _of_others(folder)
        if name in AUDITED and not (folder / AUDIT).is_file():
            write_audit(folder, audit_tiles(tiles, seed=self.seed))
        return tiles

    def again(
        self, name: str, tiles: TileSet, scans: Sequence[Scan], split_of: Mapping[str, Split]
    ) -> TileSet:
        """Cut the places of another set with the greys of the files."""
        folder, made = self.out / name, {"recipe": name, "seed": self.seed}
        places = set_digest(tiles.provenance)
        if not folder.exists():
            write_tiles(folder, cut_again(tiles, scans), split_of, {**made, "places": places})
        found = load_tiles(folder)
        if found.provenance.get("places") != places:
            raise _of_others(folder)
        return found

    def _cut(self, parts: Sequence[tuple[Sequence[Scan], Amount]]) -> Iterable[Tile]:
        total, done = sum(len(scans) for scans, _amount in parts), 0

        def count() -> None:
            nonlocal done
            done += 1
            self.on_done(done, total)

        for scans, amount in parts:
            yield from cut_scans(scans, amount, self.seed, count)

    def strict(
        self, name: str, archive: Archive, scans: Sequence[Scan], division: Division
    ) -> TileSet:
        """Cut a set by recipe strict, at the spacing of the others."""
        plan = BuildPlan(
            archives=(replace(archive, records=tuple(scans)),),
            recipe=make_recipe("strict", (archive.name,), spacing_mm=SPACING_MM, tile_mm=TILE_MM),
            seed=self.seed,
            division=division,
            audit=name in AUDITED,
        )
        return carry_out(plan, self.out / name, Crew(on_done=self.on_done))


def _of_others(folder: Path) -> BadValueError:
    return BadValueError(
        f"{folder}: was built of other scans or with another seed; remove it, or name another "
        "--out folder."
    )


def _usable(archive: Archive) -> tuple[Scan, ...]:
    scans = tuple(scan for scan in archive.scans() if scan.spacing_mm is not None)
    if not scans:
        raise ArchiveError(
            f"{archive.folder}: no scan of {archive.name} has a known spacing, and tiles of 40 mm "
            "need one; get the archive's tables again."
        )
    return scans


def _normals(scans: Sequence[Scan]) -> list[Scan]:
    return [scan for scan in scans if scan.findings == () and scan.normal_ground is not None]
