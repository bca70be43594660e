"""`mammoscope compare`: two or more sets of scores set against each other."""

import csv
import json
from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import busy, print_table, tell
from mammoscope.core.errors import (
    AnnotationError,
    BadValueError,
    CorruptFileError,
    LayoutError,
    MissingFileError,
)

if TYPE_CHECKING:
    from mammoscope.evaluation.compare import Comparison, Pair
    from mammoscope.evaluation.differences import Scored

SCORES = "scores.csv"
EVALUATION = "evaluation.json"
TRUTHS = {"1": True, "true": True, "0": False, "false": False}
NAMES_OF_ID = ("scan_id", "file", "id")


def compare(
    sets: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B [...]",
            help="Folders of evaluations, their evaluation.json, or tables of scores (CSV).",
        ),
    ],
    threshold: Annotated[
        list[float] | None,
        typer.Option(
            metavar="T",
            help="A scan is called positive at a score of at least T: once, or once for each set. "
            "[default: 0.5]",
        ),
    ] = None,
    json_to: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Write all there; '-' prints it alone."),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=40, help="Resamples of the bootstrap over patients.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Compare models: differences with intervals, and p values corrected for their number.

    Sets of the same scans are compared scan by scan. Where the scans are not the same, that is
    refused and said, and the sets are compared as those of strangers.
    """
    from mammoscope.evaluation.compare import compare as compare_sets

    thresholds = _thresholds(threshold, len(sets))
    names = _names(sets)
    read = [_read(*given) for given in zip(sets, names, thresholds, strict=True)]
    with busy("comparing"):
        found = compare_sets(read, resamples=resamples, seed=seed)
    text = json.dumps(found.to_json() | _told(read, resamples, seed), indent=1, allow_nan=False)
    if json_to == "-":
        print(text)
        return
    if json_to is not None:
        from mammoscope.formats.files import write_atomic

        write_atomic(Path(json_to), text + "\n")
    _print(found)


def _thresholds(given: Sequence[float] | None, n_sets: int) -> list[float]:
    if n_sets < 2:
        raise BadValueError("A comparison needs two sets of scores or more; name another.")
    thresholds = list(given or [0.5])
    if not all(isfinite(value) for value in thresholds):
        raise BadValueError("--threshold must be a finite number.")
    if len(thresholds) not in (1, n_sets):
        raise BadValueError(
            f"--threshold is given {len(thresholds)} times for {n_sets} sets; give it once, or "
            "once for each."
        )
    return thresholds * n_sets if len(thresholds) == 1 else thresholds


def _names(paths: Sequence[Path]) -> list[str]:
    """Name each set by its folder or file, by its whole path where two would be alike."""
    short = [_short_name(path) for path in paths]
    names = [
        name if name and short.count(name) == 1 else str(path)
        for name, path in zip(short, paths, strict=True)
    ]
    if len(set(names)) != len(names):
        raise BadValueError("A set of scores is named twice; name each once.")
    return names


def _short_name(path: Path) -> str:
    if path.name in (EVALUATION, SCORES):
        return path.absolute().parent.name
    return path.absolute().name if path.is_dir() else path.stem


def _read(path: Path, name: str, threshold: float) -> "Scored":
    import numpy as np

    from mammoscope.evaluation.differences import Scored

    table = _table(path)
    rows = _rows(table)
    ids = [row[0] for row in rows]
    twice = {key for key in ids if ids.count(key) > 1} if len(set(ids)) < len(ids) else set()
    if twice:
        raise AnnotationError(
            f"{table}: {min(twice)} is given {ids.count(min(twice))} times; keep one row a scan."
        )
    return Scored(
        name=name,
        ids=tuple(ids),
        patients=tuple(row[1] for row in rows),
        scores=np.array([row[2] for row in rows], dtype=np.float64),
        truth=np.array([row[3] for row in rows], dtype=bool),
        threshold=threshold,
    )


def _table(path: Path) -> Path:
    """Return the table of scores that a path stands for."""
    if not path.exists():
        raise MissingFileError(f"{path}: there is no such file or folder; check the path.")
    if path.is_file() and path.name != EVALUATION:
        return path
    table = (path if path.is_dir() else path.parent) / SCORES
    if not table.is_file():
        raise LayoutError(
            f"{path}: there is no {SCORES} in this folder; name a folder that evaluate wrote, or a "
            "table of scores."
        )
    return table


def _rows(table: Path) -> list[tuple[str, str, float, bool]]:
    """Read scan, patient, score and truth of each row."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = _columns(table, reader.fieldnames or ())
            rows = [_row(table, reader.line_num, row, columns) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorruptFileError(
            f"{table}: this is no table of comma-separated text ({error}); give a CSV file."
        ) from error
    if not rows:
        raise LayoutError(f"{table}: the table holds no scan; give one row a scan.")
    return rows


def _columns(table: Path, given: Sequence[str]) -> tuple[str, str, str, str]:
    key = next((name for name in NAMES_OF_ID if name in given), None)
    missing = [name for name in ("patient_id", "score", "truth") if name not in given]
    if key is None or missing:
        wanted = [*([] if key else ["scan_id"]), *missing]
        raise LayoutError(
            f"{table}: there is no column {', '.join(wanted)}; a table of scores has scan_id, "
            "patient_id, score and truth."
        )
    return key, "patient_id", "score", "truth"


def _row(
    table: Path, line: int, row: Mapping[str, str], columns: tuple[str, str, str, str]
) -> tuple[str, str, float, bool]:
    key, patient, score, truth = ((row[name] or "").strip() for name in columns)
    where = f"{table}, line {line}"
    if not key or not patient:
        raise AnnotationError(f"{where}: the scan or its patient is not named; fill both in.")
    try:
        value = float(score)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:
        raise AnnotationError(f"{where}: the score {score!r} is no number from 0 to 1; mend it.")
    if truth.lower() not in TRUTHS:
        raise AnnotationError(
            f"{where}: the truth {truth!r} is neither 0 nor 1; leave out scans without a truth."
        )
    return key, patient, value, TRUTHS[truth.lower()]


def _told(read: "Sequence[Scored]", resamples: int, seed: int) -> dict[str, Any]:
    return {
        "sets": [
            {
                "name": one.name,
                "units": len(one.ids),
                "patients": len(set(one.patients)),
                "positive": int(one.truth.sum()),
                "threshold": one.threshold,
            }
            for one in read
        ],
        "resamples": resamples,
        "seed": seed,
    }


def _print(found: "Comparison") -> None:
    for number, pair in enumerate(found.pairs):
        how = "paired" if pair.paired else "NOT paired"
        print_table(
            f"{pair.a} against {pair.b}, {how}",
            ("figure", pair.a, pair.b, "difference (95 % interval)", "p", "Holm", "B-H"),
            _lines(found, number, pair),
        )
        if pair.why_unpaired is not None:
            tell(
                f"{pair.a} and {pair.b}: {pair.why_unpaired}; they were compared as strangers, "
                "which shows less."
            )
    print(
        f"{found.n_comparisons} comparisons; Holm and B-H (Benjamini-Hochberg) correct p values "
        "for all of them."
    )


def _lines(found: "Comparison", number: int, pair: "Pair") -> list[tuple[str, ...]]:
    lines = []
    for name, one in pair.figures.items():
        difference = _share(one.difference)
        if not isnan(one.low):
            difference += f" ({one.low:+.3f} to {one.high:+.3f})"
        elif one.warning:
            difference += f" ({one.warning})"
        p_values = (one.p_value, *found.corrected[number, name])
        told = (name.replace("_", " "), _share(one.a).lstrip("+"), _share(one.b).lstrip("+"))
        lines.append((*told, difference, *map(_p_value, p_values)))
    if pair.mcnemar is not None:
        test = pair.mcnemar
        p_values = (test.mid_p, *found.corrected[number, "mcnemar"])
        lines.append(
            (
                f"right calls by {pair.mcnemar_unit} (McNemar, mid-p)",
                f"{test.only_a} only",
                f"{test.only_b} only",
                f"of {test.n}",
                *map(_p_value, p_values),
            )
        )
    return lines


def _share(value: float) -> str:
    return "-" if isnan(value) else f"{value:+.3f}"


def _p_value(value: float) -> str:
    if isnan(value):
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
