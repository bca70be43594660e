"""Does joining views help? The table of docs/reading/scores.md, from a run's stored outcomes.

Usage: python benchmarks/joining.py RUN CBIS_800_DIR [--cache FILE] [--resamples 1000] [--csv FILE]

RUN is the folder of a finished dense run with folds; nothing is trained, and every learnt number is
fitted on other folds than it is judged on. The scans are opened once, to find the breast and its
nipple; what was found is kept in the cache. Prints: how well landmarks agree between the views; the
AUC of malignant against benign breasts and patients by each way of joining; sensitivity of places
scored again by what the other view shows. Differences are paired, intervals over patients.
"""

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp, hypot
from pathlib import Path

import numpy as np

from mammoscope.archives.open import open_archive
from mammoscope.core.geometry import bounding_box
from mammoscope.evaluation.exam_score import View, breast_features, features_matrix, nested_scores
from mammoscope.evaluation.froc import cut_scores, judge, sensitivity
from mammoscope.evaluation.hits import hits
from mammoscope.evaluation.intervals import Figure, bootstrap, draw, figure_of
from mammoscope.evaluation.outcomes import Peak, ScanOutcome
from mammoscope.evaluation.pairing import MOST_PLACES, Place, depth_mm, nipple_of
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.formats.files import write_atomic
from mammoscope.models.weights import load_model
from mammoscope.scans.load import load
from mammoscope.training.finish import stored_outcomes

FOLDS = 5
SPREAD_MM = 16.0
"""Robust spread of a lesion's depth between CC and MLO, as the first table measures it."""
RATES = (0.1, 0.25, 0.5, 1.0)
TODAY = "mean of the views (what is used)"
LEARNT = {
    "learnt: mean alone": ("mean",),
    "learnt: mean, highest, product, one view": ("mean", "highest", "product", "one_view"),
    "learnt: these, highest lesion score": ("mean", "highest", "product", "lesion", "one_view"),
    "learnt: these, best pair by depth and malignancy": (
        *("mean", "highest", "product", "lesion", "one_view", "pair"),
    ),
    "learnt: the same, pairs without depth": (
        *("mean", "highest", "product", "lesion", "one_view", "pair_anywhere"),
    ),
    "learnt: mean, other breast's highest malignancy": ("mean", "other", "has_other"),
}


@dataclass(frozen=True)
class Landmarks:
    """Of one scan, in millimetres on its grid: the nipple, None if none, and the wall's column."""

    nipple_mm: tuple[float, float] | None
    wall_mm: float


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    how: str
    figure: Figure
    difference: Figure | None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--csv", type=Path)
    asked = parser.parse_args()
    outcomes = stored_outcomes(asked.run, FOLDS)
    fold_of = json.loads((asked.run / "split.json").read_text("utf-8"))
    marks = landmarks_of(asked.archive, asked.cache)
    breasts: dict[tuple[str, str], list[ScanOutcome]] = {}
    for outcome in outcomes:
        breasts.setdefault((outcome.patient_id, outcome.breast_id), []).append(outcome)
    several = sum(len({view_of(scan) for scan in scans}) > 1 for scans in breasts.values())
    print(f"{len(outcomes)} scans, {len(breasts)} breasts, {several} with two views")
    agreement(list(breasts.values()), marks)
    rows = breast_rows(breasts, marks, fold_of, asked.resamples)
    rows += place_rows(outcomes, marks, fold_of, asked.resamples)
    for row in rows:
        difference = "" if row.difference is None else f"  {words(row.difference, '+')}"
        print(f"{row.what:34s} {row.how:52s} {words(row.figure)}{difference}")
    if asked.csv is not None:
        write_table(asked.csv, rows)


def words(figure: Figure, sign: str = "") -> str:
    """Write a figure with its interval."""
    return f"{figure.value:{sign}.3f} ({figure.low:{sign}.3f} to {figure.high:{sign}.3f})"


def view_of(outcome: ScanOutcome) -> str:
    """Return the view, such as "CC"."""
    return outcome.strata.get("view", "")


