"""A model passed over a whole archive and measured against what the archive knows."""

import hashlib
import json
import platform
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.archives.open import open_archive, share_films
from mammoscope.core.contract import ModelContract
from mammoscope.core.errors import ArchiveError, MammoscopeError
from mammoscope.core.geometry import MaskFile
from mammoscope.core.records import Finding, Scan
from mammoscope.evaluation.metrics import binary_figures, to_json
from mammoscope.evaluation.outcomes import Peak, ScanOutcome
from mammoscope.evaluation.picture_points import drawn_of
from mammoscope.evaluation.strata import said_age_group
from mammoscope.evaluation.summary import summarise
from mammoscope.formats.masks import boxed
from mammoscope.models.weights import Model, load_model
from mammoscope.models.whole_scan import answer, find_peaks, scan_malignancy, scan_score
from mammoscope.scans.load import LoadedScan, load
from mammoscope.scans.prepare import Prepared

SCHEMA = "mammoscope.evaluation/1"
TWO_CLASSES = (True, False)
AHEAD = 3
"""Scans that are opened and prepared while the network answers for another."""


def evaluate(
    model: Model | str | Path,
    archive: Archive | str | Path,
    *,
    resamples: int = 1000,
    seed: int = 0,
    limit: int | None = None,
    spacing_um: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Pass a model over an archive's scans and measure it.

    Parameters
    ----------
    model : a model, a shipped model's name, or a weight file
    archive : an archive, or the folder that holds one
    resamples : of the bootstrap over patients
    seed : of the bootstrap
    limit : measure only so many patients, the first by id
    spacing_um : side of a pixel, in micrometres, of scans whose archive does not know it
    progress : called with (scans done, scans in all)

    Returns
    -------
    The content of ``evaluation.json``. Scans that could not be read are listed under
    ``dataset.failures`` with the reason, and count in no figure.

    Raises
    ------
    ArchiveError
        When no scan could be read.
    """
    used = model if isinstance(model, Model) else load_model(model)
    opened = archive if isinstance(archive, Archive) else open_archive(archive)
    passed = pass_over(used, opened, limit=limit, spacing_um=spacing_um, progress=progress)
    return evaluation_of(used, opened, passed, resamples=resamples, seed=seed)


@dataclass(frozen=True, slots=True)
class Passed:
    """What a model said of an archive's scans.

    Attributes
    ----------
    scans : those that were to be measured
    outcomes : of those that could be read
    failures : scan_id -> why it could not
    """

    scans: tuple[Scan, ...]
    outcomes: tuple[ScanOutcome, ...]
    failures: Mapping[str, str]


def pass_over(
    model: Model,
    archive: Archive,
    *,
    limit: int | None = None,
    spacing_um: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Passed:
    """Pass a model over an archive's scans, without measuring anything yet.

    Parameters and errors are those of `evaluate`.
    """
    scans = _chosen(archive.scans(), limit)
    outcomes: list[ScanOutcome] = []
    failures: dict[str, str] = {}
    with ThreadPoolExecutor(AHEAD) as pool:
        opened = deque(pool.submit(_opened, model, scan, spacing_um) for scan in scans[:AHEAD])
        for done, scan in enumerate(scans, start=1):
            coming = scans[done + AHEAD - 1 : done + AHEAD]
            try:
                outcomes.append(_outcome_of(model, scan, *opened.popleft().result()))
            except MammoscopeError as error:
                failures[scan.scan_id] = str(error)
            opened.extend(pool.submit(_opened, model, one, spacing_um) for one in coming)
            if progress is not None:
                progress(done, len(scans))
    if not outcomes:
        said = [reason.removesuffix(".") for reason in failures.values()]
        reasons = "; ".join(said[:3]) or "the archive holds none"
        raise ArchiveError(f"no scan of {archive.name} could be read: {reasons}")
    return Passed(scans, tuple(outcomes), failures)


def evaluation_of(
    model: Model, archive: Archive, passed: Passed, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Measure what `pass_over` gave; returns the content of ``evaluation.json``."""
    contract = model.contract
    point = contract.operating_point
    trained_on = trained_on_films_of(contract, archive.name)
    return {
        "schema": SCHEMA,
        "model": {"name": contract.name, "version": contract.version, "digest": model.digest},
        "dataset": {
            "name": archive.name,
            "digest": digest_of(passed.scans),
            "audit_verdict": None,
            "trained_on": trained_on,
            "failures": dict(passed.failures),
        },
        # A key that others rely on: a dense model answers for places on scans, not for tiles.
        "tiles": None,
        **summarise(
            passed.outcomes,
            resamples=resamples,
            seed=seed,
            threshold=point.threshold if point else None,
            calibration=contract.breast_calibration,
            lesion_calibration=contract.calibration,
        ),
        "threshold": None
        if point is None
        else {"value": point.threshold, "chosen_by": point.chosen_by, "on_test": False},
        "at_threshold": None if point is None else _calls(passed, point.threshold, resamples, seed),
        **drawn_of(passed.outcomes, point.threshold if point else None),
        "warnings": _warnings(contract, archive.name, trained_on=trained_on),
        "environment": environment(),
    }


def _calls(passed: Passed, threshold: float, resamples: int, seed: int) -> dict[str, Any] | None:
    """Measure calls by scan: positive where the highest lesion score reaches the threshold."""
    known = [outcome for outcome in passed.outcomes if outcome.has_finding is not None]
    if len({outcome.has_finding for outcome in known}) < len(TWO_CLASSES):
        return None
    figures = binary_figures(
        [outcome.score for outcome in known],
        [bool(outcome.has_finding) for outcome in known],
        [outcome.patient_id for outcome in known],
        threshold,
        resamples=resamples,
        seed=seed,
    )
    return {"scans: any finding against none": to_json(figures)}


def environment() -> dict[str, str]:
    """Return the versions that figures were made with."""
    return {
        "mammoscope": mammoscope.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def trained_on_films_of(contract: ModelContract, archive: str) -> bool:
    """Tell whether a model was trained on an archive, or on films of the same patients."""
    names = contract.origin.get("archives", "").split(", ")
    return any(share_films(archive, name) for name in names)


def _warnings(contract: ModelContract, archive: str, *, trained_on: bool) -> list[str]:
    """Say what a reader of the figures must know."""
    if not trained_on:
        return []
    said = [
        f"The model was trained on {contract.origin.get('archives')}, and {archive} has films of "
        "the same patients: what it scores here says nothing about patients that it has not seen, "
        "unless those measured here were kept apart."
    ]
    if contract.operating_point is not None:
        said.append(
            f"The model's threshold was chosen by: {contract.operating_point.chosen_by}; where "
            "those are the scans that are measured here, the figures at the threshold are too good."
        )
    return said


def digest_of(scans: Sequence[Scan]) -> str:
    """SHA-256 of what was measured on: each scan's id, file size, spacing and findings."""
    rows = [
        (
            s.scan_id,
            s.patient_id,
            _size(s.path),
            s.spacing_mm,
            [_said_of(finding) for finding in s.findings or ()],
        )
        for s in scans
    ]
    return hashlib.sha256(json.dumps(sorted(rows), default=str).encode()).hexdigest()


def _said_of(finding: Finding) -> str:
    """Write a finding down without the folder that a mask happens to lie in."""
    if not isinstance(finding.roi, MaskFile):
        return repr(finding)
    return f"{replace(finding, roi=None)!r} mask of {_size(finding.roi.path)} bytes"


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def _chosen(scans: tuple[Scan, ...], limit: int | None) -> tuple[Scan, ...]:
    if limit is None:
        return scans
    patients = sorted({scan.patient_id for scan in scans})[:limit]
    return tuple(scan for scan in scans if scan.patient_id in patients)


def outcome_of(model: Model, scan: Scan, *, spacing_um: float | None = None) -> ScanOutcome:
    """Pass a model over one scan of an archive.

    `spacing_um` is the side of a pixel where the archive does not know it.

    Raises
    ------
    MammoscopeError
        When the scan cannot be read or does not fit the model.
    """
    return _outcome_of(model, scan, *_opened(model, scan, spacing_um))


def _opened(model: Model, scan: Scan, spacing_um: float | None) -> tuple[LoadedScan, Prepared]:
    """Load a scan and make the model's input of it: what can be done while another is answered."""
    loaded = load(scan, spacing_um=spacing_um if scan.spacing_mm is None else None)
    if loaded.spacing_mm is None:
        raise ArchiveError(
            f"{scan.path}: the archive does not know the size of its pixels; give --spacing-um."
        )
    return loaded, model.prepare(loaded.image, loaded.spacing_mm)


def _outcome_of(model: Model, scan: Scan, loaded: LoadedScan, prepared: Prepared) -> ScanOutcome:
    found = answer(model.network, model.contract.output, prepared)
    peaks = find_peaks(found, prepared.spacing_mm)
    shape = (loaded.image.shape[0], loaded.image.shape[1])
    facts = {
        "breast_density": scan.breast_density,
        "view": scan.view,
        "spacing_source": loaded.spacing_source,
        "scanner": scan.facts.get("scanner"),
        "age": said_age_group(scan.facts.get("age")),
    }
    return ScanOutcome(
        scan_id=scan.scan_id,
        patient_id=scan.patient_id,
        breast_id=scan.breast_id,
        exam_id=scan.exam_id,
        spacing_mm=prepared.scan_spacing_mm,
        score=scan_score(peaks),
        malignancy=scan_malignancy(peaks),
        peaks=tuple(
            Peak(
                *prepared.point_to_scan(*found.centre_px(peak.row, peak.column)),
                peak.score,
                peak.malignancy,
            )
            for peak in peaks
        ),
        findings=None if scan.findings is None else boxed(scan.findings, shape),
        strata={key: str(value) for key, value in facts.items() if value},
    )
