"""What cutting costs beside decoding: recipes of the paper on films of full size.

Usage: python benchmarks/recipes.py [RECIPE ...] [--repeats N]

Makes one patient of a simulated DDSM (lossless JPEG) and one of CBIS-DDSM (DICOM of 16 bits, with
and without compression), at the archives' own pixel sizes, and times decoding each of their scans
and its masks alone, and with the tiles of each recipe cut from it. Every tile is cut: what an
engine leaves out by its lot costs nothing more. Prints, for each kind of file, milliseconds of one
processor a scan and the share of the decoder's own speed that is left.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
from rich.console import Console
from rich.table import Table

from mammoscope.archives.open import open_archive
from mammoscope.core.geometry import MaskFile
from mammoscope.core.records import Scan
from mammoscope.formats.masks import read_stored
from mammoscope.scans.load import load
from mammoscope.simulate.write import write_archive
from mammoscope.tiles.recipes import Recipe, make_recipe

NAMES = ("9", "6", "8", "9.5", "10")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=NAMES)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kinds = _make(Path(folder))
        recipes = [make_recipe(name) for name in given.recipes]
        Console().print(_table(kinds, recipes, given.repeats))


def _make(folder: Path) -> dict[str, tuple[Scan, ...]]:
    write_archive("ddsm", folder / "ddsm", patients=1, seed=1)
    write_archive("cbis-ddsm", folder / "packed", patients=1, seed=1)
    write_archive("cbis-ddsm", folder / "plain", patients=1, seed=1)
    for path in (folder / "plain").rglob("*.dcm"):
        header = pydicom.dcmread(path)
        if header.file_meta.TransferSyntaxUID.is_compressed:
            header.decompress()
            header.save_as(path)
    films = open_archive("ddsm", folder / "ddsm").scans()
    return {
        "DDSM, lossless JPEG": tuple(scan for scan in films if scan.findings == ()),
        "CBIS-DDSM, RLE": open_archive("cbis-ddsm", folder / "packed").scans(),
        "CBIS-DDSM, plain": open_archive("cbis-ddsm", folder / "plain").scans(),
    }


def _table(kinds: dict[str, tuple[Scan, ...]], recipes: Sequence[Recipe], repeats: int) -> Table:
    table = Table("files", "recipe", "tiles a scan", "decode, ms", "and cut, ms", "speed left")
    for kind, scans in kinds.items():
        for recipe in recipes:
            # The quickest run of each says what the work costs: others slow down the rest.
            alone, both, tiles = np.mean(
                [_measure(scan, recipe, repeats) for scan in scans], axis=0
            )
            table.add_row(
                kind,
                recipe.name,
                f"{tiles:.1f}",
                f"{1000 * alone:.0f}",
                f"{1000 * both:.0f}",
                f"{alone / both:.0%}",
            )
    return table


def _measure(scan: Scan, recipe: Recipe, repeats: int) -> tuple[float, float, int]:
    """Seconds of decoding, of decoding and cutting, and tiles."""
    alone = min(_seconds(lambda: _decode(scan)) for _ in range(repeats))
    both = min(_seconds(lambda: _cut(scan, recipe)) for _ in range(repeats))
    return alone, both, _cut(scan, recipe)


def _decode(scan: Scan) -> None:
    """Decode a scan and the masks that its tiles need."""
    load(scan)
    for finding in scan.findings or ():
        if isinstance(finding.roi, MaskFile):
            read_stored(finding.roi.path)


def _cut(scan: Scan, recipe: Recipe) -> int:
    loaded = load(scan)
    return sum(1 for _ in recipe.cut(scan, loaded, np.random.default_rng(0)))


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
