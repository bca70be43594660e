"""Builders of outcomes and findings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mammoscope.core.geometry import Box
from mammoscope.core.records import Finding
from mammoscope.core.vocabulary import FindingKind, Pathology
from mammoscope.evaluation.outcomes import Peak, ScanOutcome


@pytest.fixture(scope="session")
def make_finding() -> Callable[..., Finding]:
    """A finding with a box from (10, 10) to (20, 20) pixels, changed by name."""

    def make(scan_id: str = "a", **changes: object) -> Finding:
        plain = {
            "finding_id": f"{scan_id}/1",
            "scan_id": scan_id,
            "kind": FindingKind.MASS,
            "roi": Box(10, 10, 10, 10),
            "pathology": Pathology.MALIGNANT,
        }
        return Finding(**(plain | changes))

    return make


@pytest.fixture(scope="session")
def make_outcome() -> Callable[..., ScanOutcome]:
    """A scan of 1 mm pixels; `peaks` are (row, column, score), in any order."""

    def make(
        scan_id: str = "a",
        peaks: tuple[tuple[float, float, float], ...] = (),
        findings: tuple[Finding, ...] | None = (),
        **changes: object,
    ) -> ScanOutcome:
        falling = sorted(peaks, key=lambda peak: -peak[2])
        plain = {
            "scan_id": scan_id,
            "patient_id": scan_id,
            "breast_id": f"{scan_id}/L",
            "exam_id": scan_id,
            "spacing_mm": (1.0, 1.0),
            "score": falling[0][2] if falling else 0.0,
            "malignancy": falling[0][2] if falling else 0.0,
            "peaks": tuple(Peak(row, column, score, score) for row, column, score in falling),
            "findings": findings,
        }
        return ScanOutcome(**(plain | changes))

    return make


@pytest.fixture(scope="session")
def make_cohort(make_outcome, make_finding) -> Callable[..., list[ScanOutcome]]:
    """Patients of two scans each, half with a finding on both; random peaks, hits score higher."""

    def make(n_patients: int, seed: int, n_peaks: int = 6, steps: int = 50) -> list[ScanOutcome]:
        rng = np.random.default_rng(seed)
        outcomes = []
        for patient in range(n_patients):
            own = rng.normal()
            for view in ("CC", "MLO"):
                scan_id = f"{patient}-{view}"
                pathology = list(Pathology)[patient % 3]
                kind = list(FindingKind)[patient % 2]
                finding = make_finding(
                    scan_id, pathology=pathology, kind=kind, descriptors=(f"D{patient % 4}",)
                )
                has = patient % 2 == 0
                # Rounded scores make ties, which every rule must survive.
                scores = np.round(rng.beta(2, 4, n_peaks) * steps) / steps
                places = rng.uniform(0, 100, (n_peaks, 2))
                if has and own + rng.normal() > -0.8:
                    places[0] = 15, 15
                    scores[0] = min(1.0, scores[0] + 0.3)
                outcomes.append(
                    make_outcome(
                        scan_id,
                        tuple((r, c, s) for (r, c), s in zip(places, scores, strict=True)),
                        (finding,) if has else (),
                        patient_id=str(patient),
                        breast_id=f"{patient}/L",
                        malignancy=float(np.clip(0.5 + 0.2 * own, 0.01, 0.99)),
                        strata={"view": view, "breast_density": "ABCD"[patient % 4]},
                    )
                )
        return outcomes

    return make


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[2]
