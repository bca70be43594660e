"""Make the packaged table of CRC-32 of mini-MIAS's pixels from lossless copies of its scans.

Usage: python scripts/make_mias_crcs.py FOLDER

FOLDER holds Info.txt and the scans as PGM or PNG. The numbers tell the archive's own pixels from
public copies whose grey levels were stretched; they hold nothing of the pictures.
"""

import sys
from pathlib import Path

from mammoscope.archives.open import open_archive
from mammoscope.archives.pictures import pixel_crc
from mammoscope.formats.files import write_atomic
from mammoscope.formats.raster import read_raster

TARGET = Path(__file__).resolve().parents[1] / "src/mammoscope/archives/data/mini-mias-crc32.csv"


def main(folder: Path) -> None:
    """Write the table and say how many scans it holds."""
    scans = open_archive("mini-mias", folder).scans()
    lines = [f"{scan.scan_id},{pixel_crc(read_raster(scan.path)):08x}" for scan in scans]
    write_atomic(TARGET, "\n".join(["scan_id,crc32", *lines, ""]))
    print(f"{len(lines)} scans written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
