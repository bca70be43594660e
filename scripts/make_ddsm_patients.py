"""Make the packaged table of DDSM cases that CBIS-DDSM shows again, from the table of matches.

Usage: python scripts/make_ddsm_patients.py FOLDER

FOLDER holds ``ddsm-join.csv`` (columns cbis_scan, ddsm_volume, ddsm_film). A case that was matched
to several of CBIS-DDSM's patients gets the first of them, and the others stand beside.
"""

import csv
import re
import sys
from collections import defaultdict
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "src/mammoscope/archives/data/ddsm-cbis-patients.csv"


def main(folder: Path) -> None:
    """Write the table and say how many cases it holds."""
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    with (folder / "ddsm-join.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            patient = re.search(r"P_\d{5}", row["cbis_scan"])
            case = re.match(r"[A-D]_\d{4}", row["ddsm_film"])
            if patient and case:
                patients[row["ddsm_volume"], case[0]].add(patient[0])
    with TARGET.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["volume", "case", "cbis_patient", "others"])
        for (volume, case), ids in sorted(patients.items()):
            first, *others = sorted(ids)
            writer.writerow([volume, case, first, " ".join(others)])
    print(f"{len(patients)} cases written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
