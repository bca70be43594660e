"""Scores a scan or tile in a table (CSV), whoever made them: read, checked, and written.

Columns: `scan_id` (or `file`, `id`), `patient_id`, `score` in [0, 1], `truth` (0 or 1). A table of
tiles has `tile_id` besides. `breast_id`, or `laterality` with or without `exam_id`, joins scans to
breasts; columns that begin with `p_` are probabilities of classes, the first of them normal, with
the true class in `label`. Every other column of few values divides the scans into strata.
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import AnnotationError, CorruptFileError, LayoutError, MissingFileError
from mammoscope.evaluation.five_class import MOST_OFF_ONE
from mammoscope.evaluation.intervals import Array
from mammoscope.evaluation.metrics import Mask
from mammoscope.evaluation.outcomes import ScanOutcome

NAMES_OF_ID = ("scan_id", "file", "id")
TILE, PATIENT, SCORE, TRUTH = "tile_id", "patient_id", "score", "truth"
BREAST, LATERALITY, EXAM, LABEL = "breast_id", "laterality", "exam_id", "label"
CHANCE = "p_"
TRUTHS = {"1": True, "true": True, "0": False, "false": False}
OTHER_MARKS = {";": "semicolons", "\t": "tabs", "|": "bars"}
MOST_VALUES = 20
"""A column of more different values than this is no stratum."""

Row = tuple[int, Mapping[str, str]]
"""The number of a line, and its cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """One score for each unit, a scan or a tile, beside its truth.

    Attributes
    ----------
    source : the file that they were read from
    digest : its SHA-256
    ids, patients : of each unit; an id occurs once
    scores : ndarray of shape (units,) in [0, 1]
    truth : ndarray of shape (units,), bool
    lines : line of the file that each unit stands in
    scans : scan of each tile; None where the units are scans
    breasts : breast of each unit; None where the table does not say
    strata : name -> value of each unit, "" where it has none
    classes : names of classes, the first normal; empty where the table has no probabilities
    probabilities : ndarray of shape (units, classes) in [0, 1], or None
    labels : ndarray of shape (units,), place of the true class in `classes`, or None
    ignored : columns that nothing was made of, as they have more than 20 values
    """

    source: Path
    digest: str
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    scores: Array
    truth: Mask
    lines: tuple[int, ...]
    scans: tuple[str, ...] | None = None
    breasts: tuple[str, ...] | None = None
    strata: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    classes: tuple[str, ...] = ()
    probabilities: Array | None = None
    labels: NDArray[np.intp] | None = None
    ignored: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """What one row is: "tile" or "scan"."""
        return "scan" if self.scans is None else "tile"


def read_scores(path: str | Path) -> Scores:
    """Read a table of scores.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is no table of comma-separated text.
    LayoutError
        When it has no row, or lacks a column.
    AnnotationError
        When a row lacks an id or a patient, its score is no number in [0, 1], its truth neither 0
        nor 1, its unit stands in another row too, a scan has two patients, or its probabilities are
        none; names the line.
    """
    table = Path(path)
    if not table.is_file():
        raise MissingFileError(f"{table}: there is no such file; check the path.")
    return parse_scores(table.read_bytes(), table)


def parse_scores(content: bytes, table: Path) -> Scores:
    """Read a table of scores out of its bytes.

    Parameters
    ----------
    content : of the file
    table : what the table is called in messages

    Raises
    ------
    CorruptFileError, LayoutError, AnnotationError
        As `read_scores`.
    """
    columns, rows = _read(content, table)
    key = _key(table, columns)
    parsed = [_parsed(table, row, (TILE if TILE in columns else key)) for row in rows]
    ids = tuple(one[0] for one in parsed)
    lines = tuple(line for line, _ in rows)
    _check_once(table, ids, lines)
    scans = _cells(rows, key) if TILE in columns else None
    breasts = _breasts(columns, rows)
    patients = tuple(one[1] for one in parsed)
    _check_one_patient(table, scans, patients, lines)
    known = {key, TILE, PATIENT, SCORE, TRUTH, BREAST, LATERALITY, EXAM, LABEL}
    others = [c for c in columns if c and c not in known and not c.startswith(CHANCE)]
    strata = {name: _cells(rows, name) for name in (*others, *_sides(columns))}
    ignored = tuple(name for name, its in strata.items() if len(set(its)) > MOST_VALUES)
    classes = tuple(c.removeprefix(CHANCE) for c in columns if c.startswith(CHANCE))
    probabilities, labels = _classes(table, rows, classes)
    return Scores(
        source=table,
        digest=hashlib.sha256(content).hexdigest(),
        ids=ids,
        patients=patients,
        scores=np.array([one[2] for one in parsed], dtype=np.float64),
        truth=np.array([one[3] for one in parsed], dtype=bool),
        lines=lines,
        scans=scans,
        breasts=breasts,
        strata=MappingProxyType({k: v for k, v in strata.items() if k not in ignored}),
        classes=classes,
        probabilities=probabilities,
        labels=labels,
        ignored=ignored,
    )


