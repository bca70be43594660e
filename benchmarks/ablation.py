"""What a choice in dense training gives, on scans that no network saw: docs/training/ablation.md.

Usage: python benchmarks/ablation.py train OUT [KEY=VALUE ...] --folds 0 1
       python benchmarks/ablation.py once RUN OUT
       python benchmarks/ablation.py table --csv FILE NAME=BASE_RUN=RUN=DECISION ...

`train` trains some folds of configs/default.toml with other settings, from the repository's root,
and goes on where it was broken off. `once` measures the networks of a whole default run again on
each scan as it is, not also upside down. `table` sets runs against each other on the folds that
both have, scan by scan: differences are paired and their intervals are over patients.
"""

import argparse
import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from mammoscope.archives.open import open_archive
from mammoscope.core.config import parse_toml, settings_from
from mammoscope.evaluation.froc import cut_scores, judge, sensitivity
from mammoscope.evaluation.intervals import Array, Draws, Figure, draw, figure_of
from mammoscope.evaluation.outcomes import ScanOutcome, outcome_from_json
from mammoscope.evaluation.roc import auc_statistic
from mammoscope.evaluation.units import units
from mammoscope.formats.files import write_atomic
from mammoscope.training import dense_run
from mammoscope.training.dense_data import DenseSample
from mammoscope.training.dense_task import outcome_of
from mammoscope.training.memory import keep_freed_memory
from mammoscope.training.run import settings_digest
from mammoscope.training.settings import DenseSettings

CONFIG = Path("configs/default.toml")
RATES = (0.25, 1.0)
HEADS = ("step", "figure", "value", "difference", "n (patients)", "decision")
RESAMPLES = 1000


def main() -> None:
    """Train folds, or write the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train")
    train.add_argument("out", type=Path)
    train.add_argument("--folds", type=int, nargs="+", default=[0, 1])
    train.add_argument("settings", nargs="*")
    once = commands.add_parser("once")
    once.add_argument("run", type=Path)
    once.add_argument("out", type=Path)
    table = commands.add_parser("table")
    table.add_argument("pairs", nargs="+", help="NAME=BASE_RUN=RUN=used|left out")
    table.add_argument("--csv", type=Path, required=True)
    asked = parser.parse_args()
    if asked.command == "train":
        train_folds(asked.out, asked.folds, asked.settings)
    elif asked.command == "once":
        measure_once(asked.run, asked.out)
    else:
        write_table(asked.csv, [row for pair in asked.pairs for row in rows_of(pair)])


def train_folds(out: Path, folds: Sequence[int], changes: Sequence[str]) -> None:
    """Train and measure folds of the default run with some settings changed."""
    keep_freed_memory()
    run = run_of(out, changes)
    samples = samples_of(run)
    fold_of = dense_run.folds_by_patient(samples, run.settings)
    for fold in folds:
        dense_run.fold_outcomes(run, samples, fold_of, fold)


def measure_once(folder: Path, out: Path) -> None:
    """Measure the networks of the default run's folds on scans as they are only."""
    run = run_of(folder, ())
    samples = samples_of(run)
    fold_of = dense_run.folds_by_patient(samples, run.settings)
    as_it_is = replace(dense_run.OUTPUT, also_upside_down=False)
    for fold in range(run.settings.folds):
        apart = [one for one in samples if fold_of[one.scan.patient_id] == fold]
        rest = [one for one in samples if fold_of[one.scan.patient_id] != fold]
        # The networks are there already, so nothing is trained.
        network = dense_run.trained(run, rest, f"fold-{fold}", apart)
        outcomes = [outcome_of(network, as_it_is, sample) for sample in apart]
        (out / f"fold-{fold}").mkdir(parents=True, exist_ok=True)
        dense_run.store_outcomes(out / f"fold-{fold}" / "outcomes.json", outcomes, run.digest)


def run_of(folder: Path, changes: Sequence[str]) -> dense_run.DenseRun:
    """Describe the default run with some settings changed."""
    values = parse_toml(CONFIG.read_text("utf-8"), changes, source=str(CONFIG))
    settings = settings_from(values, DenseSettings, source=str(CONFIG))
    digest = settings_digest(settings)
    return dense_run.DenseRun(settings=settings, digest=digest, folder=folder, show=told)


def samples_of(run: dense_run.DenseRun) -> list[DenseSample]:
    """Prepare the scans that the run is trained on."""
    archive = open_archive(run.settings.archive.name, Path(run.settings.archive.folder))
    return dense_run.samples_of(archive.scans(), run, "scans of the archive")


