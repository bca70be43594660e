"""Where a model sees lesions on an archive's scans, as a table: for hard negatives."""

import io
from collections.abc import Callable, Sequence
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

SCHEMA = {
    "archive": pl.String,
    "scan_id": pl.String,
    "row": pl.Float64,
    "column": pl.Float64,
    "score": pl.Float64,
}
ENDINGS = (".parquet", ".csv")
REASONS = 3
"""So many reasons are told where no scan could be scored."""
Rows = list[dict[str, str | float]]


def score_places(
    model: Model | str | Path,
    archive: Archive | Sequence[Archive] | str | Path,
    out: str | Path,
    *,
    assumed_um: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write the peaks of a dense model's lesion score on every scan of an archive, or of several.

    Whether a peak is a lesion is not asked here: who takes negatives from the table leaves out
    those near a finding (`mammoscope.tiles.negatives`).

    Parameters
    ----------
    model : a dense model, a shipped model's name, or a weight file
    archive : an archive or several, or the folder that holds one
    out : Parquet or CSV file to write: archive, scan_id, row and column (of the peak, in pixels of
        the scan's file), score (raw, in [0, 1])
    assumed_um : side of a pixel, in micrometres, of scans whose spacing nobody knows; None
        leaves them out, each with its reason
    progress : called with (scans done, scans in all)

    Returns
    -------
    dict of ``archive/scan_id`` to the reason, for each scan that could not be scored.

    Raises
    ------
    BadValueError
        When `out` ends neither in .parquet nor in .csv, or the assumed pixel is out of range.
    ArchiveError
        When no scan could be scored; nothing is written then.
    """
    file = Path(out)
    if file.suffix.lower() not in ENDINGS:
        raise BadValueError(f"{file}: the table's name must end in {' or '.join(ENDINGS)}.")
    if assumed_um is not None and not 10 <= assumed_um <= 2000:
        raise BadValueError(f"A pixel of {assumed_um:g} micrometres is out of range: 10 to 2000.")
    used = model if isinstance(model, Model) else load_model(model)
    scans = [scan for one in _opened(archive) for scan in one.scans()]
    rows: Rows = []
    failures: dict[str, str] = {}
    for done, scan in enumerate(scans, start=1):
        try:
            rows += places_on(used, scan, assumed_um=assumed_um)
        except MammoscopeError as error:
            failures[f"{scan.archive}/{scan.scan_id}"] = str(error)
        if progress is not None:
            progress(done, len(scans))
    if len(failures) == len(scans):
        reasons = "; ".join(list(failures.values())[:REASONS]) or "there is none"
        raise ArchiveError(f"None of {len(scans)} scans could be scored: {reasons}")
    _write(file, pl.DataFrame(rows, schema=SCHEMA))
    return failures


def places_on(model: Model, scan: Scan, *, assumed_um: float | None = None) -> Rows:
    """Find the peaks of a dense model's lesion score on one scan, the highest first.

    Returns
    -------
    list of rows with the columns of `SCHEMA`, as `score_places` writes them.

    Raises
    ------
    MammoscopeError
        When the scan cannot be read or does not fit the model.
    """
    loaded = load(scan)
    spacing = loaded.spacing_mm
    if spacing is None and assumed_um is not None:
        spacing = (assumed_um / 1000, assumed_um / 1000)
    if spacing is None:
        raise SpacingMissingError(
            f"{scan.path}: the archive does not know the size of its pixels, so the model cannot "
            "be passed over it; assume one (assumed_um), or leave the scan out."
        )
    prepared = model.prepare(loaded.image, spacing)
    found = answer(model.network, model.contract.output, prepared)
    rows: Rows = []
    for peak in find_peaks(found, prepared.spacing_mm):
        row, column = prepared.point_to_scan(*found.centre_px(peak.row, peak.column))
        rows.append(
            {
                "archive": scan.archive,
                "scan_id": scan.scan_id,
                "row": row,
                "column": column,
                "score": peak.score,
            }
        )
    return rows


def _opened(archive: Archive | Sequence[Archive] | str | Path) -> Sequence[Archive]:
    if isinstance(archive, Archive):
        return (archive,)
    return (open_archive(archive),) if isinstance(archive, str | Path) else archive


def _write(file: Path, table: pl.DataFrame) -> None:
    content = io.BytesIO()
    if file.suffix.lower() == ".csv":
        table.write_csv(content)
    else:
        table.write_parquet(content)
    write_atomic(file, content.getvalue())
