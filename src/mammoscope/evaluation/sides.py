"""Left against right: a breast's lesion score told by what the woman's other breast shows.

What is normal for a woman shows on both of her breasts; what one breast shows alone speaks more for
a lesion. Measured by ``benchmarks/sides.py`` on mini-MIAS, where both breasts of every woman are
there and nothing was trained or fitted on them: see ``docs/reading/scores.md``.
"""

from math import exp, log

SHARE = 0.5
"""How much of the other breast's score is taken off, in logits. Tried were a half and the whole."""
NEAREST = 1e-3
"""Scores are kept this far from 0 and 1, so that neither breast can outweigh the other for good."""


def less_other_side(score: float, other: float) -> float:
    """Take half of the other breast's lesion score off a breast's, both as logits.

    The result is lower than `score` where the other breast scores above one half and higher where
    it scores below; an other breast at one half changes nothing. It orders breasts better than
    `score`, but no threshold that was chosen for `score` holds for it. Women with lesions in both
    breasts gain nothing or lose: each breast takes away from the other.

    Parameters
    ----------
    score, other : highest lesion scores of the two breasts of one exam, in [0, 1]; what lies nearer
        to 0 or 1 than `NEAREST` counts as lying there

    Returns
    -------
    float
        sigmoid(logit(score) - `SHARE` * logit(other)), in (0, 1); NaN where either is NaN.
    """
    return 1 / (1 + exp(SHARE * lifted(other) - lifted(score)))


def lifted(score: float) -> float:
    """Return the logit of a score in [0, 1], kept `NEAREST` away from the infinite ends."""
    kept = min(max(score, NEAREST), 1 - NEAREST)
    return log(kept / (1 - kept))
