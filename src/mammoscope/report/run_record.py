"""What a page shows of a run, gathered from the run's folder or from TensorBoard's event files."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.core.errors import CorruptFileError, MammoscopeError, MissingFileError
from mammoscope.formats.one_line import one_line
from mammoscope.formats.tf_events import Events, Picture, PrCurve, event_files, read_events

TRAIN, VALIDATION = "train", "validation"
TABLE, HISTORY, ALARMS, SETTINGS = "log.parquet", "history.json", "alarms.json", "settings.json"
KERNELS, WORST = "train/kernels", "validation/worst_tiles"
_GROUPS = {
    "tr": TRAIN,
    "train": TRAIN,
    "te": VALIDATION,
    "test": VALIDATION,
    "val": VALIDATION,
    "validation": VALIDATION,
}
_NAMES = {"recall_1": "recall", "precision_1": "precision", "f1_score": "f1"}
"""Tags of the paper's scripts."""
APART = 5
"""Steps of training and validation that end so many times apart were not counted together."""
MANY_POINTS = 80
"""A curve of more points than this is drawn pale, with its running mean over it."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A figure over a run: `x` in epochs or steps, as the run's `unit` says; both (points,)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alarm, from its first epoch to its last without a gap."""

    sentence: str
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as its page shows it.

    Attributes
    ----------
    unit : what the curves' `x` counts, "epoch" or "step"
    curves : by group ("train" or "validation") and name
    traces : the same figures between the epochs, where they were logged
    baselines : share of the commonest class by group; accuracy of always guessing it
    pr_curves : the last one of each, by name
    settings : name and value
    problems : sentences about what could not be read or is to be doubted
    """

    name: str
    unit: str
    curves: Mapping[Key, Curve]
    traces: Mapping[Key, Curve] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    pr_curves: Mapping[str, PrCurve] = field(default_factory=dict)
    kernels: Picture | None = None
    worst: Picture | None = None
    alarms: tuple[Told, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()

    def end_of(self, group: str) -> float:
        """Give the last `x` of a group's curves; 0 where it has none."""
        curves = [curve for (one, _), curve in self.curves.items() if one == group]
        return max((float(curve.x[-1]) for curve in curves if len(curve.x)), default=0.0)

    @property
    def are_apart(self) -> bool:
        """Whether training and validation seem to count steps each in their own way."""
        low, high = sorted((self.end_of(TRAIN), self.end_of(VALIDATION)))
        return self.unit == "step" and 0 < APART * low < high


def load_runs(paths: Iterable[str | Path]) -> list[RunRecord]:
    """Load run folders, event files and folders of event files.

    Event files whose names differ in ``tr_`` and ``te_`` alone, as the paper's scripts wrote
    them, are training and validation of one run.

    Raises
    ------
    MissingFileError
        When there is nothing at a path, or nothing of a run in a folder.
    FormatError
        When a file is damaged or of another kind.
    """
    records: list[RunRecord] = []
    loose: dict[str, list[tuple[str, list[Path]]]] = {}
    for path in map(Path, paths):
        folder = _run_folder(path)
        if folder is not None:
            records.append(load_folder(folder, name=path.resolve().name))
            continue
        group, name = _said(path)
        loose.setdefault(name, []).append((group, _events_below(path)))
    return records + [load_events(name, parts) for name, parts in loose.items()]


def load_folder(folder: Path, name: str) -> RunRecord:
    """Load the folder of a run as mammoscope writes it.

    Raises
    ------
    CorruptFileError
        When a file of it is damaged.
    """
    history, table = _read_json(folder / HISTORY, []), _read_table(folder / TABLE)
    length = _steps_per_epoch(table, len(history))
    # Before the first epoch is over, what was logged between epochs is all there is.
    curves = _history_curves(history) if history else _table_curves(table, 1.0)
    traces = _table_curves(table, 1 / length) if length else {}
    events, problems = _events_of(folder)
    pr_curves = _last_pr(events)
    return RunRecord(
        name=name,
        unit="epoch" if history else "step",
        curves=curves,
        traces={key: curve for key, curve in traces.items() if key[0] == TRAIN},
        baselines=_last_baselines(curves) or _pr_baselines(pr_curves),
        pr_curves=pr_curves,
        kernels=_last(events.pictures.get(KERNELS)),
        worst=_last(events.pictures.get(WORST)),
        alarms=_told(_read_json(folder / ALARMS, []), folder / ALARMS),
        settings=tuple(_flat(_read_json(folder / SETTINGS, {}))),
        problems=(*events.problems, *problems),
    )


