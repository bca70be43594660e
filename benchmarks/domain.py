"""The domain guard: how many spoiled inputs it flags, and how many real scans.

Usage: python benchmarks/domain.py CBIS_800_DIR MINI_MIAS_DIR [--write FILE] [--every N]

Spoils every scan once in each way of `domain_spoils`, at a strength drawn for it, and fits the
guard five times on CBIS-DDSM without one fifth of its patients. Flagged are then: real and spoiled
scans of that fifth, and all those of mini-MIAS, which sets no number of the guard. Pictures that
are no mammograms are in no fit. Prints the table of kind by archive as JSON, each share with its
95 % interval by Wilson (1927) over scans and, for real ones, by a bootstrap over patients. With
``--write`` the guard fitted on all of CBIS-DDSM is written as the package ships it. With
``--every`` only each N-th scan is spoiled; the real ones are always all measured.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from domain_spoils import OTHERS, SPOILS, varied
from numpy.typing import NDArray

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.records import Scan, Spacing
from mammoscope.core.vocabulary import ViewPosition
from mammoscope.formats.files import write_atomic
from mammoscope.scans.domain import Guard, guard_to_json
from mammoscope.scans.domain_fit import FOLDS, Sample, fit_guard, fold_of
from mammoscope.scans.domain_statistics import statistics_of
from mammoscope.scans.load import load
from mammoscope.simulate.exam import make_exam
from mammoscope.simulate.film import to_digital

ARCHIVES = ("cbis-ddsm-800", "mini-mias")
COMMAND = "python benchmarks/domain.py CBIS_800_DIR MINI_MIAS_DIR --write FILE"
DIGITAL_MM = 0.4
DIGITAL_EXAMS = 24
PICTURES = 200
Z = 1.96
Values = NDArray[np.float64] | None
"""Statistics, or None where the scan was refused before any could be taken."""
_scans: dict[str, tuple[Scan, ...]] = {}


def main() -> None:
    """Measure, and write the guard where that was asked."""
    reader = argparse.ArgumentParser()
    reader.add_argument("folders", nargs=2, type=Path)
    reader.add_argument("--write", type=Path)
    reader.add_argument("--every", type=int, default=1)
    given = reader.parse_args()
    for name, folder in zip(ARCHIVES, given.folders, strict=True):
        _scans[name] = open_archive(name, folder).scans()
    # Forked processes have the scans already, so only numbers go between them.
    with ProcessPoolExecutor(2) as pool:
        tables = {
            name: list(
                pool.map(
                    _row, [(name, i, i % given.every == 0) for i in range(len(scans))], chunksize=8
                )
            )
            for name, scans in _scans.items()
        }
        digital = [v for part in pool.map(_digital, range(DIGITAL_EXAMS)) for v in part]
        pictures = list(pool.map(_pictures, range(PICTURES)))
    result, guard = measure(tables, digital, pictures)
    print(json.dumps(result, indent=1))
    if given.write:
        write_atomic(given.write, guard_to_json(guard))
        print(f"wrote {given.write}", file=sys.stderr)


def _row(at: tuple[str, int, bool]) -> dict[str, Any]:
    """Take the statistics of a scan as it is and varied, and spoiled in every way where asked."""
    name, number, spoiled = at
    scan = _scans[name][number]
    loaded = load(scan)
    spacing = loaded.spacing_mm or (1.0, 1.0)
    image = loaded.image.astype(np.float32)
    rng = np.random.default_rng([7, number])
    kinds = {"varied": varied(image, spacing, rng)}
    if spoiled:
        kinds |= {kind: spoil(image, spacing, rng) for kind, spoil in SPOILS.items()}
    return {
        "patient": scan.patient_id,
        "view": scan.view,
        "real": _taken(loaded.image, spacing),
        **{kind: _taken(*made) for kind, made in kinds.items()},
    }


def _digital(number: int) -> list[tuple[ViewPosition, Values]]:
    rng = np.random.default_rng([9, number])
    exam = make_exam(rng, spacing_mm=DIGITAL_MM)
    return [
        (scan.view, _taken(to_digital(scan, rng), (DIGITAL_MM, DIGITAL_MM))) for scan in exam.scans
    ]


def _pictures(number: int) -> dict[str, Values]:
    rng = np.random.default_rng([8, number])
    return {kind: _taken(*make(rng)) for kind, make in OTHERS.items()}


def _taken(image: NDArray[Any], spacing: Spacing) -> Values:
    try:
        return statistics_of(image, spacing).values
    except MammoscopeError:
        return None


def measure(
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    digital: Sequence[tuple[ViewPosition, Values]],
    pictures: Sequence[Mapping[str, Values]],
) -> tuple[dict[str, Any], Guard]:
    """Cross-validate the guard, and fit the one of all patients."""
    home = tables[ARCHIVES[0]]
    patients = [row["patient"] for row in home]
    folds = fold_of(patients, seed=1)
    flags: dict[str, dict[str, list[bool]]] = {name: {} for name in (*ARCHIVES, "none")}
    whose: list[str] = []
    for fold in range(FOLDS):
        guard = _fitted([row for row, at in zip(home, folds, strict=True) if at != fold], digital)
        held = [row for row, at in zip(home, folds, strict=True) if at == fold]
        whose += [row["patient"] for row in held]
        _flag(guard, held, flags[ARCHIVES[0]])
        if fold == 0:
            _flag(guard, tables[ARCHIVES[1]], flags[ARCHIVES[1]])
            for kind in OTHERS:
                flags["none"][kind] = [_flagged(guard, made[kind], None) for made in pictures]
    whole = _fitted(home, digital)
    shares = {
        name: {kind: wilson(found) for kind, found in kinds.items()}
        for name, kinds in flags.items()
    }
    by_patient = {
        ARCHIVES[0]: patients_interval(flags[ARCHIVES[0]]["real"], whose),
        ARCHIVES[1]: patients_interval(
            flags[ARCHIVES[1]]["real"], [row["patient"] for row in tables[ARCHIVES[1]]]
        ),
    }
    return {"flagged": shares, "real, interval by patient": by_patient}, whole


def _fitted(
    rows: Sequence[Mapping[str, Any]], digital: Sequence[tuple[ViewPosition, Values]]
) -> Guard:
    made = [(view, values) for view, values in digital if values is not None]
    beside = Sample(
        values=np.array([values for _, values in made]),
        patients=tuple(f"made {i // 4}" for i in range(len(made))),
        views=tuple(view for view, _ in made),
    )
    varied_ones = _sample(rows, "varied")
    others = Sample(
        values=np.concatenate([varied_ones.values, beside.values]),
        patients=varied_ones.patients + beside.patients,
        views=varied_ones.views + beside.views,
    )
    spoiled = {kind: _sample(rows, kind) for kind in SPOILS}
    return fit_guard(_sample(rows, "real"), others, spoiled, archive=ARCHIVES[0], made_by=COMMAND)


def _sample(rows: Sequence[Mapping[str, Any]], kind: str) -> Sample:
    kept = [row for row in rows if row.get(kind) is not None]
    return Sample(
        values=np.array([row[kind] for row in kept]),
        patients=tuple(row["patient"] for row in kept),
        views=tuple(row["view"] for row in kept),
    )


def _flag(guard: Guard, rows: Sequence[Mapping[str, Any]], into: dict[str, list[bool]]) -> None:
    for kind in ("real", *SPOILS):
        for row in (row for row in rows if kind in row):
            found = _flagged(guard, row[kind], row["view"])
            into.setdefault(kind, []).append(found)
            if kind == "turned by 180 degrees":
                into.setdefault(f"{kind}, {row['view']}", []).append(found)


def _flagged(guard: Guard, values: Values, view: ViewPosition | None) -> bool:
    """Tell whether a scan is refused: before any statistics, or by the guard."""
    return values is None or guard.judge(values, view).verdict == "unlike"


def wilson(found: Sequence[bool]) -> dict[str, float]:
    """Share that is true, with Wilson's 95 % interval."""
    n, share = len(found), float(np.mean(found))
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return {
        "value": round(share, 4),
        "low": round(float(middle - half), 4),
        "high": round(float(middle + half), 4),
        "n": n,
    }


def patients_interval(found: Sequence[bool], patients: Sequence[str]) -> dict[str, float]:
    """Share that is true, with the 95 % interval of a bootstrap over patients."""
    names, at = np.unique(np.array(patients), return_inverse=True)
    hits = np.bincount(at, weights=np.array(found, dtype=float))
    scans = np.bincount(at)
    drawn = np.random.default_rng(0).integers(0, len(names), (2000, len(names)))
    shares = hits[drawn].sum(axis=1) / scans[drawn].sum(axis=1)
    low, high = (float(v) for v in np.percentile(shares, (2.5, 97.5)))
    return {
        "value": round(float(hits.sum() / scans.sum()), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "n": len(found),
        "n_patients": len(names),
    }


if __name__ == "__main__":
    main()
