"""McNemar's test of whether two sets of calls err equally often.

Only units on which one is right and the other wrong tell anything. The exact test is too cautious;
its mid-p keeps closer to its promise (Fagerland, Lydersen & Laake 2013, whose rule for equal
numbers is used). Both take units for strangers: give one unit a patient.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True, slots=True)
class McNemar:
    """What the test counted and found.

    Attributes
    ----------
    only_a, only_b : units on which only a, or only b, was right
    exact, mid_p : two-sided p values of no difference
    n : units
    """

    only_a: int
    only_b: int
    exact: float
    mid_p: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "only_a_right": self.only_a,
            "only_b_right": self.only_b,
            "p_exact": self.exact,
            "p_mid": self.mid_p,
            "n": self.n,
        }


def mcnemar(right_a: ArrayLike, right_b: ArrayLike) -> McNemar:
    """Test calls on the same units.

    Parameters
    ----------
    right_a, right_b : shape (units,), True where the call was right

    Raises
    ------
    ValueError
        When shapes differ.
    """
    a, b = np.asarray(right_a, dtype=bool), np.asarray(right_b, dtype=bool)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError("calls must be flat and of the same length")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    fewer, differing = min(only_a, only_b), only_a + only_b
    if not differing:
        return McNemar(0, 0, 1.0, 1.0, len(a))
    just = float(stats.binom.pmf(fewer, differing, 0.5))
    if only_a == only_b:
        return McNemar(only_a, only_b, 1.0, 1 - just / 2, len(a))
    exact = 2 * float(stats.binom.cdf(fewer, differing, 0.5))
    return McNemar(only_a, only_b, exact, exact - just, len(a))
