"""Make the packaged table of CBIS-DDSM pixel sizes from the table of matches with DDSM films.

Usage: python scripts/make_cbis_spacing.py FOLDER

FOLDER holds ``ddsm-join.csv`` (columns cbis_scan, cbis_rows, cbis_columns, spacing_um). Scans whose
spacing or size is unknown are left out, and so are films whose rows in the tables of masses and of
calcifications contradict each other.
"""

import csv
import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src/mammoscope/formats/data/cbis-spacing.csv"


def main(folder: Path) -> None:
    """Write the table and say how many scans it holds."""
    with (folder / "ddsm-join.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["spacing_um"] and row["cbis_rows"]]
    known: dict[str, set[tuple[str, ...]]] = {}
    kept: dict[str, tuple[str, ...]] = {}
    for row in rows:
        size = tuple(f"{float(row[key]):g}" for key in ("spacing_um", "cbis_rows", "cbis_columns"))
        known.setdefault(row["cbis_scan"].split("_", 1)[1], set()).add(size)
        kept[row["cbis_scan"]] = size
    agreed = {name: s for name, s in kept.items() if len(known[name.split("_", 1)[1]]) == 1}
    with TARGET.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["cbis_scan", "spacing_um", "rows", "columns"])
        writer.writerows((name, *size) for name, size in sorted(agreed.items()))
    print(f"{len(agreed)} scans written, {len(kept) - len(agreed)} left out as contradictory")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