def check_both_classes(scores: Scores) -> None:
    """Check that there are units of both truths.

    Raises
    ------
    AnnotationError
        When all are of one: no figure of one class against the other can be had.
    """
    if scores.truth.all() or not scores.truth.any():
        only, other = (1, 0) if scores.truth.all() else (0, 1)
        raise AnnotationError(
            f"{scores.source}: all {len(scores.ids)} rows have the truth {only}; add "
            f"{scores.unit}s of the truth {other}, since figures set one class against the other."
        )


def check_known(scores: Scores, patients: frozenset[str], whose: str) -> None:
    """Check that every patient is one of those who are known.

    Parameters
    ----------
    whose : what knows the patients, for the message

    Raises
    ------
    AnnotationError
        When one is not; names the first such line.
    """
    strange = [i for i, patient in enumerate(scores.patients) if patient not in patients]
    if strange:
        first = strange[0]
        more = f" (and {len(strange) - 1} rows more)" if len(strange) > 1 else ""
        raise AnnotationError(
            f"{scores.source}, line {scores.lines[first]}: {whose} does not know the patient "
            f"{scores.patients[first]}{more}; name patients as it does, or leave them out."
        )


def scores_text(outcomes: Sequence[ScanOutcome], *, malignant: bool = False) -> str | None:
    """Return a model's scores as the text of such a table, None where no scan has the truth.

    Parameters
    ----------
    malignant : the malignancy of scans with a proven finding, against malignant or benign; else
        the lesion score of scans that are known to have findings or none
    """
    said = [
        (o, o.malignancy if malignant else o.score, o.is_malignant if malignant else o.has_finding)
        for o in outcomes
    ]
    rows = [(o, score, truth) for o, score, truth in said if truth is not None]
    if not rows:
        return None
    names = sorted({name for o, _, _ in rows for name in o.strata})
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["scan_id", PATIENT, BREAST, EXAM, SCORE, TRUTH, *names])
    for o, score, truth in rows:
        strata = [o.strata.get(name, "") for name in names]
        whose = (o.scan_id, o.patient_id, o.breast_id, o.exam_id)
        writer.writerow([*whose, repr(float(score)), int(truth), *strata])
    return stream.getvalue()


