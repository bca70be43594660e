"""The contract that travels with every set of weights: what goes in, what comes out, where from.

It is plain data, kept as JSON in the header of the weights' safetensors file. Nothing runs a model
without it, and `mammoscope.scans.prepare` turns a scan into a network's input from its `input` half
alone, in training, evaluation and reading alike.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mammoscope.core.errors import UnknownNameError, WeightsError

SCHEMA = "mammoscope.contract/1"
CALIBRATION_KINDS = ("platt", "temperature", "isotonic")
NEAREST_TO_ENDS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What a network takes: one grey image at a fixed physical spacing.

    Attributes
    ----------
    spacing_mm : side of an input pixel in millimetres; square pixels
    grey_rule : name of a rule in `mammoscope.scans.greys.RULES`
    grey_numbers : the rule's numbers, by name
    value_range : smallest and largest value of a prepared image
    polarity : "dense-bright": dense tissue is bright
    orientation : "chest-wall-left" (right or left breasts are mirrored) or "as-acquired"
    margin_mm : how much is kept round the breast when the film's empty part is cut off
    multiple_px : prepared images are padded at the bottom and right to multiples of this
    """

    spacing_mm: float
    grey_rule: str
    grey_numbers: Mapping[str, float]
    value_range: tuple[float, float] = (0.0, 1.0)
    polarity: str = "dense-bright"
    orientation: str = "chest-wall-left"
    margin_mm: float = 5.0
    multiple_px: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSpec:
    """What a network answers.

    Attributes
    ----------
    targets : names of the output channels in order
    activation : "sigmoid" or "softmax"
    stride_px : input pixels for one output place; None for one answer a tile
    also_upside_down : whether the answer is the mean of that for the scan as it is and of that for
        the scan upside down, as each place's scores
    """

    targets: tuple[str, ...]
    activation: str
    stride_px: int | None = None
    also_upside_down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A threshold on the lesion score, how it was chosen, and what it did there.

    Attributes
    ----------
    threshold : a place that scores at least this is marked
    chosen_by : the rule and the scans, in words that go on from "the threshold that gave"
    name : what a user chooses it by
    sensitivity, fp_per_scan : figures as in `evaluation.json`: the share of findings marked, and
        false marks a scan; None where they were not measured
    measured_on : the scans of both figures, in words; "" where they were not measured
    """

    threshold: float
    chosen_by: str
    name: str = "balanced"
    sensitivity: Mapping[str, Any] | None = None
    fp_per_scan: Mapping[str, Any] | None = None
    measured_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a raw score becomes a probability, and on what ground.

    Attributes
    ----------
    slope, intercept : of "platt" (Platt 1999) and "temperature" (Guo et al. 2017; the slope is 1
        over the temperature, the intercept 0): probability = sigmoid(slope * logit(score) +
        intercept)
    fitted_on : what the numbers were fitted on, in words
    meaning : of what it is the probability, in words
    kind : "platt", "temperature" or "isotonic"
    points : of "isotonic" (Zadrozny & Elkan 2002): (score, probability), rising in the first and
        never falling in the second; straight lines between, flat outside

    Raises
    ------
    ValueError
        When the kind is unknown, its numbers are missing or those of another kind are given.
    """

    slope: float | None = None
    intercept: float | None = None
    fitted_on: str
    meaning: str
    kind: str = "platt"
    points: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in CALIBRATION_KINDS:
            raise ValueError(f"no calibration is called {self.kind!r}")
        is_line = self.slope is not None and self.intercept is not None
        if is_line == bool(self.points) or is_line == (self.kind == "isotonic"):
            raise ValueError(f"the numbers of a calibration by {self.kind} are incomplete")
        if self.kind == "temperature" and (self.intercept != 0 or not (self.slope or 0) > 0):
            raise ValueError("a calibration by temperature needs a slope above 0, intercept 0")
        if self.points:
            _check_points(np.array(self.points, dtype=np.float64))

    def probabilities(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Turn raw scores into probabilities.

        Parameters
        ----------
        scores : of any shape, in [0, 1]; with "platt" and "temperature" those nearer than
            0.000001 to 0 or 1 are moved to there, as their logits are infinite

        Returns
        -------
        ndarray of the same shape, in [0, 1]

        Raises
        ------
        ValueError
            When a score lies outside [0, 1] or is not a number.
        """
        values = np.asarray(scores, dtype=np.float64)
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError("scores must lie in [0, 1]")
        if self.slope is None or self.intercept is None:
            at, risen = np.array(self.points, dtype=np.float64).T
            return np.asarray(np.interp(values, at, risen), dtype=np.float64)
        inside = np.clip(values, NEAREST_TO_ENDS, 1 - NEAREST_TO_ENDS)
        logits = self.slope * np.log(inside / (1 - inside)) + self.intercept
        # The sigmoid in a form that neither overflows nor rounds small probabilities to 0.
        return np.asarray(np.exp(-np.logaddexp(0, -logits)), dtype=np.float64)

    @property
    def numbers(self) -> str:
        """The kind and its numbers in words, for a model's card."""
        if self.slope is None or self.intercept is None:
            return f"isotonic, {len(self.points)} points"
        if self.kind == "temperature":
            return f"temperature {1 / self.slope:.3f}"
        return f"slope {self.slope:.3f}, intercept {self.intercept:.3f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContract:
    """Everything that must be known to run a set of weights and to judge its answer.

    `figures` holds measured figures as in `evaluation.json`, by name; `origin` holds archives,
    split, settings, code version, command and licence; `limits` what the model cannot do.
    `operating_points` are all that were chosen, the most sensitive first; `operating_point` is the
    one in use. Contracts of before there were several hold that one alone.

    Raises
    ------
    ValueError
        When two operating points have one name.
    """

    name: str
    version: str
    architecture: str
    input: InputSpec
    output: OutputSpec
    operating_point: OperatingPoint | None = None
    calibration: Calibration | None = None
    breast_calibration: Calibration | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()

    def __post_init__(self) -> None:
        names = [point.name for point in self.operating_points]
        if len(set(names)) != len(names):
            raise ValueError("two operating points have one name")

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """Every operating point that can be used, the most sensitive first."""
        if self.operating_points:
            return self.operating_points
        return () if self.operating_point is None else (self.operating_point,)

    def using(self, name: str) -> "ModelContract":
        """Return the contract with another of its operating points in use.

        Raises
        ------
        UnknownNameError
            When it has none of that name.
        """
        for point in self.points:
            if point.name == name:
                return replace(self, operating_point=point)
        raise UnknownNameError.among(
            "operating point of this model", name, [point.name for point in self.points]
        )

    def to_json(self) -> str:
        """Return the contract as JSON text with sorted keys."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "ModelContract":
        """Read a contract back from `to_json`'s text.

        Raises
        ------
        WeightsError
            When the text is no contract, or one of a newer schema.
        """
        try:
            values = json.loads(text)
            schema = values.pop("schema")
            if schema != SCHEMA:
                raise WeightsError(
                    f"The weights' contract has schema {schema!r}, but this version reads "
                    f"{SCHEMA!r}; use weights and a mammoscope of the same version."
                )
            given = values.pop("input")
            given["value_range"] = tuple(given["value_range"])
            answer = values.pop("output")
            answer["targets"] = tuple(answer["targets"])
            point = values.pop("operating_point")
            calibrations = {
                key: _calibration(values[key]) if values[key] else None
                for key in ("calibration", "breast_calibration")
            }
            return cls(
                **{
                    **values,
                    **calibrations,
                    "input": InputSpec(**given),
                    "output": OutputSpec(**answer),
                    "operating_point": OperatingPoint(**point) if point else None,
                    "operating_points": tuple(
                        OperatingPoint(**one) for one in values.get("operating_points", ())
                    ),
                    "limits": tuple(values["limits"]),
                }
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise WeightsError(
                f"The weights' contract cannot be read ({error}); get the weight file again."
            ) from error


def _calibration(values: Mapping[str, Any]) -> Calibration:
    """Read a calibration back; contracts of before there were kinds hold Platt's two numbers."""
    points = tuple((float(score), float(chance)) for score, chance in values.get("points", ()))
    return Calibration(**{**values, "points": points})


def _check_points(points: NDArray[np.float64]) -> None:
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError("each point of a calibration is a score and a probability")
    scores, chances = points.T
    in_range = ((points >= 0) & (points <= 1)).all()
    if not in_range or (np.diff(scores) <= 0).any() or (np.diff(chances) < 0).any():
        raise ValueError("the points of a calibration must rise and lie in [0, 1]")
