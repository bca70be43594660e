"""Patients who were trained on, and whether any of them is measured as well."""

import csv
from collections.abc import Iterable
from pathlib import Path

from mammoscope.core.errors import BadValueError, CorruptFileError, LayoutError, MissingFileError

NAMED = 5
COLUMN = "patient_id"


def read_patients(path: str | Path) -> frozenset[str]:
    """Read patient ids: one a line, or the column patient_id of a table (CSV).

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is no text.
    LayoutError
        When it names nobody, or is a table without that column.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file; check the path.")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CorruptFileError(
            f"{file}: this is no text ({error}); give patient ids, one a line."
        ) from error
    lines = [line.strip() for line in lines if line.strip()]
    if lines and "," in lines[0]:
        rows = list(csv.DictReader(lines))
        if COLUMN not in (rows[0] if rows else {}):
            raise LayoutError(
                f"{file}: the table has no row or no column {COLUMN}; give patient ids, one a line."
            )
        lines = [(row[COLUMN] or "").strip() for row in rows]
    patients = frozenset(lines) - {COLUMN, ""}
    if not patients:
        raise LayoutError(f"{file}: it names no patient; give patient ids, one a line.")
    return patients


def check_apart(
    measured: Iterable[str], trained: frozenset[str], whose: str, *, force: bool = False
) -> str | None:
    """Check that nobody who is measured was trained on.

    Parameters
    ----------
    measured : patient_ids
    trained : patient_ids
    whose : where `trained` comes from, for the message
    force : go on all the same

    Returns
    -------
    None where the two are apart; else, with `force`, the warning that belongs on every page.

    Raises
    ------
    BadValueError
        When they are not, without `force`.
    """
    everyone = set(measured)
    both = sorted(everyone & trained)
    if not both:
        return None
    named = ", ".join(both[:NAMED]) + (", ..." if len(both) > NAMED else "")
    said = f"{len(both)} of the {len(everyone)} patients measured are in {whose} too ({named})"
    if not force:
        raise BadValueError(
            f"{said}, so the figures would be too good; leave them out, or give --force to measure "
            "them all the same."
        )
    return f"{said}: they were measured all the same (--force), so the figures here are too good."
