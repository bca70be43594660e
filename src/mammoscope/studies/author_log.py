"""The author's run log: every run he noted, his summary of 19 of them, and two smaller tables.

They are data files of his repository (model notes.xlsx, ddsm_results.csv, eval_results.csv,
Results.xlsx), which the user has; nothing of them comes with mammoscope. A workbook needs
python-calamine (extra ``studies``).
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mammoscope.core.errors import CorruptFileError, MissingDecoderError, MissingFileError
from mammoscope.formats.one_line import one_line

RUNS, SUMMARY, GRID, NEIGHBOURS = (
    "model_notes.xlsx",
    "ddsm_results.csv",
    "eval_results.csv",
    "Results.xlsx",
)
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    RUNS: ("Model", "Dataset", "Class", "Weight", "Epochs", "Test Acc", "Test Re", "MIAS Acc"),
    SUMMARY: ("Model", "Dataset", "Classification", "XE Weight", "Epochs", "Test Accuracy"),
    GRID: ("Threshold", "Contrast", "Test Acc", "Test Re", "MIAS Acc", "MIAS Re"),
    NEIGHBOURS: ("Model", "Layer", "Neighbors", "Distance", "Best Mean CV", "Test Accuracy"),
}
_SHEETS = {RUNS: "Results", NEIGHBOURS: "KNN - binary"}
_MODEL = re.compile(r"\d+\.\d+|vgg|inception", re.IGNORECASE)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """One stage of a run, as the author noted it; a model's stages follow each other.

    Attributes
    ----------
    model : name of the run
    recipe : number of the tile set, such as "9"
    binary : two classes; else five
    weight, epochs : of the abnormal classes in the loss; of this stage, or of all in the summary
    test_accuracy, test_recall, mias_accuracy, mias_recall : None where he left it out
    notes : his remark
    where : file and row
    """

    model: str
    recipe: str
    binary: bool
    weight: float | None
    epochs: float | None
    test_accuracy: float | None
    test_recall: float | None
    mias_accuracy: float | None
    mias_recall: float | None
    notes: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """A threshold and a contrast at which he evaluated network 2.0.0.35b.10."""

    threshold: float
    contrast: float
    test_accuracy: float
    test_recall: float
    mias_accuracy: float
    mias_recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedNeighbours:
    """A k-nearest-neighbours test on frozen features of MIAS."""

    network: str
    layer: str
    neighbours: int
    power: int
    validation: float
    accuracy: float
    recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorLog:
    """What the author's files say; a file that is not there gives an empty tuple.

    Attributes
    ----------
    runs : of model_notes.xlsx, sheet Results
    summary : of ddsm_results.csv
    grid : of eval_results.csv
    neighbours : of Results.xlsx
    missing : names of the files that are not there
    """

    runs: tuple[LoggedRun, ...]
    summary: tuple[LoggedRun, ...]
    grid: tuple[GridPoint, ...]
    neighbours: tuple[LoggedNeighbours, ...]
    missing: tuple[str, ...]

    def find(self, model: str) -> tuple[LoggedRun, ...]:
        """Return all that is said of a model: the log's stages, then the summary."""
        return tuple(run for run in (*self.runs, *self.summary) if run.model == model)


def read_author_log(folder: str | Path) -> AuthorLog:
    """Read the author's files in a folder.

    Raises
    ------
    MissingFileError
        When none of them is there.
    MissingDecoderError
        When a workbook is there and python-calamine is not.
    CorruptFileError
        When one cannot be read or lacks a column.
    """
    place = Path(folder)
    there = {name: (place / name).is_file() for name in _COLUMNS}
    if not any(there.values()):
        raise MissingFileError(
            f"{place}: none of the author's files is here ({', '.join(_COLUMNS)}); give the folder "
            "that holds them."
        )
    rows = {name: _rows(place / name) if there[name] else [] for name in _COLUMNS}
    return AuthorLog(
        runs=tuple(_runs(rows[RUNS], RUNS)),
        summary=tuple(_runs(rows[SUMMARY], SUMMARY)),
        grid=tuple(_points(place / GRID, rows[GRID])),
        neighbours=tuple(_neighbours(rows[NEIGHBOURS])),
        missing=tuple(name for name, is_there in there.items() if not is_there),
    )


