"""The domain guard: how many spoiled inputs it flags, and how many real scans.

Usage: python benchmarks/domain.py CBIS_800_DIR MINI_MIAS_DIR [--write FILE] [--every N]

Spoils every scan once in each way of `domain_spoils`, at a strength drawn for it, and fits the
guard five times on CBIS-DDSM and mini-MIAS without one fifth of the patients. Flagged are then real
and spoiled scans of that fifth. One more guard is fitted on CBIS-DDSM alone and judges mini-MIAS,
which it never saw. What is no mammogram comes from `domain_strangers` in the fit and from
`domain_spoils.OTHERS`, which are of other families, in the test. Prints the tables of kind by
archive as JSON, each share with its 95 % interval by Wilson (1927) over scans and, for real ones,
by a bootstrap over patients. With ``--write`` the guard fitted on all patients is written as the
package ships it. With ``--every`` only each N-th scan of CBIS-DDSM, and each N/2-th of mini-MIAS,
is varied and spoiled; the real ones are always all measured.
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
from domain_strangers import STRANGERS
from numpy.typing import NDArray

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import MammoscopeError
from mammoscope.core.records import Scan, Spacing
from mammoscope.core.vocabulary import ViewPosition
from mammoscope.formats.files import write_atomic
from mammoscope.scans.domain import STRANGE, Guard, guard_to_json
from mammoscope.scans.domain_fit import FOLDS, ON_ITS_HEAD, Sample, fit_guard, fold_of, joined
from mammoscope.scans.domain_statistics import statistics_of
from mammoscope.scans.load import load
from mammoscope.simulate.exam import make_exam
from mammoscope.simulate.film import to_digital

ARCHIVES = ("cbis-ddsm-800", "mini-mias")
COMMAND = "python benchmarks/domain.py CBIS_800_DIR MINI_MIAS_DIR --every 8 --write FILE"
DIGITAL_MM = 0.4
DIGITAL_EXAMS = 6
PICTURES = 50
STRANGE_PICTURES = 40
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
            name: list(pool.map(_row, _places(name, given.every), chunksize=8)) for name in ARCHIVES
        }
        strangers = list(pool.map(_strangers, range(STRANGE_PICTURES)))
        pictures = list(pool.map(_pictures, range(PICTURES)))
        digital = [v for part in pool.map(_digital, range(DIGITAL_EXAMS)) for v in part]
    result, guard = measure(tables, digital, strangers, pictures)
    print(json.dumps(result, indent=1))
    if given.write:
        write_atomic(given.write, guard_to_json(guard))
        print(f"wrote {given.write}", file=sys.stderr)


def _places(name: str, every: int) -> list[tuple[str, int, bool]]:
    step = every if name == ARCHIVES[0] else max(1, every // 2)
    return [(name, number, number % step == 0) for number in range(len(_scans[name]))]


def _row(at: tuple[str, int, bool]) -> dict[str, Any]:
    """Take the statistics of a scan as it is and varied, and spoiled in every way where asked."""
    name, number, spoiled = at
    scan = _scans[name][number]
    loaded = load(scan)
    spacing = loaded.spacing_mm or (1.0, 1.0)
    image = loaded.image.astype(np.float32)
    rng = np.random.default_rng([7, number])
    kinds = {}
    if spoiled:
        kinds = {"varied": varied(image, spacing, rng)}
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


def _strangers(number: int) -> list[Values]:
    rng = np.random.default_rng([10, number])
    return [_taken(*make(rng)) for make in STRANGERS.values()]


def _taken(image: NDArray[Any], spacing: Spacing) -> Values:
    try:
        return statistics_of(image, spacing).values
    except MammoscopeError:
        return None


def measure(
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    digital: Sequence[tuple[ViewPosition, Values]],
    strangers: Sequence[Sequence[Values]],
    pictures: Sequence[Mapping[str, Values]],
) -> tuple[dict[str, Any], Guard]:
    """Cross-validate the guard, and fit the one of all patients."""
    rows = [{**row, "archive": name} for name in ARCHIVES for row in tables[name]]
    folds = fold_of([row["patient"] for row in rows], seed=1)
    verdicts: dict[str, dict[str, list[str]]] = {}
    held: list[Mapping[str, Any]] = []
    for fold in range(FOLDS):
        kept = [row for row, at in zip(rows, folds, strict=True) if at != fold]
        guard = _fitted(kept, digital, strangers)
        out = [row for row, at in zip(rows, folds, strict=True) if at == fold]
        held += out
        for name in ARCHIVES:
            _judge(guard, [row for row in out if row["archive"] == name], verdicts, name)
        if fold == 0:
            verdicts["none"] = {
                kind: [_verdict(guard, made[kind], None) for made in pictures] for kind in OTHERS
            }
    home = [row for row in rows if row["archive"] == ARCHIVES[0]]
    foreign = [row for row in rows if row["archive"] == ARCHIVES[1]]
    stranger = f"{ARCHIVES[1]}, never seen"
    _judge(_fitted(home, digital, strangers), foreign, verdicts, stranger)
    whose = {
        **{n: [row["patient"] for row in held if row["archive"] == n] for n in ARCHIVES},
        stranger: [row["patient"] for row in foreign],
    }
    result = {
        said: {
            name: {kind: wilson([v == said for v in found]) for kind, found in kinds.items()}
            for name, kinds in verdicts.items()
        }
        for said in ("unlike", "doubtful")
    }
    result["real, interval by patient"] = {
        name: patients_interval([v == "unlike" for v in verdicts[name]["real"]], patients)
        for name, patients in whose.items()
    }
    return result, _fitted(rows, digital, strangers)


def _fitted(
    rows: Sequence[Mapping[str, Any]],
    digital: Sequence[tuple[ViewPosition, Values]],
    strangers: Sequence[Sequence[Values]],
) -> Guard:
    made = [(view, values) for view, values in digital if values is not None]
    beside = Sample(
        values=np.array([values for _, values in made]),
        patients=tuple(f"made {i // 4}" for i in range(len(made))),
        views=tuple(view for view, _ in made),
    )
    odd = [(number, v) for number, part in enumerate(strangers) for v in part if v is not None]
    strange = Sample(
        values=np.array([values for _, values in odd]),
        patients=tuple(f"picture {number}" for number, _ in odd),
        views=(None,) * len(odd),
    )
    spoiled = {kind: _sample(rows, kind) for kind in SPOILS} | {STRANGE: strange}
    others = joined([_sample(rows, "varied"), beside])
    return fit_guard(_sample(rows, "real"), others, spoiled, archive=ARCHIVES[0], made_by=COMMAND)


def _sample(rows: Sequence[Mapping[str, Any]], kind: str) -> Sample:
    kept = [row for row in rows if row.get(kind) is not None]
    return Sample(
        values=np.array([row[kind] for row in kept]),
        patients=tuple(row["patient"] for row in kept),
        views=tuple(row["view"] for row in kept),
    )


def _judge(
    guard: Guard,
    rows: Sequence[Mapping[str, Any]],
    into: dict[str, dict[str, list[str]]],
    name: str,
) -> None:
    kinds = into.setdefault(name, {})
    for kind in ("real", *SPOILS):
        for row in (row for row in rows if kind in row):
            found = _verdict(guard, row[kind], row["view"])
            kinds.setdefault(kind, []).append(found)
            if kind == ON_ITS_HEAD:
                kinds.setdefault(f"{kind}, {row['view']}", []).append(found)


def _verdict(guard: Guard, values: Values, view: ViewPosition | None) -> str:
    """Return the verdict; what was refused before any statistics is unlike."""
    return "unlike" if values is None else guard.judge(values, view).verdict


def wilson(found: Sequence[bool]) -> dict[str, float]:
    """Share that is true, with Wilson's 95 % interval."""
    n, share = len(found), float(np.mean(found))
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return {
        "value": round(share, 4),
        "low": round(max(0.0, float(middle - half)), 4),
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