def load_events(name: str, parts: Sequence[tuple[str, Sequence[Path]]]) -> RunRecord:
    """Load a run from event files alone.

    Parameters
    ----------
    parts : group and event files; a tag such as "train/loss" says its group itself

    Raises
    ------
    FormatError
        When a file is damaged from its first record on, or is no event file.
    """
    curves: dict[Key, Curve] = {}
    pr_curves: dict[str, PrCurve] = {}
    pictures: dict[str, Picture] = {}
    problems: list[str] = []
    for group, files in parts:
        events = read_events(files)
        problems += events.problems
        for tag, series in events.scalars.items():
            key = _key_of(tag, group)
            curves[key] = Curve(series.steps.astype(np.float64), series.values)
        for tag, curve in _last_pr(events).items():
            pr_curves[tag if len(parts) == 1 else f"{group}: {tag}"] = curve
        pictures |= {tag: those[-1] for tag, those in events.pictures.items()}
    kernels = [one for tag, one in sorted(pictures.items()) if "kernel" in tag.lower()]
    record = RunRecord(
        name=name,
        unit="step",
        curves=curves,
        baselines=_last_baselines(curves) or _pr_baselines(pr_curves),
        pr_curves=pr_curves,
        kernels=_last(kernels),
        worst=pictures.get(WORST),
        problems=tuple(problems),
    )
    return replace(record, problems=(*problems, *_counted_apart(record)))


def running_mean(curve: Curve) -> Curve:
    """Average each point with its neighbours, a fortieth of the curve in all.

    At the ends the neighbours on one side are fewer, and the mean is of those that are there.
    """
    width = max(1, len(curve.y) // 40) | 1
    known = np.isfinite(curve.y)
    window = np.ones(width)
    sums = np.convolve(np.where(known, curve.y, 0.0), window, mode="same")
    counts = np.convolve(known.astype(np.float64), window, mode="same")
    means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0.5)
    return Curve(curve.x, means)


def _run_folder(path: Path) -> Path | None:
    """Find where a run's own files lie: in the folder itself, or in ``run`` below it."""
    for folder in (path, path / "run"):
        if (folder / HISTORY).is_file() or (folder / TABLE).is_file():
            return folder
    return None


def _events_below(path: Path) -> list[Path]:
    if not path.exists():
        raise MissingFileError(
            f"{path}: there is no such file or folder; give a run's folder or event files."
        )
    if not path.is_dir():
        return event_files(path)
    found = sorted(one for one in path.rglob("*tfevents*") if one.is_file())
    if not found:
        raise MissingFileError(
            f"{path}: the folder holds neither a run ({HISTORY} or {TABLE}) nor event files; "
            "give the folder that was named with --out, or event files."
        )
    if len({one.parent for one in found}) > 1:
        raise MissingFileError(
            f"{path}: event files lie in several folders below it; give each of these folders."
        )
    return found


def _said(path: Path) -> tuple[str, str]:
    """Take group and name of a run from a path, such as tr_NAME_events.out.tfevents.1.HOST."""
    stem = re.sub(r"[._]?events\.out\.tfevents.*$", "", path.name)
    if not stem:
        stem = path.resolve().parent.name
    prefix, _, rest = stem.partition("_")
    if rest and prefix in _GROUPS:
        return _GROUPS[prefix], rest
    return TRAIN, stem


def _key_of(tag: str, group: str) -> Key:
    first, _, rest = tag.partition("/")
    if rest and first in _GROUPS:
        group, tag = _GROUPS[first], rest
    return group, _NAMES.get(tag, tag)


def _events_of(folder: Path) -> tuple[Events, list[str]]:
    """Read the run's own event files; a page without their pictures is better than no page."""
    files = sorted((folder / "tensorboard").glob("*tfevents*"))
    try:
        return read_events(files), []
    except MammoscopeError as error:
        return Events({}, {}, {}, ()), [str(error)]


def _read_json(path: Path, nothing: Any) -> Any:
    if not path.is_file():
        return nothing
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CorruptFileError(
            f"{path}: the file is not JSON ({one_line(error)}); get it again or remove it."
        ) from error
    if not isinstance(content, type(nothing)):
        raise CorruptFileError(
            f"{path}: it should hold a {type(nothing).__name__}, not a "
            f"{type(content).__name__}; get it again or remove it."
        )
    if isinstance(content, list) and not all(isinstance(row, dict) for row in content):
        raise CorruptFileError(f"{path}: its rows are no records; get it again or remove it.")
    return content


