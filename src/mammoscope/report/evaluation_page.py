"""The page of an evaluation: figures with intervals, drawings, groups, the worst errors, warnings.

It is made from `evaluation.json` alone, of a model on an archive, of a network of tiles or of
somebody's scores; pictures of the worst errors come from whoever has the scans.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

import mammoscope
from mammoscope.formats.files import write_atomic
from mammoscope.report.audit_page import thumbnail
from mammoscope.report.evaluation_figures import Captioned, drawings_of, drawings_of_runs
from mammoscope.report.evaluation_tables import (
    NONE,
    abstention_table,
    called,
    group_tables,
    sweep_table,
)
from mammoscope.report.findings import NOTICE
from mammoscope.report.run_record import RunRecord

PAGE = "evaluation.html"
WIDTH, MARGIN = 180, 6
MANY_ALIKE = 3
"""Rows of one warning from which on it is said once, above them."""
STRATA_RULE = "no figures for fewer than 20 patients"
"""Of evaluations that do not say."""
SECTIONS = {
    "tiles": "By tile",
    "scans": "By scan",
    "breasts": "By breast",
    "patients": "By patient",
    "at_threshold": "Calls at the model's threshold",
    "classes": "Classes",
    "froc": "Places: findings found at so many false positives a scan",
    "jafroc": "Places: JAFROC, a lesion's mark against the highest false mark of another scan",
    "pointing_game": "Places: the highest peak of a scan",
    "operating_points": "Marks at the threshold",
    "called_back": "Patients called back at the threshold",
    "calibration": "Calibration",
}
"""Titles of sections that hold figures, in the page's order; others follow under their names."""
NO_FIGURES = {
    *("schema", "model", "dataset", "counts", "curves", "worst", "warnings", "environment"),
    *("threshold", "strata", "strata_rule", "sweep"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A figure as the page shows it, with places on its drawing in pixels (None: not 0 to 1)."""

    name: str
    value: str
    interval: str
    measured: str
    warning: str
    places_px: tuple[float, float, float] | None


def write_evaluation_page(
    measured: Mapping[str, Any],
    path: str | Path,
    pictures: Mapping[str, NDArray[Any]] | None = None,
    runs: Sequence[RunRecord] = (),
) -> Path:
    """Write the page of an evaluation.

    Parameters
    ----------
    measured : content of `evaluation.json`
    path : the page's file
    pictures : scan_id -> ndarray of shape (rows, columns), of `worst_ids`; those missing are named
        without a picture
    runs : that trained the network, for their curves

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    target = Path(path)
    text = render(measured, pictures or {}, runs)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, text)
    return target


def worst_ids(measured: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the scans of which the page would show pictures."""
    return tuple(str(one["id"]) for one in measured.get("worst") or ())


def render(
    measured: Mapping[str, Any],
    pictures: Mapping[str, NDArray[Any]],
    runs: Sequence[RunRecord] = (),
) -> str:
    """Return the page of an evaluation as HTML that loads nothing from elsewhere."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("mammoscope.report") / "templates" / "evaluation.html.jinja"
    drawn = drawings_of(measured)
    return environment.from_string(template.read_text("utf-8")).render(
        notice=NOTICE,
        version=mammoscope.__version__,
        title=_title(measured),
        warnings=_warnings(measured),
        facts=_facts(measured),
        counts=[
            (name.replace("_", " "), f"{n:,}") for name, n in (measured.get("counts") or {}).items()
        ],
        sections=list(_sections(measured)),
        drawings=[_shown(one) for one in drawn if one.kind not in ("confusion", "sweep")],
        swept=[_shown(one) for one in drawn if one.kind == "sweep"],
        matrices=[_shown(one) for one in drawn if one.kind == "confusion"],
        training=[_shown(one) for one in drawings_of_runs(runs)],
        abstention=abstention_table(measured.get("called_back")),
        sweep=sweep_table(measured.get("sweep")),
        strata=group_tables(measured.get("strata") or {}),
        strata_rule=str(measured.get("strata_rule") or STRATA_RULE),
        worst=_worst(measured, pictures),
        failures=dict((measured.get("dataset") or {}).get("failures") or {}),
        width=WIDTH,
    )


def _title(measured: Mapping[str, Any]) -> str:
    model, dataset = measured.get("model") or {}, measured.get("dataset") or {}
    name = " ".join(str(model[key]) for key in ("name", "version") if model.get(key))
    return f"{name or 'A network'} on {dataset.get('name') or 'its scans'}"


def _warnings(measured: Mapping[str, Any]) -> list[str]:
    said = list(measured.get("warnings") or ())
    dataset = measured.get("dataset") or {}
    if dataset.get("trained_on") and not said:
        said.append("The model was trained on this archive, or on films of the same patients.")
    if dataset.get("audit_verdict") not in (None, "clean"):
        said.append(
            f"The audit of this set says {dataset['audit_verdict']!r}: the figures may come from "
            "leaks or shortcuts rather than from lesions."
        )
    return said


def _facts(measured: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Digests and versions: what it takes to measure the same again."""
    facts = []
    for part in ("model", "dataset", "threshold", "environment"):
        for name, value in (measured.get(part) or {}).items():
            if name != "failures" and not isinstance(value, Mapping):
                shown = "not audited" if name == "audit_verdict" and value is None else value
                facts.append((f"{part}: {name.replace('_', ' ')}", _plain(shown)))
    return facts


def _plain(value: Any) -> str:
    if value is None:
        return NONE
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _sections(measured: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    others = [name for name in measured if name not in SECTIONS and name not in NO_FIGURES]
    for name in (*SECTIONS, *others):
        part = measured.get(name)
        rows, shared = _said_once(list(_rows(part, "")))
        if rows:
            told = part if isinstance(part, Mapping) else {}
            yield {
                "name": name,
                "title": SECTIONS.get(name, name.replace("_", " ").capitalize()),
                "notes": [
                    *(str(told[key]) for key in ("joined_by", "rule") if told.get(key)),
                    *(_fitted(key, one) for key, one in told.items() if name == "calibration"),
                    shared,
                ],
                "rows": rows,
            }


def _said_once(rows: list[_Row]) -> tuple[list[_Row], str]:
    """Take the commonest warning off a table's rows where each has one, and say it above."""
    warnings = [row.warning for row in rows if row.warning]
    common = max(set(warnings), key=warnings.count, default="")
    if len(warnings) < len(rows) or warnings.count(common) < MANY_ALIKE:
        return rows, ""
    bare = [replace(row, warning="") if row.warning == common else row for row in rows]
    return bare, f"Unless a row says otherwise: {common}."


def _fitted(name: str, part: Any) -> str:
    """Say how scores became probabilities, and what calibration error chance alone makes."""
    if not isinstance(part, Mapping):
        return ""
    how = f"{part['kind']} ({part['numbers']}), " if part.get("numbers") else ""
    told = f"{name}: {part.get('meaning', '')}; {how}fitted on {part.get('fitted_on', 'nothing')}."
    by_chance = part.get("ece_if_calibrated")
    if by_chance is None:
        return told
    return f"{told} Of a perfect model the calibration error would be {by_chance:.3f} by chance."


def _rows(part: Any, name: str) -> Iterator[_Row]:
    """Walk down to the figures: a figure is what has a value, a low and a high end."""
    if isinstance(part, list):
        for item in part:
            yield from _rows(item, _joined(name, _mark(item)))
    elif isinstance(part, Mapping):
        if {"value", "low", "high"} <= part.keys():
            yield _row(name, part)
            return
        for key, value in part.items():
            if key == "abstention":
                # It has a table of its own.
                continue
            yield from _rows(value, name if key == "figures" else _joined(name, called(key)))


def _joined(name: str, more: str) -> str:
    return ": ".join(one for one in (name, more) if one)


def _mark(item: Any) -> str:
    """Say what tells an item of a list from the others."""
    if isinstance(item, Mapping):
        if isinstance(item.get("fp_per_scan"), int | float):
            return f"at {item['fp_per_scan']:g} false positives a scan"
        if "threshold" in item:
            return f"at the threshold {item['threshold']:.3g}"
    return ""


def _row(name: str, figure: Mapping[str, Any]) -> _Row:
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    whole = value is not None and low is not None and high is not None
    inside = whole and min(low, value) >= 0 and max(high, value) <= 1
    return _Row(
        name=name,
        value=NONE if value is None else f"{value:.3f}",
        interval=f"{low:.3f} to {high:.3f}" if whole else NONE,
        measured=f"{figure.get('n', 0):,} ({figure.get('n_patients', 0):,} patients)",
        warning=str(figure.get("warning") or ""),
        places_px=(_place(low), _place(value), _place(high)) if inside else None,
    )


def _place(share: float) -> float:
    return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def _worst(
    measured: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]
) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in measured.get("worst") or ():
        picture = pictures.get(one["id"])
        groups.setdefault(one["error"], []).append(
            {
                "caption": f"{one['id']} · {one['patient_id']} · score {one['score']:.3f}",
                "source": None if picture is None else thumbnail(np.asarray(picture)),
            }
        )
    titles = {
        "scored low": "Positives that scored lowest",
        "scored high": "Negatives that scored highest",
    }
    return [
        {"title": titles.get(error, error), "pictures": pictures_of}
        for error, pictures_of in groups.items()
    ]


def _shown(one: Captioned) -> dict[str, str]:
    return {"svg": one.drawing.embedded(), "caption": one.caption}