def landmarks_of(folder: Path, cache: Path | None) -> dict[str, Landmarks]:
    """Find breast and nipple on every scan of the archive, or take them from the cache."""
    if cache is not None and cache.exists():
        stored = json.loads(cache.read_text("utf-8"))
        return {
            key: Landmarks(tuple(nipple) if nipple else None, wall)
            for key, (nipple, wall) in stored.items()
        }
    model = load_model("default")
    found = {}
    for scan in open_archive("cbis-ddsm-800", folder).scans():
        loaded = load(scan)
        if loaded.spacing_mm is None:
            continue
        prepared = model.prepare(loaded.image, loaded.spacing_mm)
        row_mm, column_mm = loaded.spacing_mm

        nipple = nipple_of(prepared.breast, prepared.spacing_mm)
        at = prepared.point_to_scan(*nipple) if nipple else None
        first = float(np.flatnonzero(prepared.breast.any(axis=0))[0])
        found[scan.scan_id] = Landmarks(
            (at[0] * row_mm, at[1] * column_mm) if at else None,
            prepared.point_to_scan(0.0, first)[1] * column_mm,
        )
    if cache is not None:
        plain = {key: (one.nipple_mm, one.wall_mm) for key, one in found.items()}
        write_atomic(cache, json.dumps(plain))
    return found


def in_mm(outcome: ScanOutcome, place: tuple[float, float]) -> tuple[float, float]:
    """Carry a place in pixels of its scan to millimetres."""
    return place[0] * outcome.spacing_mm[0], place[1] * outcome.spacing_mm[1]


def depth_of(
    outcome: ScanOutcome, place: tuple[float, float], marks: Mapping[str, Landmarks]
) -> float | None:
    """Return how deep a place lies behind its scan's nipple; None without one."""
    nipple = marks[outcome.scan_id].nipple_mm
    return None if nipple is None else depth_mm(in_mm(outcome, place), nipple, 1.0)


def agreement(breasts: Sequence[Sequence[ScanOutcome]], marks: Mapping[str, Landmarks]) -> None:
    """Print how well a lesion's place agrees between views that each show one finding."""
    kinds: dict[str, list[tuple[float, float]]] = {}
    for scans in breasts:
        alone = [scan for scan in scans if len(scan.findings or ()) == 1]
        by_view = {view_of(scan): scan for scan in alone}
        if len(alone) != 2 or set(by_view) != {"CC", "MLO"}:
            continue
        pair = [by_view["CC"], by_view["MLO"]]
        if any(marks[scan.scan_id].nipple_mm is None for scan in pair):
            continue
        measured = [_measured(scan, marks[scan.scan_id]) for scan in pair]
        for key in measured[0]:
            kinds.setdefault(key, []).append((measured[0][key], measured[1][key]))
    for key, pairs in kinds.items():
        cc, mlo = np.array(pairs).T
        away = cc - mlo
        robust = 1.4826 * np.median(np.abs(away - np.median(away)))
        print(
            f"{key:32s} {len(pairs)} lesions, CC less MLO: mean {away.mean():+.1f} mm, spread "
            f"{away.std():.1f}, robust {robust:.1f}; correlation {np.corrcoef(cc, mlo)[0, 1]:.2f}"
        )


def _measured(scan: ScanOutcome, marks: Landmarks) -> dict[str, float]:
    (finding,) = scan.findings or ()
    place = in_mm(scan, bounding_box(finding.roi).centre)
    nipple = marks.nipple_mm or (0.0, 0.0)
    return {
        "straight distance from nipple": hypot(place[0] - nipple[0], place[1] - nipple[1]),
        "depth behind the nipple": depth_mm(place, nipple, 1.0),
        "distance from the chest wall": abs(place[1] - marks.wall_mm),
    }


