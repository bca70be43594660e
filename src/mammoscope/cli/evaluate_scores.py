"""Anybody's scores measured: tables read and checked, the threshold chosen, places judged."""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammoscope.core.errors import BadValueError, CorruptFileError, MissingFileError

if TYPE_CHECKING:
    from mammoscope.archives.archive import Archive
    from mammoscope.core.contract import Calibration
    from mammoscope.core.records import Scan
    from mammoscope.evaluation.outcomes import Peak, ScanOutcome
    from mammoscope.evaluation.scores import Scores
    from mammoscope.evaluation.threshold_choice import Threshold

SCHEMA = "mammoscope.evaluation/1"
VERDICTS = ("clean", "suspect", "leaking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of a table of scores; paths are None where not given."""

    scores: Path
    detections: Path | None
    threshold: str
    validation: Path | None
    calibrate: str | None
    public_split: str | None
    trained_on: Path | None
    force: bool


def measure_scores(
    asked: Asked, archive: "Archive | None", draws: tuple[int, int]
) -> dict[str, Any]:
    """Measure scores; returns the content of evaluation.json.

    Parameters
    ----------
    archive : where given, it knows the patients, and has the findings that detections need
    draws : resamples of the bootstrap, and its seed

    Raises
    ------
    ArchiveError, FormatError, ConfigError
        When a table, the threshold or the split cannot be used, a patient is unknown, or one was
        trained on.
    """
    import numpy as np

    import mammoscope
    from mammoscope.evaluation.scores import check_both_classes, read_scores
    from mammoscope.evaluation.scores_summary import summarise_scores

    scores = read_scores(asked.scores)
    check_both_classes(scores)
    warnings = [*_apart(asked, scores), *_known(asked, scores, archive)]
    resamples, seed = draws
    threshold = _threshold(asked, scores)
    calibration = _calibration(asked, scores)
    sections = summarise_scores(
        scores, threshold, calibration=calibration, resamples=resamples, seed=seed
    )
    if asked.detections is not None:
        sections |= _places(asked.detections, scores, archive, draws)
    return {
        "schema": SCHEMA,
        "model": {"name": asked.scores.stem, "digest": None},
        "dataset": {
            "name": archive.name if archive is not None else f"the rows of {asked.scores.name}",
            "digest": scores.digest,
            "audit_verdict": None,
            "failures": {},
        },
        **sections,
        "warnings": [*warnings, *sections["warnings"]],
        "environment": {
            "mammoscope": mammoscope.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }


def training_patients(path: Path) -> tuple[frozenset[str], str | None]:
    """Read who was trained on, and the digest where the file is a division by `tiles split`.

    Of a division those of train and validation count as trained on.
    """
    from mammoscope.archives.splits import read_division
    from mammoscope.core.vocabulary import Split
    from mammoscope.evaluation.trained_on import read_patients

    if path.suffix != ".json":
        return read_patients(path), None
    division = read_division(path)
    seen = (patient for patient, split in division.patients.items() if split is not Split.TEST)
    return frozenset(seen), division.digest


def read_evaluation(path: Path) -> dict[str, Any]:
    """Read an evaluation.json again.

    Raises
    ------
    MissingFileError, CorruptFileError
        When it is not there, or no evaluation.
    """
    measured = _read_json(path, "an evaluation")
    if measured.get("schema") != SCHEMA:
        raise CorruptFileError(
            f"{path}: its schema is {measured.get('schema')!r}, not {SCHEMA!r}; give a file that "
            "evaluate or train wrote."
        )
    return measured


def read_audit(path: Path) -> str:
    """Read the verdict of an audit.json.

    Raises
    ------
    MissingFileError, CorruptFileError
        When it is not there, or no audit.
    """
    verdict = _read_json(path, "an audit").get("verdict")
    if verdict not in VERDICTS:
        raise CorruptFileError(
            f"{path}: it holds no verdict of an audit; give the audit.json that `tiles audit` "
            "wrote."
        )
    return str(verdict)


def _read_json(path: Path, what: str) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"{path}: there is no such file; check the path.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptFileError(f"{path}: is not {what} ({error}); make it again.") from error
    if not isinstance(content, dict):
        raise CorruptFileError(f"{path}: is not {what}; make it again.")
    return content


def _apart(asked: Asked, scores: "Scores") -> list[str]:
    """Refuse patients of training or validation who are measured, or say so when forced."""
    from mammoscope.evaluation.scores import read_scores
    from mammoscope.evaluation.trained_on import check_apart

    said = []
    if asked.trained_on is not None:
        trained, _ = training_patients(asked.trained_on)
        whose = str(asked.trained_on)
        said.append(check_apart(scores.patients, trained, whose, force=asked.force))
    if asked.validation is not None:
        chosen_on = frozenset(read_scores(asked.validation).patients)
        what = "chooses the threshold" if asked.calibrate is None else "fits the calibration"
        whose = f"{asked.validation}, which {what},"
        said.append(check_apart(scores.patients, chosen_on, whose, force=asked.force))
    return [one for one in said if one is not None]


def _known(asked: Asked, scores: "Scores", archive: "Archive | None") -> list[str]:
    """Refuse patients whom the archive or the split does not know; say who has no score."""
    from mammoscope.evaluation.public_splits import split_and_part
    from mammoscope.evaluation.scores import check_known

    said = []
    if asked.public_split is not None:
        split, part = split_and_part(asked.public_split)
        patients, name = split.patients(part), f"{split.name}:{part or 'all'}"
        check_known(scores, patients, f"the public split {name}")
        said += _lacking(scores, patients, f"the public split {name}")
    if archive is not None:
        patients = frozenset(scan.patient_id for scan in archive.scans())
        check_known(scores, patients, f"the archive {archive.name}")
        said += _lacking(scores, patients, f"{archive.name} as it was given")
    return said


def _lacking(scores: "Scores", patients: frozenset[str], whose: str) -> list[str]:
    without = len(patients - set(scores.patients))
    if not without:
        return []
    return [
        f"{without} of the {len(patients)} patients of {whose} have no score: the figures are not "
        "of all of them."
    ]


def _threshold(asked: Asked, scores: "Scores") -> "Threshold":
    from mammoscope.evaluation.scores import check_both_classes, read_scores
    from mammoscope.evaluation.threshold_choice import Threshold, best_threshold, threshold_number

    value = threshold_number(asked.threshold)
    if value is not None:
        if asked.validation is not None and asked.calibrate is None:
            raise BadValueError(
                f"--validation chooses a threshold, but --threshold {asked.threshold} is one; give "
                "a rule such as youden, or leave --validation out."
            )
        return Threshold(value, "given beforehand")
    if asked.validation is None:
        return Threshold(
            best_threshold(asked.threshold, scores.scores, scores.truth),
            f"{asked.threshold}, on the scores that are measured",
            on_test=True,
        )
    others = read_scores(asked.validation)
    check_both_classes(others)
    return Threshold(
        best_threshold(asked.threshold, others.scores, others.truth),
        f"{asked.threshold}, on {asked.validation.name}",
    )


def _calibration(asked: Asked, scores: "Scores") -> "Calibration | None":
    """Fit a calibration on scores of other patients; --force does not excuse the same ones."""
    from mammoscope.core.vocabulary import Split
    from mammoscope.evaluation.calibrate import Ground, fit_calibration
    from mammoscope.evaluation.scores import check_both_classes, read_scores

    if asked.calibrate is None:
        return None
    if asked.validation is None:
        raise BadValueError(
            f"--calibrate {asked.calibrate} needs --validation FILE, scores of other patients to "
            "fit it on."
        )
    others = read_scores(asked.validation)
    check_both_classes(others)
    shared = set(others.patients) & set(scores.patients)
    ground = Ground(
        split=Split.TEST if shared else Split.VALIDATION,
        fitted_on=f"{len(others.ids)} {others.unit}s of {len(set(others.patients))} patients in "
        f"{asked.validation.name}",
        meaning="chance that the truth is 1",
    )
    return fit_calibration(asked.calibrate, others.scores, others.truth, ground)


def _places(
    detections: Path, scores: "Scores", archive: "Archive | None", draws: tuple[int, int]
) -> dict[str, Any]:
    """Judge marked places against the archive's findings."""
    from mammoscope.evaluation.detections import read_detections
    from mammoscope.evaluation.summary import summarise

    if archive is None or scores.scans is not None:
        raise BadValueError(
            "--detections needs --archive NAME DIR, which knows where findings are, and scores a "
            "scan."
        )
    peaks = read_detections(detections, frozenset(scores.ids))
    by_name = {name: scan for scan in archive.scans() for name in (scan.path.name, scan.scan_id)}
    unknown = [one for one in scores.ids if one not in by_name]
    if unknown:
        raise BadValueError(
            f"{scores.source}: the archive {archive.name} lacks {len(unknown)} of the "
            f"table's scans, as {unknown[0]}; name scans by its ids or files."
        )
    outcomes = _outcomes([(by_name[one], peaks[one]) for one in scores.ids], scores)
    resamples, seed = draws
    found = summarise(outcomes, resamples=resamples, seed=seed)
    return {key: found[key] for key in ("froc", "pointing_game")}


def _outcomes(
    given: "Sequence[tuple[Scan, tuple[Peak, ...]]]", scores: "Scores"
) -> "list[ScanOutcome]":
    from mammoscope.core.errors import SpacingMissingError
    from mammoscope.core.geometry import Box, Circle
    from mammoscope.evaluation.outcomes import ScanOutcome
    from mammoscope.formats.masks import boxed
    from mammoscope.scans.load import load

    outcomes = []
    for (scan, peaks), score in zip(given, scores.scores, strict=True):
        if scan.spacing_mm is None:
            raise SpacingMissingError(
                f"{scan.path}: the archive does not know the size of its pixels, which the rule of "
                "a hit needs; leave the scan out."
            )
        findings = scan.findings
        if findings and not all(isinstance(f.roi, Box | Circle | None) for f in findings):
            rows, columns = load(scan).image.shape[:2]
            findings = boxed(findings, (rows, columns))
        outcomes.append(
            ScanOutcome(
                scan_id=scan.scan_id,
                patient_id=scan.patient_id,
                breast_id=scan.breast_id,
                exam_id=scan.exam_id,
                spacing_mm=scan.spacing_mm,
                score=float(score),
                malignancy=float(score),
                peaks=peaks,
                findings=findings,
            )
        )
    return outcomes