@contextmanager
def told(_total: int, title: str) -> Iterator[Callable[[str], None]]:
    """Name what is under way."""
    print(title, flush=True)
    yield lambda _text: None


def rows_of(pair: str) -> list[list[str]]:
    """Make the rows of one comparison."""
    name, base, changed, decision = pair.split("=")
    one, other = shared(outcomes_of(Path(base)), outcomes_of(Path(changed)))
    print(f"{name}: {len(one)} scans")
    rows = []
    for figure, statistic in statistics().items():
        own, away = measured(statistic, one, other)
        value, difference = words(own), words(away, "+")
        print(f"  {figure:44s} {value}  {difference}")
        counts = f"{len(one)} ({own.n_patients})"
        rows.append([name, figure, value, difference, counts, decision])
    return rows


def outcomes_of(run: Path) -> dict[str, ScanOutcome]:
    """Read the outcomes of all folds that a run has, by scan."""
    found = {}
    for path in sorted(run.glob("fold-*/outcomes.json")):
        for row in json.loads(path.read_text("utf-8"))["outcomes"]:
            outcome = outcome_from_json(row)
            found[outcome.scan_id] = outcome
    if not found:
        raise SystemExit(f"{run}: no fold of it is finished")
    return found


def shared(
    one: dict[str, ScanOutcome], other: dict[str, ScanOutcome]
) -> tuple[list[ScanOutcome], list[ScanOutcome]]:
    """Keep the scans of both, in one order."""
    keys = sorted(set(one) & set(other))
    return [one[key] for key in keys], [other[key] for key in keys]


Statistic = Callable[[Array], Array]
Maker = Callable[[Sequence[ScanOutcome]], Statistic]


def statistics() -> dict[str, Maker]:
    """Name the figures that are compared."""
    figures: dict[str, Maker] = {
        f"sensitivity at {rate:g} false positives a scan": sensitivity_at(rate) for rate in RATES
    }
    figures["AUC malignant or benign, by scan"] = auc_by(lambda outcome: outcome.scan_id)
    figures["AUC malignant or benign, by breast"] = auc_by(lambda outcome: outcome.breast_id)
    return figures


def sensitivity_at(rate: float) -> Maker:
    """Make the statistic of sensitivity at a rate of false positives."""

    def make(outcomes: Sequence[ScanOutcome]) -> Statistic:
        judged = judge(outcomes)
        every = np.ones(len(judged.findings), dtype=bool)
        return lambda weights: sensitivity(
            judged, cut_scores(judged, rate, weights), weights, every
        )

    return make


def auc_by(key: Callable[[ScanOutcome], str]) -> Maker:
    """Make the statistic of malignant against benign; weights are those of scans."""

    def make(outcomes: Sequence[ScanOutcome]) -> Statistic:
        joined = units(outcomes, key)
        # Units come in the order in which their first scan does; a patient's scans weigh alike.
        seen: dict[tuple[str, str], int] = {}
        for place, outcome in enumerate(outcomes):
            seen.setdefault((outcome.patient_id, key(outcome)), place)
        first = np.array(list(seen.values()))
        area = auc_statistic(
            [unit.malignancy for unit in joined], [bool(unit.is_malignant) for unit in joined]
        )
        return lambda weights: area(weights[:, first])

    return make


def measured(
    maker: Maker, base: Sequence[ScanOutcome], changed: Sequence[ScanOutcome]
) -> tuple[Figure, Figure]:
    """Measure a figure of the changed run, and by how much it passes that of the base."""
    before, after = maker(base), maker(changed)

    def both(weights: Array) -> Array:
        own = after(weights)
        return np.stack([own, own - before(weights)], axis=1)

    patients = [outcome.patient_id for outcome in base]
    draws = draw(both, patients, RESAMPLES, np.random.default_rng(0))
    one, other = (
        figure_of(
            Draws(draws.values[i], draws.samples[:, i], draws.left_out[:, i]),
            n=len(base),
            n_patients=len(set(patients)),
        )
        for i in range(2)
    )
    return one, other


def words(figure: Figure, sign: str = "") -> str:
    """Write a figure with its interval."""
    return f"{figure.value:{sign}.3f} ({figure.low:{sign}.3f} to {figure.high:{sign}.3f})"


def write_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write the rows as the table of steps that the model's card takes."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([HEADS, *rows])
    write_atomic(path, stream.getvalue())


if __name__ == "__main__":
    main()