def breast_rows(
    breasts: Mapping[tuple[str, str], list[ScanOutcome]],
    marks: Mapping[str, Landmarks],
    fold_of: Mapping[str, int],
    resamples: int,
) -> list[Row]:
    """Compare ways of joining by AUC, by breast and by patient."""
    described = [_described(key, breasts, marks) for key in breasts]
    each = [np.array([scan.malignancy for scan in scans]) for scans in breasts.values()]
    patients = [patient for patient, _ in breasts]
    labels = np.array([any(scan.is_malignant for scan in scans) for scans in breasts.values()])
    folds = np.array([fold_of[patient] for patient in patients])
    ways = {
        TODAY: np.array([one.mean() for one in each]),
        "highest of the views": np.array([one.max() for one in each]),
        "geometric mean of the views": np.array([np.exp(np.log(one).mean()) for one in each]),
        "strongest pair alone": features_matrix(described, ("pair",))[:, 0],
    }
    for name, features in LEARNT.items():
        ways[name] = nested_scores(features_matrix(described, features), labels, folds)
    rows = [*_compared("AUC malignant or benign, by breast", ways, labels, patients, resamples)]
    whole = sorted(set(patients))
    of = np.array([whole.index(patient) for patient in patients])
    joined = {name: _highest(scores, of, len(whole)) for name, scores in ways.items()}
    truth = np.bincount(of, labels, len(whole)) > 0
    return [
        *rows,
        *_compared("AUC malignant or benign, by patient", joined, truth, whole, resamples),
    ]


def _highest(scores: np.ndarray, of: np.ndarray, count: int) -> np.ndarray:
    joined = np.full(count, -np.inf)
    np.maximum.at(joined, of, scores)
    return joined


def _described(
    key: tuple[str, str],
    breasts: Mapping[tuple[str, str], list[ScanOutcome]],
    marks: Mapping[str, Landmarks],
) -> dict[str, float]:
    views = [
        View(
            view_of(scan),
            tuple(
                Place(p.score, p.malignancy, depth_of(scan, (p.row, p.column), marks))
                for p in scan.peaks
            ),
        )
        for scan in breasts[key]
    ]
    others = [s for k, scans in breasts.items() if k[0] == key[0] and k != key for s in scans]
    return {
        **breast_features(views, SPREAD_MM),
        "pair_anywhere": breast_features(views, 1e9)["pair"],
        "other": max((scan.malignancy for scan in others), default=0.0),
        "has_other": float(bool(others)),
    }


def _compared(
    what: str,
    ways: Mapping[str, np.ndarray],
    labels: np.ndarray,
    patients: Sequence[str],
    resamples: int,
) -> list[Row]:
    today = auc_statistic(ways[TODAY], labels)
    rows = []
    for name, scores in ways.items():
        own = auc_statistic(scores, labels)
        figure = bootstrap(own, patients, resamples, np.random.default_rng(0))
        away = None
        if name != TODAY:
            away = bootstrap(
                lambda weights, own=own: own(weights) - today(weights),
                patients,
                resamples,
                np.random.default_rng(0),
            )
        rows.append(Row(what, name, figure, away))
    return rows


def place_rows(
    outcomes: Sequence[ScanOutcome],
    marks: Mapping[str, Landmarks],
    fold_of: Mapping[str, int],
    resamples: int,
) -> list[Row]:
    """Compare places as scored with places scored again by what the other view shows."""
    ways = {
        "places as scored (what is used)": list(outcomes),
        "scored again: best of the other view": scored_again(outcomes, marks, fold_of, None),
        "scored again: best at the same depth": scored_again(outcomes, marks, fold_of, SPREAD_MM),
    }
    base = next(iter(ways.values()))
    rows = []
    for name, given in ways.items():
        for by_breast in (False, True):
            unit = "breast" if by_breast else "finding"
            for rate in RATES:
                figures = _sensitivities(given, base, rate, resamples, by_breast=by_breast)
                what = f"sensitivity at {rate:g} a scan, by {unit}"
                rows.append(Row(what, name, figures[0], None if given is base else figures[1]))
    return rows