def _read(content: bytes, table: Path) -> tuple[list[str], list[Row]]:
    """Return a table's columns and its rows."""
    try:
        text = content.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = [_row(table, reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorruptFileError(
            f"{table}: this is no table of comma-separated text ({error}); give a CSV file."
        ) from error
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise LayoutError(f"{table}: the column {min(twice)!r} is there twice; keep one of them.")
    return columns, rows


def _row(table: Path, line: int, cells: Mapping[str | None, str | list[str] | None]) -> Row:
    if None in cells:
        # A decimal comma would else shift the truth into the score's place.
        raise LayoutError(
            f"{table}, line {line}: it has more cells than the table has columns; write decimals "
            "with a point, and put text that has commas in quotes."
        )
    return line, {key: str(cell or "").strip() for key, cell in cells.items() if key is not None}


def _key(table: Path, columns: Sequence[str]) -> str:
    """Return the column of the scan's id; check that all are there that must be."""
    key = next((name for name in NAMES_OF_ID if name in columns), None)
    missing = [name for name in (PATIENT, SCORE, TRUTH) if name not in columns]
    if not columns:
        raise LayoutError(f"{table}: the file is empty; a table of scores has a line of columns.")
    if len(columns) == 1 and (mark := next((m for m in OTHER_MARKS if m in columns[0]), None)):
        raise LayoutError(
            f"{table}: its cells are parted by {OTHER_MARKS[mark]}; part them by commas, and write "
            "decimals with a point."
        )
    if key is None or missing:
        wanted = [*([] if key else ["scan_id"]), *missing]
        raise LayoutError(
            f"{table}: there is no column {', '.join(wanted)}; a table of scores has scan_id, "
            "patient_id, score and truth."
        )
    return key


def _parsed(table: Path, row: Row, key: str) -> tuple[str, str, float, bool]:
    line, cells = row
    where = f"{table}, line {line}"
    unit, patient, said, truth = (cells[name] for name in (key, PATIENT, SCORE, TRUTH))
    if not unit or not patient:
        what = "tile" if key == TILE else "scan"
        raise AnnotationError(f"{where}: the {what} or its patient is not named; fill both in.")
    score = _number(said)
    if not 0 <= score <= 1:
        raise AnnotationError(
            f"{where}: the score {said!r} of {unit} is no number from 0 to 1; mend it."
        )
    if truth.lower() not in TRUTHS:
        raise AnnotationError(
            f"{where}: the truth {truth!r} of {unit} is neither 0 nor 1; leave out what has no "
            "truth."
        )
    return unit, patient, score, TRUTHS[truth.lower()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _check_once(table: Path, ids: Sequence[str], lines: Sequence[int]) -> None:
    if not ids:
        raise LayoutError(f"{table}: the table holds no scan; give one row a scan.")
    first: dict[str, int] = {}
    for unit, line in zip(ids, lines, strict=True):
        if unit in first:
            raise AnnotationError(
                f"{table}, line {line}: {unit} is given {ids.count(unit)} times, first in line "
                f"{first[unit]}; keep one row for each."
            )
        first[unit] = line


def _check_one_patient(
    table: Path, wholes: Sequence[str] | None, patients: Sequence[str], lines: Sequence[int]
) -> None:
    owner: dict[str, str] = {}
    for whole, patient, line in zip(wholes or (), patients, lines, strict=False):
        if owner.setdefault(whole, patient) != patient:
            raise AnnotationError(
                f"{table}, line {line}: {whole} is of the patient {patient} here and of "
                f"{owner[whole]} above; a scan is of one patient."
            )


def _cells(rows: Sequence[Row], name: str) -> tuple[str, ...]:
    return tuple(cells[name] for _, cells in rows)


def _sides(columns: Sequence[str]) -> tuple[str, ...]:
    return (LATERALITY,) if LATERALITY in columns else ()


def _breasts(columns: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...] | None:
    if BREAST in columns:
        names = [BREAST]
    elif LATERALITY in columns:
        names = [name for name in (EXAM, LATERALITY) if name in columns]
    else:
        return None
    # A breast that is not named cannot be joined with another.
    whole = [tuple(cells[name] for name in names) for _, cells in rows]
    return tuple("/".join(its) if its[-1] else f"line {i}" for i, its in enumerate(whole))


def _classes(
    table: Path, rows: Sequence[Row], classes: Sequence[str]
) -> tuple[Array | None, NDArray[np.intp] | None]:
    if not classes:
        return None, None
    if len(classes) < 2 or any(LABEL not in cells for _, cells in rows):
        raise LayoutError(
            f"{table}: probabilities of classes need two columns p_NAME or more, the first "
            "of them of normal, and the true class in the column label."
        )
    chances, labels = [], []
    for line, cells in rows:
        chance = [_number(cells[CHANCE + name]) for name in classes]
        if not all(0 <= one <= 1 for one in chance) or abs(sum(chance) - 1) > MOST_OFF_ONE:
            raise AnnotationError(
                f"{table}, line {line}: the probabilities {chance} are not numbers from 0 to 1 "
                "that add up to 1; mend them."
            )
        if cells[LABEL] not in classes:
            raise AnnotationError(
                f"{table}, line {line}: the label {cells[LABEL]!r} is none of the classes "
                f"{', '.join(classes)}; name it as the columns do."
            )
        place = list(classes).index(cells[LABEL])
        if (place > 0) != TRUTHS[cells[TRUTH].lower()]:
            raise AnnotationError(
                f"{table}, line {line}: the label {cells[LABEL]!r} and the truth {cells[TRUTH]} do "
                f"not agree: the first class, {classes[0]}, is 0 and every other 1."
            )
        chances.append(chance)
        labels.append(place)
    return np.array(chances, dtype=np.float64), np.array(labels, dtype=np.intp)
