"""Make the packaged public splits from the archives' own tables.

Usage: python scripts/make_public_splits.py DATA

DATA holds ``cbis-ddsm/csv`` (the four case tables as published), ``mini-mias/Info.txt`` and
``ddsm-299/index.csv``. `docs/evaluation/splits.md` says by which rule; no number is drawn, so
anybody can make the same files in any language.
"""

import csv
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

FOLDS = 5
DATA = Path(__file__).resolve().parents[1] / "src/mammoscope/archives/data"
GRAVITY = ("normal", "benign_without_callback", "benign", "cancer")


def main(data: Path) -> None:
    """Write the four files and print their digests."""
    official = cbis(data / "cbis-ddsm" / "csv")
    shared = {p for p, part, _ in official if part == "train"} & tested(official)
    purged = [row for row in official if row[1] == "test" or row[0] not in shared]
    cases = ddsm(data / "ddsm-299" / "index.csv", tested(official))
    write("cbis-ddsm-official", ("patient_id", "part", "films"), official)
    write("cbis-ddsm-purged", ("patient_id", "part", "films"), purged)
    write("mias-folds", ("patient_id", "part", "films"), mias(data / "mini-mias" / "Info.txt"))
    write("ddsm-cases", ("patient_id", "part", "cases"), cases)


def tested(rows: Iterable[tuple[str, str, str]]) -> set[str]:
    """Return the patients of the official test."""
    return {patient for patient, part, _ in rows if part == "test"}


def cbis(folder: Path) -> list[tuple[str, str, str]]:
    """Return patient, part and which of its films (calc, mass) as the four case tables say."""
    films: dict[tuple[str, str], set[str]] = defaultdict(set)
    for kind in ("calc", "mass"):
        for part in ("train", "test"):
            path = folder / f"{kind}_case_description_{part}_set.csv"
            with path.open(newline="", encoding="utf-8") as stream:
                for row in csv.DictReader(stream):
                    films[row["patient_id"], part].add(kind)
    return [
        (patient, part, " ".join(sorted(its))) for (patient, part), its in sorted(films.items())
    ]


def mias(info: Path) -> list[tuple[str, str, str]]:
    """Return the 161 women of MIAS in folds, even in malignant, benign and normal women."""
    gravity = dict.fromkeys(range(1, 162), 0)
    for line in info.read_text(encoding="latin-1").splitlines():
        words = line.split()
        if words and words[0].startswith("mdb") and words[0][3:].isdigit() and len(words) > 2:
            woman = (int(words[0][3:]) + 1) // 2
            gravest = {"B": 1, "M": 2}.get(words[3] if len(words) > 3 else "", 0)
            gravity[woman] = max(gravity[woman], gravest)
    folds = dealt({f"mias-{number:03d}": its for number, its in gravity.items()})
    return [
        (patient, fold, f"mdb{2 * int(patient[5:]) - 1:03d} mdb{2 * int(patient[5:]):03d}")
        for patient, fold in sorted(folds.items())
    ]


def ddsm(index: Path, test: set[str]) -> list[tuple[str, str, str]]:
    """Return DDSM's known patients: those of CBIS-DDSM's test apart, the others in folds."""
    cases: dict[str, set[str]] = defaultdict(set)
    with (DATA / "ddsm-cbis-patients.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    by_name = {row["case"]: row["cbis_patient"] for row in rows}
    for row in rows:
        cases[row["cbis_patient"]].add(f"{row['volume']}/{row['case']}")
    with index.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            name = "_".join(row["case"].split("_")[:2])
            patient = by_name.get(name) or f"ddsm-{row['volume']}-{name}"
            cases[patient].add(f"{row['volume']}/{name}")
    gravity = {
        patient: max(GRAVITY.index(case.split("/")[0].rsplit("_", 1)[0]) for case in its)
        for patient, its in cases.items()
    }
    folds = dealt({patient: its for patient, its in gravity.items() if patient not in test})
    return [
        (patient, folds.get(patient, "test"), " ".join(sorted(its)))
        for patient, its in sorted(cases.items())
    ]


def dealt(gravity: Mapping[str, int]) -> dict[str, str]:
    """Deal patients to folds in the order of gravity, then of the SHA-256 of their ids."""
    order = sorted(gravity, key=lambda p: (gravity[p], hashlib.sha256(p.encode()).hexdigest()))
    return {patient: str(place % FOLDS) for place, patient in enumerate(order)}


def write(name: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write one file, lines in the order of their text, and print its digest."""
    lines = [",".join(head), *sorted(",".join(row) for row in rows)]
    text = ("\n".join(lines) + "\n").encode()
    (DATA / f"splits-{name}.csv").write_bytes(text)
    print(f"{name}: {len(lines) - 1} rows, SHA-256 {hashlib.sha256(text).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
