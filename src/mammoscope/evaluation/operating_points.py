"""Named thresholds: chosen by stated rules on validation folds, with what they did there.

Three are offered, because one threshold cannot suit both a search for whatever might be a lesion
and a list that has to be short. Each rule looks at places: a place is marked at a lesion score of
at least the threshold, and counts as `hits` says.
"""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from mammoscope.core.contract import OperatingPoint
from mammoscope.evaluation.calibrate import choose_threshold
from mammoscope.evaluation.froc import Judged, judge
from mammoscope.evaluation.operating import operating_point
from mammoscope.evaluation.outcomes import ScanOutcome

HIGH_SENSITIVITY, BALANCED, HIGH_SPECIFICITY = "high-sensitivity", "balanced", "high-specificity"
LEAST_SENSITIVITY = 0.9
FEW_FALSE_POSITIVES = 0.1


def named_points(
    outcomes: Sequence[ScanOutcome],
    balanced_fp_per_scan: float,
    measured_on: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[OperatingPoint, ...]:
    """Choose the operating points on scans that the network did not see, and measure them there.

    "high-sensitivity" is the highest threshold that marks at least 0.9 of the findings that have a
    place; "balanced" and "high-specificity" are the lowest thresholds whose false positives a scan
    are at most `balanced_fp_per_scan` and 0.1.

    Parameters
    ----------
    outcomes : of validation folds
    balanced_fp_per_scan : 0 or more
    measured_on : the folds in words
    resamples : of the bootstrap over patients, at least 40
    seed : of the bootstrap

    Returns
    -------
    The points, lowest threshold first. One whose rule no threshold keeps is left out, as
    "high-sensitivity" is where fewer findings than that are found at all. The intervals hold for
    the threshold as it stands; the doubt about its choice is not in them.

    Raises
    ------
    ArchiveError
        When no scan can show a false positive.
    """
    judged = judge(outcomes)
    chosen = [
        (HIGH_SENSITIVITY, _at_sensitivity(judged), f"a sensitivity of {LEAST_SENSITIVITY:g} or "
         "just above for places"),
        (BALANCED, choose_threshold(outcomes, balanced_fp_per_scan),
         f"{balanced_fp_per_scan:g} false positives a scan"),
        (HIGH_SPECIFICITY, choose_threshold(outcomes, FEW_FALSE_POSITIVES),
         f"{FEW_FALSE_POSITIVES:g} false positives a scan"),
    ]  # fmt: skip
    points = []
    for name, threshold, rule in chosen:
        if threshold is None:
            continue
        measured = operating_point(outcomes, judged, threshold, resamples, seed)
        points.append(
            OperatingPoint(
                name=name,
                threshold=threshold,
                chosen_by=f"{rule} on {measured_on}",
                sensitivity=measured["sensitivity"],
                fp_per_scan=measured["fp_per_scan"],
                measured_on=measured_on,
            )
        )
    return tuple(sorted(points, key=lambda point: point.threshold))


def _at_sensitivity(judged: Judged) -> float | None:
    """Return the highest threshold that finds enough; None where none does."""
    falling = np.sort(judged.found_at)[::-1]
    # Rounding must not ask for a finding more.
    needed = int(np.ceil(LEAST_SENSITIVITY * len(falling) - 1e-9))
    if not needed or not isfinite(falling[needed - 1]):
        return None
    return float(falling[needed - 1])