def _read_table(path: Path) -> pl.DataFrame:
    schema = pl.Schema(
        {"step": pl.Int64(), "group": pl.String(), "name": pl.String(), "value": pl.Float64()}
    )
    if not path.is_file():
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_parquet(path).select(schema.names()).cast(schema)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise CorruptFileError(
            f"{path}: the table of figures cannot be read ({one_line(error)}); get it again or "
            "remove it."
        ) from error


def _history_curves(history: Sequence[Mapping[str, Any]]) -> dict[Key, Curve]:
    """Curves over epochs; what a row lacks or holds as null is not a number there."""
    names = dict.fromkeys(name for row in history for name in row if name != "epoch")
    x = np.array([_number(row.get("epoch"), n) for n, row in enumerate(history, start=1)])
    curves = {}
    for name in names:
        y = np.array([_number(row.get(name), math.nan) for row in history], dtype=np.float64)
        is_val = name.startswith("val_")
        key = (VALIDATION, name.removeprefix("val_")) if is_val else (TRAIN, name)
        curves[key] = Curve(x, y)
    return curves


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else float(otherwise)


def _steps_per_epoch(table: pl.DataFrame, epochs: int) -> float | None:
    """Tell how many steps an epoch has: validation is logged at the end of each."""
    steps = table.filter(pl.col("group") == VALIDATION)["step"].unique().sort()
    return int(steps[-1]) / epochs if epochs and len(steps) == epochs else None


def _table_curves(table: pl.DataFrame, scale: float) -> dict[Key, Curve]:
    curves = {}
    for (group, name), part in table.sort("step").group_by("group", "name", maintain_order=True):
        x = part["step"].to_numpy().astype(np.float64) * scale
        curves[str(group), str(name)] = Curve(x, part["value"].to_numpy())
    return curves


def _last_baselines(curves: Mapping[Key, Curve]) -> dict[str, float]:
    found = {}
    for group in (TRAIN, VALIDATION):
        curve = curves.get((group, "majority"))
        if curve is not None and len(curve.y) and math.isfinite(curve.y[-1]):
            found[group] = float(curve.y[-1])
    return found


def _pr_baselines(pr_curves: Mapping[str, PrCurve]) -> dict[str, float]:
    """Take the commonest class from a PR curve's counts: at any threshold they add up to it."""
    for curve in pr_curves.values():
        positive = float(curve.counts[0, 0] + curve.counts[3, 0])
        whole = float(curve.counts[:, 0].sum())
        if whole > 0:
            return {VALIDATION: max(positive, whole - positive) / whole}
    return {}


def _last_pr(events: Events) -> dict[str, PrCurve]:
    return {tag: curves[-1] for tag, curves in events.pr_curves.items()}


def _last(pictures: Sequence[Picture] | None) -> Picture | None:
    return pictures[-1] if pictures else None


def _told(rows: Sequence[Mapping[str, Any]], path: Path) -> tuple[Told, ...]:
    """Join the alarms of epochs that follow each other to one each, in the order of beginning."""
    open_at: dict[str, int] = {}
    told: list[Told] = []
    try:
        for row in rows:
            sentence, epoch = f"{row['kind']}: {row['sentence']}", row["epoch"]
            kind = str(row["kind"])
            place = open_at.get(kind)
            before = None if place is None else told[place].last
            if place is not None and before is not None and epoch in (before, before + 1):
                told[place] = Told(sentence=sentence, first=told[place].first, last=epoch)
            else:
                open_at[kind] = len(told)
                told.append(Told(sentence=sentence, first=epoch, last=epoch))
    except (KeyError, TypeError) as error:
        raise CorruptFileError(
            f"{path}: an alarm lacks its kind, sentence or epoch; remove the file to go on."
        ) from error
    return tuple(told)


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Lay nested settings out as "optimiser.learning_rate" and its value."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            rows.append((f"{before}{key}", text))
    return rows


def _counted_apart(record: RunRecord) -> tuple[str, ...]:
    if not record.are_apart:
        return ()
    return (
        f"Steps of training end at {record.end_of(TRAIN):.0f} and those of validation at "
        f"{record.end_of(VALIDATION):.0f}: the two were counted apart, so each has its own scale.",
    )
