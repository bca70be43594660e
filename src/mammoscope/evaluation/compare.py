"""Two or more sets of scores set against each other, figure by figure.

Pairs are compared on the very same units where both were measured on the same ones: then the units
cancel and small differences show. Otherwise pairing is refused, and the sets count as strangers.
The area under the ROC curve has DeLong's interval and p value; every other figure those of a
bootstrap over patients: BCa, and the p value at which that interval just reaches 0. All p values of
one comparison are corrected together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan
from typing import Any

import numpy as np

from mammoscope.evaluation.corrections import benjamini_hochberg, holm
from mammoscope.evaluation.delong import Difference, compare_paired, compare_unpaired
from mammoscope.evaluation.differences import Scored, differences_paired, differences_unpaired
from mammoscope.evaluation.joining import join
from mammoscope.evaluation.mcnemar import McNemar, mcnemar


@dataclass(frozen=True, slots=True)
class Pair:
    """The comparison of two sets.

    Attributes
    ----------
    a, b : their names
    shared, only_a, only_b : units of both and of either alone
    why_unpaired : None where paired
    figures : name -> difference
    mcnemar : None where unpaired
    mcnemar_unit : what counts as a unit of it: "unit" or "patient"
    """

    a: str
    b: str
    shared: int
    only_a: int
    only_b: int
    why_unpaired: str | None
    figures: dict[str, Difference]
    mcnemar: McNemar | None
    mcnemar_unit: str

    @property
    def paired(self) -> bool:
        """Whether both were measured on the same units."""
        return self.why_unpaired is None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs of the sets, with corrected p values.

    Attributes
    ----------
    pairs : in the order of the sets
    corrected : (pair's number, figure) -> (Holm's, Benjamini-Hochberg's) p value
    """

    pairs: tuple[Pair, ...]
    corrected: dict[tuple[int, str], tuple[float, float]]

    @property
    def n_comparisons(self) -> int:
        """How many p values were corrected together."""
        return sum(not isnan(both[0]) for both in self.corrected.values())

    def to_json(self) -> dict[str, Any]:
        """Return plain values, NaN as None."""
        return {
            "schema": "mammoscope-comparison-1",
            "n_comparisons": self.n_comparisons,
            "corrections": "Holm (p_holm) and Benjamini-Hochberg (p_bh) over all p values here",
            "pairs": [self._pair_to_json(i, pair) for i, pair in enumerate(self.pairs)],
        }

    def _pair_to_json(self, number: int, pair: Pair) -> dict[str, Any]:
        figures = {}
        for name, difference in pair.figures.items():
            corrected = [None if isnan(p) else p for p in self.corrected[number, name]]
            figures[name] = difference.to_json() | dict(
                zip(("p_holm", "p_bh"), corrected, strict=True)
            )
        test = None
        if pair.mcnemar is not None:
            corrected = list(self.corrected[number, "mcnemar"])
            test = pair.mcnemar.to_json() | {
                "unit": pair.mcnemar_unit,
                "p_holm": corrected[0],
                "p_bh": corrected[1],
            }
        counts = {"shared": pair.shared, "only_a": pair.only_a, "only_b": pair.only_b}
        return {
            "a": pair.a,
            "b": pair.b,
            "paired": pair.paired,
            "why_unpaired": pair.why_unpaired,
            "units": counts,
            "figures": figures,
            "mcnemar": test,
        }


def compare(sets: Sequence[Scored], *, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Compare each pair of two or more sets of scores.

    Parameters
    ----------
    sets : two or more, of different names
    resamples : of the bootstrap over patients, at least 40
    seed : the same seed gives the same intervals

    Raises
    ------
    ValueError
        When there are fewer than two sets, a name twice, or fewer than 40 resamples.
    """
    names = [one.name for one in sets]
    if len(sets) < 2 or len(set(names)) != len(names):
        raise ValueError("a comparison needs two sets or more, each with a name of its own")
    pairs = tuple(
        compare_two(a, b, resamples=resamples, seed=seed) for a, b in combinations(sets, 2)
    )
    places, p_values = [], []
    for number, pair in enumerate(pairs):
        for name, difference in pair.figures.items():
            places.append((number, name))
            p_values.append(difference.p_value)
        if pair.mcnemar is not None:
            places.append((number, "mcnemar"))
            p_values.append(pair.mcnemar.mid_p)
    both = zip(holm(p_values).tolist(), benjamini_hochberg(p_values).tolist(), strict=True)
    return Comparison(pairs, dict(zip(places, both, strict=True)))


def compare_two(a: Scored, b: Scored, *, resamples: int = 1000, seed: int = 0) -> Pair:
    """Compare two sets: paired where both hold the same units with the same patients and truth.

    Raises
    ------
    ValueError
        When there are fewer than 40 resamples.
    """
    shared = set(a.ids) & set(b.ids)
    counts = (len(shared), len(a.ids) - len(shared), len(b.ids) - len(shared))
    why = _why_unpaired(a, b, shared)
    rng = np.random.default_rng(seed)
    if why is not None:
        areas = compare_unpaired((a.scores, a.truth, a.patients), (b.scores, b.truth, b.patients))
        figures = {"auc": areas} | differences_unpaired(a, b, resamples, rng)
        return Pair(a.name, b.name, *counts, why, figures, None, "unit")
    b = _in_order(b, a.ids)
    areas = compare_paired(a.scores, b.scores, a.truth, a.patients)
    figures = {"auc": areas} | differences_paired(a, b, resamples, rng)
    test, unit = _mcnemar(a, b)
    return Pair(a.name, b.name, *counts, None, figures, test, unit)


def _why_unpaired(a: Scored, b: Scored, shared: set[str]) -> str | None:
    """Say why two sets cannot be paired, or return None."""
    if not len(shared) == len(a.ids) == len(b.ids):
        return (
            f"not measured on the same scans: {len(shared)} are shared, "
            f"{len(a.ids) - len(shared)} only in {a.name}, {len(b.ids) - len(shared)} only in "
            f"{b.name}"
        )
    facts_a = dict(zip(a.ids, zip(a.patients, a.truth.tolist(), strict=True), strict=True))
    facts_b = dict(zip(b.ids, zip(b.patients, b.truth.tolist(), strict=True), strict=True))
    differing = sum(facts_a[key] != facts_b[key] for key in facts_a)
    if differing:
        return f"{differing} of the {len(shared)} scans have another patient or truth in {b.name}"
    return None


def _in_order(one: Scored, ids: Sequence[str]) -> Scored:
    place = {key: i for i, key in enumerate(one.ids)}
    order = [place[key] for key in ids]
    return Scored(
        name=one.name,
        ids=tuple(ids),
        patients=tuple(one.patients[i] for i in order),
        scores=one.scores[order],
        truth=one.truth[order],
        threshold=one.threshold,
    )


def _mcnemar(a: Scored, b: Scored) -> tuple[McNemar, str]:
    """Test calls by patient where patients have several units, as the test takes strangers."""
    if len(set(a.patients)) == len(a.patients):
        rights = [(one.scores >= one.threshold) == one.truth for one in (a, b)]
        return mcnemar(*rights), "unit"
    joined = [join(one.scores, one.truth, one.patients, one.patients) for one in (a, b)]
    rights = [
        (whole.scores >= one.threshold) == whole.truth
        for whole, one in zip(joined, (a, b), strict=True)
    ]
    return mcnemar(*rights), "patient"
