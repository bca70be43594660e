"""The contract that travels with every set of weights: what goes in, what comes out, where from.

It is plain data, kept as JSON in the header of the weights' safetensors file. Nothing runs a model
without it, and `mammoscope.scans.prepare` turns a scan into a network's input from its `input` half
alone, in training, evaluation and reading alike.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mammoscope.core.errors import WeightsError

SCHEMA = "mammoscope.contract/1"


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
    """

    targets: tuple[str, ...]
    activation: str
    stride_px: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A threshold on the lesion score, and how it was chosen."""

    threshold: float
    chosen_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """probability = sigmoid(slope * logit(score) + intercept) (Platt 1999), with its ground."""

    slope: float
    intercept: float
    fitted_on: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContract:
    """Everything that must be known to run a set of weights and to judge its answer.

    `figures` holds measured figures as in `evaluation.json`, by name; `origin` holds archives,
    split, settings, code version, command and licence; `limits` what the model cannot do.
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
                key: Calibration(**values[key]) if values[key] else None
                for key in ("calibration", "breast_calibration")
            }
            return cls(
                **{
                    **values,
                    **calibrations,
                    "input": InputSpec(**given),
                    "output": OutputSpec(**answer),
                    "operating_point": OperatingPoint(**point) if point else None,
                    "limits": tuple(values["limits"]),
                }
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise WeightsError(
                f"The weights' contract cannot be read ({error}); get the weight file again."
            ) from error