def _runs(rows: Sequence[Row], name: str) -> Iterator[LoggedRun]:
    """Make records of the rows that name a model; others are headings and remarks."""
    for number, row in enumerate(rows, start=2):
        model = _text(row.get("Model"))
        if not _MODEL.match(model) or not _text(row.get("Dataset")):
            continue
        yield LoggedRun(
            model=model,
            recipe=_text(row["Dataset"]).removesuffix(".0"),
            binary=_text(row.get("Class", row.get("Classification"))).upper().startswith("B"),
            weight=_number(row.get("Weight", row.get("XE Weight"))),
            epochs=_number(row.get("Epochs")),
            test_accuracy=_number(row.get("Test Acc", row.get("Test Accuracy"))),
            test_recall=_number(row.get("Test Re", row.get("Test Recall"))),
            mias_accuracy=_number(row.get("MIAS Acc")),
            mias_recall=_number(row.get("MIAS Re", row.get("MIAS Recall"))),
            notes=_text(row.get("Notes")),
            where=f"{name}, row {number}",
        )


def _points(path: Path, rows: Sequence[Row]) -> Iterator[GridPoint]:
    for number, row in enumerate(rows, start=2):
        values = [_number(row[column]) for column in _COLUMNS[GRID]]
        known = [value for value in values if value is not None]
        if len(known) != len(values):
            raise CorruptFileError(
                f"{path}, row {number}: expected six numbers; get the file again."
            )
        yield GridPoint(
            threshold=known[0],
            contrast=known[1],
            test_accuracy=known[2],
            test_recall=known[3],
            mias_accuracy=known[4],
            mias_recall=known[5],
        )


def _neighbours(rows: Sequence[Row]) -> Iterator[LoggedNeighbours]:
    for row in rows:
        names = ("Neighbors", "Distance", "Best Mean CV", "Test Accuracy", "Test Recall")
        values = [_number(row.get(name)) for name in names]
        known = [value for value in values if value is not None]
        # Rows below the table hold remarks.
        if len(known) == len(values):
            yield LoggedNeighbours(
                network=_text(row["Model"]),
                layer=_text(row["Layer"]),
                neighbours=int(known[0]),
                power=int(known[1]),
                validation=known[2],
                accuracy=known[3],
                recall=known[4],
            )


def _rows(path: Path) -> list[dict[str, Any]]:
    """Read a table as a row a record, by the names in its first line."""
    lines = _sheet(path) if path.suffix == ".xlsx" else _csv(path)
    heading = [_text(cell) for cell in lines[0]] if lines else []
    lacking = [name for name in _COLUMNS[path.name] if name not in heading]
    if lacking:
        raise CorruptFileError(
            f"{path}: there is no column {lacking[0]!r}; get the author's own file again."
        )
    # Empty headings are the gaps between his groups of columns.
    return [
        {name: cell for name, cell in zip(heading, line, strict=False) if name}
        for line in lines[1:]
    ]


def _csv(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptFileError(
            f"{path}: cannot be read ({one_line(error)}); get the file again."
        ) from error
    return list(csv.reader(text.splitlines()))


def _sheet(path: Path) -> list[list[Any]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise MissingDecoderError(
            f"{path}: workbooks need python-calamine, which is missing; install it with: "
            "pip install 'mammoscope[studies]'"
        ) from error
    try:
        return CalamineWorkbook.from_path(path).get_sheet_by_name(_SHEETS[path.name]).to_python()
    except (CalamineError, OSError, ValueError) as error:
        raise CorruptFileError(
            f"{path}: cannot be read ({one_line(error)}); get the file again."
        ) from error


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _number(value: object) -> float | None:
    try:
        return float(_text(value))
    except ValueError:
        return None
