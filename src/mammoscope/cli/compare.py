"""`mammoscope compare`: two or more sets of scores set against each other."""

import json
from collections.abc import Sequence
from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mammoscope.cli.console import busy, print_table, tell
from mammoscope.core.errors import BadValueError, LayoutError, MissingFileError

if TYPE_CHECKING:
    from mammoscope.evaluation.compare import Comparison, Pair
    from mammoscope.evaluation.differences import Scored

SCORES = "scores.csv"
EVALUATION = "evaluation.json"


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
    from mammoscope.evaluation.differences import Scored
    from mammoscope.evaluation.scores import read_scores

    read = read_scores(_table(path))
    return Scored(
        name=name,
        ids=read.ids,
        patients=read.patients,
        scores=read.scores,
        truth=read.truth,
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
