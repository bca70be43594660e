"""What the author's own division leaks: recipe 9 as he divided it, and divided by patient.

Usage: python benchmarks/faithful.py [--patients N] [--spacing-um UM] [--seed N]

Writes a simulated DDSM and CBIS-DDSM of known content, builds recipe 9 twice from the same films,
once with `faithful_splits` and once by patient, audits both, and prints leaks by kind and how much
of the test was also in training. Films are simulated, so the shares depend on how many tiles a film
gives; that films are shared does not.
"""

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from mammoscope.archives.open import open_archive
from mammoscope.core.vocabulary import Split
from mammoscope.simulate.write import write_archive
from mammoscope.tiles.audit.leaks import find_leaks
from mammoscope.tiles.audit.tables import Leak, LeakKind
from mammoscope.tiles.build import build_tiles
from mammoscope.tiles.recipes import make_recipe
from mammoscope.tiles.store import TileSet

ARCHIVES = ("ddsm", "cbis-ddsm")
DIVISIONS = {"the author's": True, "by patient": False}
PIXELS = (LeakKind.EXACT, LeakKind.NEAR, LeakKind.BOXES)
"""Leaks between two tiles; the others are of what tiles come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """How much of the test is in training too.

    Attributes
    ----------
    what : in words
    touched, of : how many of the test's, and how many there are
    """

    what: str
    touched: int
    of: int

    def told(self) -> str:
        """Say it in figures."""
        return f"{self.touched:,} of {self.of:,} ({self.touched / max(self.of, 1):.0%})"


def main() -> None:
    """Build, audit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=24, help="of each archive")
    parser.add_argument("--spacing-um", type=float, default=100.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for archive in ARCHIVES:
            write_archive(
                archive,
                folder / archive,
                patients=given.patients,
                seed=given.seed,
                spacing_um=given.spacing_um,
            )
        for words, faithful in DIVISIONS.items():
            tiles = _built(folder, given.seed, faithful=faithful)
            begun = time.process_time()
            leaks = find_leaks(tiles, seed=given.seed)
            console.print(_table(words, tiles, leaks))
            seconds = time.process_time() - begun
            console.print(f"{_counts(tiles)}; looked through in {seconds:.0f} s of processors")


def _built(folder: Path, seed: int, *, faithful: bool) -> TileSet:
    archives = [open_archive(name, folder / name) for name in ARCHIVES]
    recipe = make_recipe("9", faithful_splits=faithful)
    out = folder / f"tiles-{faithful}"
    return build_tiles(archives, recipe, out, seed=seed, workers=1, audit=False)


def _table(words: str, tiles: TileSet, leaks: tuple[Leak, ...]) -> Table:
    table = Table("", "found", title=f"Recipe 9 divided {words}", title_justify="left")
    counts = Counter(leak.kind for leak in leaks)
    for kind in LeakKind:
        table.add_row(f"{kind} in two splits", f"{counts[kind]:,}")
    for touched in touched_of(tiles.table, leaks):
        table.add_row(touched.what, touched.told())
    return table


def touched_of(table: pl.DataFrame, leaks: tuple[Leak, ...]) -> list[Touched]:
    """Count what of the test is in training too: patients, scans, tiles."""
    train, test = (table.filter(pl.col("split") == str(s)) for s in (Split.TRAIN, Split.TEST))
    told = []
    for what, column in (("patients", "patient_id"), ("scans", "scan_id")):
        mine, theirs = set(test[column]), set(train[column])
        told.append(
            Touched(
                what=f"{what} of the test that are in training",
                touched=len(mine & theirs),
                of=len(mine),
            )
        )
        tiles = test.filter(pl.col(column).is_in(sorted(theirs))).height
        told.append(
            Touched(
                what=f"tiles of the test, of {what} in training",
                touched=tiles,
                of=test.height,
            )
        )
    normal = test.filter(pl.col("label") == "NORMAL")
    scans = sorted(set(train["scan_id"]))
    told.append(
        Touched(
            what="normal tiles of the test, of scans in training",
            touched=normal.filter(pl.col("scan_id").is_in(scans)).height,
            of=normal.height,
        )
    )
    told.append(
        Touched(
            what="tiles of the test that show a place in training",
            touched=len(_shown(table, leaks)),
            of=test.height,
        )
    )
    return told


def _shown(table: pl.DataFrame, leaks: tuple[Leak, ...]) -> set[int]:
    """Return tiles of the test of whose place a tile of the training shows some or all."""
    splits = table["split"].to_list()
    found = set()
    for leak in leaks:
        pair = (leak.first, leak.second)
        where = {splits[position]: position for position in pair}
        if leak.kind in PIXELS and {str(Split.TRAIN), str(Split.TEST)} == set(where):
            found.add(where[str(Split.TEST)])
    return found


def _counts(tiles: TileSet) -> str:
    counted = tiles.table["split"].value_counts().sort("split")
    return ", ".join(f"{count:,} {split}" for split, count in counted.iter_rows())


if __name__ == "__main__":
    main()
