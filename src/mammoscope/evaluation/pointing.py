"""The pointing game (Zhang et al. 2018): how often a scan's highest peak lies in a finding."""

from collections.abc import Sequence

import numpy as np

from mammoscope.evaluation.hits import MARGIN_MM, hits
from mammoscope.evaluation.intervals import Figure, bootstrap, weighted_mean
from mammoscope.evaluation.outcomes import ScanOutcome


def pointing_game(
    outcomes: Sequence[ScanOutcome],
    *,
    resamples: int,
    rng: np.random.Generator,
    margin_mm: float = MARGIN_MM,
) -> Figure:
    """Measure the share of scans whose highest peak hits a finding.

    Only scans with at least one finding that has a place take part; a scan without any peak is a
    miss. The interval is over patients.
    """
    taking_part = [o for o in outcomes if any(f.roi is not None for f in o.findings or ())]
    hit = [bool(o.peaks) and bool(hits(o, o.peaks[0], margin_mm)) for o in taking_part]
    return bootstrap(
        weighted_mean(np.array(hit, dtype=np.float64)),
        [outcome.patient_id for outcome in taking_part],
        resamples,
        rng,
        is_share=True,
    )
