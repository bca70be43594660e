"""Where a model sees lesions on an archive's scans, as a table: for hard negatives."""

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl

from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive
from mammoscope.core.errors import ArchiveError, BadValueError, MammoscopeError, SpacingMissingError
from mammoscope.core.records import Scan
from mammoscope.formats.files import write_atomic
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import answer, find_peaks
from mammoscope.scans.load import load

SCHEMA = {"scan_id": pl.String, "row": pl.Float64, "column": pl.Float64, "score": pl.Float64}
ENDINGS = (".parquet", ".csv")


def score_places(
    model: Model | str | Path,
    archive: Archive | str | Path,
    out: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write the peaks of a dense model's lesion score on every scan of an archive.

    Whether a peak is a lesion is not asked here: who takes negatives from the table leaves out
    those near a finding (`mammoscope.tiles.negatives`).

    Parameters
    ----------
    model : a dense model, a shipped model's name, or a weight file
    archive : an archive, or the folder that holds one
    out : Parquet or CSV file to write: scan_id, row and column (of the peak, in pixels of the
        scan's file), score (raw, in [0, 1])
    progress : called with (scans done, scans in all)

    Returns
    -------
    dict of scan_id to the reason, for each scan that could not be scored.

    Raises
    ------
    BadValueError
        When `out` ends neither in .parquet nor in .csv.
    ArchiveError
        When no scan could be scored; nothing is written then.
    """
    file = Path(out)
    if file.suffix.lower() not in ENDINGS:
        raise BadValueError(f"{file}: the table's name must end in {' or '.join(ENDINGS)}.")
    used = model if isinstance(model, Model) else load_model(model)
    opened = archive if isinstance(archive, Archive) else open_archive(archive)
    scans = opened.scans()
    rows: list[dict[str, str | float]] = []
    failures: dict[str, str] = {}
    for done, scan in enumerate(scans, start=1):
        try:
            rows += places_on(used, scan)
        except MammoscopeError as error:
            failures[scan.scan_id] = str(error)
        if progress is not None:
            progress(done, len(scans))
    if len(failures) == len(scans):
        reasons = "; ".join(list(failures.values())[:3]) or "the archive holds none"
        raise ArchiveError(f"No scan of {opened.name} could be scored: {reasons}")
    table, content = pl.DataFrame(rows, schema=SCHEMA), io.BytesIO()
    if file.suffix.lower() == ".csv":
        table.write_csv(content)
    else:
        table.write_parquet(content)
    write_atomic(file, content.getvalue())
    return failures


def places_on(model: Model, scan: Scan) -> list[dict[str, str | float]]:
    """Find the peaks of a dense model's lesion score on one scan, the highest first.

    Returns
    -------
    list of rows with scan_id, row, column and score, as `score_places` writes them.

    Raises
    ------
    MammoscopeError
        When the scan cannot be read or does not fit the model.
    """
    loaded = load(scan)
    if loaded.spacing_mm is None:
        raise SpacingMissingError(
            f"{scan.path}: the archive does not know the size of its pixels, so the model cannot "
            "be passed over it; leave the scan out."
        )
    prepared = model.prepare(loaded.image, loaded.spacing_mm)
    found = answer(model.network, model.contract.output, prepared)
    rows: list[dict[str, str | float]] = []
    for peak in find_peaks(found, prepared.spacing_mm):
        row, column = prepared.point_to_scan(*found.centre_px(peak.row, peak.column))
        rows.append({"scan_id": scan.scan_id, "row": row, "column": column, "score": peak.score})
    return rows
