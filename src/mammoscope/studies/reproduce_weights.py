"""The weight experiment of `mammoscope train --experiment`, read for Table 4."""

import json
from pathlib import Path
from typing import Any

from mammoscope.core.errors import BadValueError, CorruptFileError, MissingFileError
from mammoscope.formats.one_line import one_line

SCHEMA, OPTION = "mammoscope.experiment/1", "loss.positive_weight"
NAMES = ("accuracy", "recall", "precision", "auc")


def figures_by_weight(path: Path) -> dict[float, dict[str, Any]]:
    """Read an ``experiment.json`` that varied the weight of the abnormal tiles.

    Returns
    -------
    dict
        Weight to `NAMES`, each a figure as `evaluation.json` holds it (mean over the seeds, its
        interval over patients), with `tiles`, `abnormal`, `patients`, and `said`: network, seeds,
        epochs and tiles in a few words.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is damaged or another kind of record.
    BadValueError
        When it varied another option.
    """
    if not path.is_file():
        raise MissingFileError(
            f"{path}: there is no such file; run `mammoscope train --config "
            "configs/experiment-base.toml --experiment configs/experiment-weight.toml` first."
        )
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema, option = record["schema"], record["option"]
        found = {float(word): _figures(record, word) for word in record["values"]}
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise CorruptFileError(
            f"{path}: cannot be read as an experiment ({one_line(error)}); run it again."
        ) from error
    if schema != SCHEMA:
        raise CorruptFileError(
            f"{path}: is a record {schema!r}, and {SCHEMA!r} was expected; run it again."
        )
    if option != OPTION:
        raise BadValueError(f"{path}: varied {option!r}, and Table 4 varies {OPTION!r}.")
    return found


def _figures(record: dict[str, Any], word: str) -> dict[str, Any]:
    patients = record["patients"]
    spreads = {one["name"]: one for one in record["spreads"][word]}
    told: dict[str, Any] = {key: patients[key] for key in ("tiles", "abnormal", "patients")}
    for name in NAMES:
        if name in spreads:
            told[name] = _figure(spreads[name], patients)
    kind = {"both": "validation and test"}.get(patients["kind"], patients["kind"])
    told["said"] = (
        f"{record['network']} on tiles of recipe {record['tiles']['recipe']}, "
        f"{len(record['seeds'])} seeds of {record['epochs']} epochs, means on the "
        f"{kind} patients"
    )
    return told


def _figure(spread: dict[str, Any], patients: dict[str, Any]) -> dict[str, Any]:
    low, high = spread["by_patients"] or (None, None)
    return {
        "value": spread["mean"],
        "low": low,
        "high": high,
        "n": patients["tiles"],
        "n_patients": patients["patients"],
        "method": "mean over the seeds, 95 % BCa bootstrap over patients",
    }