def scored_again(
    outcomes: Sequence[ScanOutcome],
    marks: Mapping[str, Landmarks],
    fold_of: Mapping[str, int],
    spread_mm: float | None,
) -> list[ScanOutcome]:
    """Score every place by a model of its score and of the best place that backs it up."""
    others: dict[tuple[str, str], list[ScanOutcome]] = {}
    for outcome in outcomes:
        others.setdefault((outcome.patient_id, outcome.breast_id), []).append(outcome)
    features, labels, folds = [], [], []
    for outcome in outcomes:
        beside = [
            scan
            for scan in others[outcome.patient_id, outcome.breast_id]
            if view_of(scan) != view_of(outcome)
        ]
        for peak in outcome.peaks:
            backed = _logit(_support(outcome, peak, beside, marks, spread_mm)) if beside else 0.0
            features.append([_logit(peak.score), backed, float(bool(beside))])
            labels.append(bool(hits(outcome, peak)))
            folds.append(fold_of[outcome.patient_id])
    scores = iter(nested_scores(np.array(features), np.array(labels), np.array(folds)).tolist())
    given = []
    for outcome in outcomes:
        peaks = [replace(peak, score=next(scores)) for peak in outcome.peaks]
        peaks.sort(key=lambda peak: -peak.score)
        given.append(replace(outcome, peaks=tuple(peaks), score=peaks[0].score if peaks else 0.0))
    return given


def _logit(value: float) -> float:
    inside = min(max(value, 1e-3), 1 - 1e-3)
    return float(np.log(inside / (1 - inside)))


def _support(
    outcome: ScanOutcome,
    peak: Peak,
    beside: Sequence[ScanOutcome],
    marks: Mapping[str, Landmarks],
    spread_mm: float | None,
) -> float:
    own = depth_of(outcome, (peak.row, peak.column), marks)
    best = 0.0
    for other in beside:
        for place in other.peaks[:MOST_PLACES]:
            depth = depth_of(other, (place.row, place.column), marks)
            near = 1.0
            if spread_mm is not None and own is not None and depth is not None:
                near = exp(-0.5 * ((own - depth) / spread_mm) ** 2)
            best = max(best, near * place.score)
    return best


def _sensitivities(
    given: Sequence[ScanOutcome],
    base: Sequence[ScanOutcome],
    rate: float,
    resamples: int,
    *,
    by_breast: bool,
) -> tuple[Figure, Figure]:
    """Measure sensitivity of the given outcomes, and by how much it passes that of the base.

    By breast means by breast with a finding: found when any finding is found on any view.
    """
    one, other = judge(given), judge(base)
    every = np.ones(len(one.findings), dtype=bool)
    keys = [(o.patient_id, o.breast_id) for o in given]
    units = sorted(set(keys))
    unit_of = np.array([units.index(keys[scan]) for scan in one.finding_scans])
    first = np.array([keys.index(unit) for unit in units])

    def statistic(judged, weights):  # noqa: ANN001, ANN202 a local of few lines
        cuts = cut_scores(judged, rate, weights)
        if not by_breast:
            return sensitivity(judged, cuts, weights, every)
        best = _highest(judged.found_at, unit_of, len(units))
        drawn = weights[:, first]
        return (drawn * (best > cuts[:, None])).sum(axis=1) / drawn.sum(axis=1)

    def both(weights):  # noqa: ANN001, ANN202 a local of few lines
        own = statistic(one, weights)
        return np.stack([own, own - statistic(other, weights)], axis=1)

    draws = draw(both, one.patients, resamples, np.random.default_rng(0))
    counts = {"n": len(units) if by_breast else len(every), "n_patients": len(set(one.patients))}
    return tuple(
        figure_of(
            replace(
                draws,
                values=draws.values[i],
                samples=draws.samples[:, i],
                left_out=draws.left_out[:, i],
            ),
            **counts,
        )
        for i in range(2)
    )


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as the table of steps that the model's card takes."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["step", "figure", "value", "difference", "n (patients)", "decision"])
        for row in rows:
            used = "used" if row.difference is None else "left out"
            figure = row.figure
            writer.writerow(
                [
                    row.how,
                    row.what,
                    words(figure),
                    "" if row.difference is None else words(row.difference, "+"),
                    f"{figure.n} ({figure.n_patients})",
                    used,
                ]
            )


if __name__ == "__main__":
    main()
