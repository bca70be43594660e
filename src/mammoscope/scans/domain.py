"""How like the training scans a scan is, and what is wrong with it where it is not.

A guard holds one check for each kind of fault and one distance. Both work on the statistics of
`mammoscope.scans.domain_statistics`. A check is a linear score of the standardised statistics and
of their squares; the distance is Mahalanobis' (1936). `mammoscope.scans.domain_fit` makes guards.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mammoscope.core.errors import WeightsError
from mammoscope.core.reading import DomainStatement
from mammoscope.core.vocabulary import ViewPosition
from mammoscope.scans.domain_statistics import NAMES

SCHEMA = "mammoscope.domain/2"
FARTHEST = 8.0
"""Standardised statistics are cut at this distance, so that no single one decides alone."""
REASONS = {
    "inverted": "its greys look inverted: black and white seem to be exchanged",
    "spacing doubled": "frame and breast are too large: its pixels seem to be smaller than said",
    "spacing halved": "frame and breast are too small: its pixels seem to be larger than said",
    "raw detector counts": "its greys look like raw detector counts (FOR PROCESSING)",
    "highlights clipped": "much of the breast is plain white: its highlights are cut off",
    "shadows clipped": "much of the breast is plain black: its shadows are cut off",
    "turned by 90 degrees": "the chest wall is at no side: it seems to be turned by 90 degrees",
    "turned by 180 degrees": "the chest muscle is at the bottom: it seems to stand on its head",
    "implant": "a large smooth bright area with a sharp rim looks like an implant",
    "film border": "wide bright strips lie along its edge: the border of the film was not cut off",
    "no mammogram": "it looks like a photograph, a screen or another body part, not a mammogram",
}
"""What a report says of each kind of fault."""
STRANGE = "no mammogram"
"""The one kind that is not a fault of a mammogram."""
UNLIKE = "it is unlike the training scans as a whole, most of all in: "


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Check:
    """A check for one kind of fault.

    Attributes
    ----------
    kind : a key of `REASONS`
    weights : ndarray of shape (2 * len(NAMES),), float64, of `features`
    bias : added to the score
    limit : a scan is flagged where its score is higher
    views : the views that it holds for; none for all
    """

    kind: str
    weights: NDArray[np.float64]
    bias: float
    limit: float
    views: tuple[ViewPosition, ...] = ()

    def score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score standardised statistics of shape (..., len(NAMES)); above `limit` is flagged."""
        return np.asarray(features(values) @ self.weights + self.bias)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Guard:
    """What the scans of an archive look like.

    Attributes
    ----------
    archive : the archive's name
    made_by : the command that makes the guard
    centre, scale : ndarrays of shape (len(NAMES),): standardise the statistics
    middle : ndarray of the same shape, float64: mean of the standardised statistics
    inverse : ndarray of shape (len(NAMES), len(NAMES)): inverse of their covariance
    distances : ndarray of shape (101,), rising: the training scans' distances, by hundredths
    odd : a scan is doubtful where its distance is larger
    farthest : a scan is unlike those of training where its distance is larger
    """

    archive: str
    made_by: str
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    middle: NDArray[np.float64]
    inverse: NDArray[np.float64]
    distances: NDArray[np.float64]
    odd: float
    farthest: float
    checks: tuple[Check, ...]

    def standardised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring statistics of shape (..., len(NAMES)) to the training scans' centre and scale."""
        return np.asarray(np.clip((values - self.centre) / self.scale, -FARTHEST, FARTHEST))

    def distance(self, standardised: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mahalanobis distance of standardised statistics from the training scans, at least 0."""
        off = standardised - self.middle
        square = np.einsum("...i,ij,...j->...", off, self.inverse, off)
        return np.asarray(np.sqrt(np.maximum(square, 0)))

    def judge(
        self,
        values: NDArray[np.float64],
        view: ViewPosition | None = None,
        *,
        declared: bool = False,
    ) -> DomainStatement:
        """Say how like the training scans a scan is.

        Parameters
        ----------
        values : ndarray of shape (len(NAMES),), from `domain_statistics.statistics_of`
        view : some checks hold for some views only, and are left out where it is not known
        declared : the file's own header says that it is a mammogram, so a guess that it is none,
            or a large distance, makes a doubt only
        """
        z = self.standardised(values)
        over = [
            (float(check.score(z)) - check.limit, check.kind)
            for check in self.checks
            if not check.views or view in check.views
        ]
        found = [kind for excess, kind in sorted(over, reverse=True) if excess > 0]
        distance = float(self.distance(z))
        reasons = [REASONS[kind] for kind in found]
        if distance > self.odd:
            reasons.append(UNLIKE + ", ".join(self._oddest(z)))
        sure = [kind for kind in found if not (declared and kind == STRANGE)]
        share = float(np.searchsorted(self.distances, distance)) / (len(self.distances) - 1)
        return DomainStatement(
            verdict=_verdict(
                refused=bool(sure) or (distance > self.farthest and not declared),
                doubted=bool(reasons),
            ),
            reasons=tuple(reasons),
            kinds=tuple(found),
            likeness=max(0.0, 1 - share),
        )

    def _oddest(self, z: NDArray[np.float64]) -> list[str]:
        """Name the three statistics that bring most to the distance."""
        off = z - self.middle
        part = off * (self.inverse @ off)
        return [NAMES[i] for i in np.argsort(-part)[:3]]


def _verdict(*, refused: bool, doubted: bool) -> Literal["like", "doubtful", "unlike"]:
    if refused:
        return "unlike"
    return "doubtful" if doubted else "like"


def features(standardised: NDArray[np.float64]) -> NDArray[np.float64]:
    """Statistics and their squares: a fault may lie on either side of what is usual."""
    return np.concatenate([standardised, standardised**2 / FARTHEST], axis=-1)


def guard_to_json(guard: Guard) -> str:
    """Write a guard as JSON, with the SHA-256 digest of what it holds."""
    content = {
        "schema": SCHEMA,
        "archive": guard.archive,
        "made_by": guard.made_by,
        "names": list(NAMES),
        "centre": _short(guard.centre),
        "scale": _short(guard.scale),
        "middle": _short(guard.middle),
        "inverse": [_short(row) for row in guard.inverse],
        "distances": _short(guard.distances),
        "odd": round(guard.odd, 6),
        "farthest": round(guard.farthest, 6),
        "checks": [
            {
                "kind": check.kind,
                "views": list(check.views),
                "limit": round(check.limit, 6),
                "bias": round(check.bias, 6),
                "weights": _short(check.weights),
            }
            for check in guard.checks
        ],
    }
    return json.dumps({"digest": _digest(content), **content}, indent=1) + "\n"


def guard_from_json(text: str) -> Guard:
    """Read a guard.

    Raises
    ------
    WeightsError
        When it is not one, was changed since it was made, or is of other statistics.
    """
    try:
        content = json.loads(text)
        digest = content.pop("digest")
        if digest != _digest(content):
            raise WeightsError(
                "the guard's file was changed since it was made; install the package again, or "
                f"make it again with `{content['made_by']}`."
            )
        if content["schema"] != SCHEMA or tuple(content["names"]) != NAMES:
            raise WeightsError(
                "the guard's file is of other statistics than this version takes; make it again "
                f"with `{content['made_by']}`."
            )
        return _guard(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"the guard's file is damaged ({type(error).__name__}); install the package again."
        ) from error


def _guard(content: dict[str, Any]) -> Guard:
    return Guard(
        archive=content["archive"],
        made_by=content["made_by"],
        centre=np.array(content["centre"]),
        scale=np.array(content["scale"]),
        middle=np.array(content["middle"]),
        inverse=np.array(content["inverse"]),
        distances=np.array(content["distances"]),
        odd=float(content["odd"]),
        farthest=float(content["farthest"]),
        checks=tuple(
            Check(
                kind=check["kind"],
                weights=np.array(check["weights"]),
                bias=float(check["bias"]),
                limit=float(check["limit"]),
                views=tuple(ViewPosition(view) for view in check["views"]),
            )
            for check in content["checks"]
        ),
    )


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _short(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
