"""Make the packaged tables of CBIS-DDSM's films: which DDSM film a scan is, its size, its scanner.

Usage: python scripts/make_cbis_films.py FOLDER

FOLDER holds ``ddsm-join.csv`` (the matches, with what DDSM's .ics files say of each film) and the
folder ``csv`` with the archive's four tables. Written are ``cbis-films.csv`` (a row a scan) and
``cbis-cases.csv`` (a row a patient; two where a patient's films lie in two volumes of DDSM).
"""

import csv
import io
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from mammoscope.formats.files import write_atomic

CASE = ("patient_id", "ddsm_case", "scanner", "resolution_um", "bits", "age", "study_date", "scans")
TARGET = Path(__file__).resolve().parents[1] / "src/mammoscope/formats/data"
Row = dict[str, str]


def main(folder: Path) -> None:
    """Write both tables and say how many rows they hold."""
    matches = _rows(folder / "ddsm-join.csv")
    films = _films(matches, _findings(folder / "csv"))
    cases = _cases(matches)
    _write("cbis-films.csv", ("scan", "lines", "pixels_per_line", "masses", "calcs"), films)
    _write(
        "cbis-cases.csv",
        (
            "patient_id",
            "ddsm_case",
            "scanner",
            "resolution_um",
            "bits",
            "age",
            "study_date",
            "scans",
        ),
        cases,
    )
    sized = sum(bool(row[1]) for row in films)
    print(f"{len(films)} scans, {sized} with a film of known size; {len(cases)} cases")


def _films(matches: list[Row], findings: dict[str, Counter[str]]) -> list[tuple[str, ...]]:
    """Give each scan its film's size; the rows of a scan that stands in two tables must agree."""
    sizes: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in matches:
        size = (_whole(row["lines"]), _whole(row["pixels_per_line"]))
        sizes[_bare(row["cbis_scan"])].add(size)
    if any(len(known) > 1 for known in sizes.values()):
        raise ValueError("two rows of one scan give its film two sizes")
    return [
        (scan, *next(iter(sizes[scan])), *(str(findings[scan][kind]) for kind in ("mass", "calc")))
        for scan in sorted(sizes)
    ]


def _cases(matches: list[Row]) -> list[tuple[str, ...]]:
    facts: dict[tuple[str, str], tuple[str, ...]] = {}
    scans: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in matches:
        scan = _bare(row["cbis_scan"])
        case, view = row["ddsm_film"].split(".")
        if not scan.endswith(view):
            raise ValueError(f"{scan} was matched with a film of another side or view")
        key = (scan[:7], f"{row['ddsm_volume']}/{case.removesuffix('_1')}")
        scans[key].add(view)
        # Some films of a case have no .ics line of their own; what their sisters say holds.
        facts[key] = max(facts.get(key, ()), _facts(row))
    several = {patient for patient, n in Counter(p for p, _ in scans).items() if n > 1}
    return [
        (*key, *facts[key], " ".join(sorted(scans[key])) if key[0] in several else "")
        for key in sorted(scans)
    ]


def _facts(row: Row) -> tuple[str, ...]:
    resolution = f"{float(row['resolution_um']):g}" if row["resolution_um"] else ""
    age = _whole(row["age"])
    return row["digitizer"], resolution, _whole(row["bits"]), age, _date(row["date_of_study"])


def _date(text: str) -> str:
    """Day, month, year as DDSM writes them; a few have the month first, which shows above 12."""
    if not text:
        return ""
    day, month, year = (int(word) for word in text.split())
    if month > 12:
        day, month = month, day
    return f"{year:04d}-{month:02d}-{day:02d}"


def _findings(folder: Path) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for table in sorted(folder.glob("*_case_description_*_set.csv")):
        kind = table.name.split("_")[0]
        for row in _rows(table):
            words = (row["patient_id"], row["left or right breast"], row["image view"])
            counts["_".join(words)][kind] += 1
    return counts


def _bare(name: str) -> str:
    return name.split("_", 1)[1]


def _whole(text: str) -> str:
    return str(int(float(text))) if text else ""


def _rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _write(name: str, heading: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows(rows)
    write_atomic(TARGET / name, text.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
