"""The domain guard at reading: how like its training scans is what a model is to read."""

from functools import cache
from importlib.resources import files

from mammoscope.core.errors import ScanError, WeightsError
from mammoscope.core.reading import DomainStatement
from mammoscope.models.weights import Model
from mammoscope.scans.domain import Guard, guard_from_json
from mammoscope.scans.domain_statistics import statistics_of
from mammoscope.scans.load import LoadedScan


def guard_of(model: Model) -> Guard | None:
    """Return the guard of the archive that a model was trained on; None where there is none.

    Raises
    ------
    WeightsError
        When the guard's file is missing or damaged.
    """
    guard = shipped_guard()
    trained_on = model.contract.origin.get("archives", "").split(", ")
    return guard if guard.archive in trained_on else None


@cache
def shipped_guard() -> Guard:
    """Return the guard in the package, fitted on CBIS-DDSM and mini-MIAS.

    Raises
    ------
    WeightsError
        When its file is missing or damaged.
    """
    path = files("mammoscope.models") / "shipped" / "domain.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WeightsError(
            f"{path}: the guard's file is missing; install the package again."
        ) from error
    return guard_from_json(text)


def statement_of(guard: Guard, scan: LoadedScan) -> DomainStatement | None:
    """Say how like the guard's archive a scan is; None where the size of its pixels is not known.

    Raises
    ------
    ScanError
        When no breast is found.
    SpacingError, ShapeError
        When the spacing is not one of a mammogram.
    """
    if scan.spacing_mm is None:
        return None
    found = statistics_of(scan.image, scan.spacing_mm)
    return guard.judge(found.values, scan.view, declared=_says_mammogram(scan))


def _says_mammogram(scan: LoadedScan) -> bool:
    """Tell whether the scan's DICOM header says that it is a mammogram."""
    # A header that names neither modality nor body part has been told of as such.
    unnamed = any("says that this is a mammogram" in note for note in scan.warnings)
    return "transfer syntax" in scan.facts and not unnamed


def check_domain(scan: LoadedScan, statement: DomainStatement) -> None:
    """Refuse a scan that is unlike those of training.

    Raises
    ------
    ScanError
        When its verdict is "unlike"; the message gives the reasons.
    """
    if statement.verdict == "unlike":
        raise ScanError(
            f"{scan.path}: {'; '.join(statement.reasons)}; what a model says of such a scan cannot "
            "be relied on, so it is read only with --anyway."
        )
