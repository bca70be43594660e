"""The report of an exam: one self-contained page, one PNG a view, and `findings.json`."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

import mammoscope
from mammoscope.core.contract import ModelContract
from mammoscope.core.reading import ExamReading, ScanReading
from mammoscope.core.vocabulary import Laterality, SpacingSource
from mammoscope.formats.files import write_atomic
from mammoscope.report.explaining import whys
from mammoscope.report.findings import NOTICE, findings_json
from mammoscope.report.hanging import HungView, hang
from mammoscope.report.pictures import BAR_MM, grey_jpeg, heat_colours, heat_png, view_png

SOURCES = {
    SpacingSource.HEADER: "file header",
    SpacingSource.DDSM_JOIN: "table of matching DDSM films",
    SpacingSource.ARCHIVE: "the archive's description",
    SpacingSource.ASSUMED: "assumed",
    SpacingSource.USER: "given by the user",
}
NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
SIDES = {"L": "left breast", "R": "right breast", None: "breast of unknown side"}
ORIGIN = {
    "archives": "Trained on",
    "settings": "Settings",
    "split": "Digest of the folds",
    "code": "Code",
    "command": "Made by",
    "licence": "Licence and attribution",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """A detection as the page shows it: number, place on the view in pixels, and its words."""

    number: int
    left: float
    top: float
    width: float
    height: float
    size_mm: str
    place_mm: str
    score: str
    malignancy: str
    probability: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A view as the page shows it."""

    key: str
    title: str
    present: bool
    mirrored: bool
    file: str
    spacing: str
    source: str
    assumed: bool
    score: str
    malignancy: str
    likeness: str
    warnings: tuple[str, ...]
    marks: tuple[_Mark, ...]
    grey: str
    heat: str


def write_report(reading: ExamReading, out_dir: str | Path) -> Path:
    """Write the report of a reading into a folder, which is made where it is missing.

    ``report.html``, one PNG a view named after side and view, and ``findings.json``: each is
    written whole or not at all, and where one cannot be written the new ones before it are taken
    away again.

    Returns
    -------
    Path of ``report.html``.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    folder = Path(out_dir)
    hung = hang(reading.scans)
    spacing = reading.scans[0].picture_spacing_mm
    contents: dict[str, bytes | str] = {
        f"{name}.png": view_png(view, spacing, f"lesion score {view.reading.score:.2f}")
        for name, view in zip(_names(hung), hung, strict=True)
        if view.reading is not None
    }
    contents["findings.json"] = json.dumps(findings_json(reading), indent=1, allow_nan=False) + "\n"
    contents["report.html"] = render(reading, hung)
    folder.mkdir(parents=True, exist_ok=True)
    _write_all(folder, contents)
    return folder / "report.html"


def _write_all(folder: Path, contents: Mapping[str, bytes | str]) -> None:
    """Write files, or none of those that were not there before."""
    new: list[Path] = []
    try:
        for name, content in contents.items():
            path = folder / name
            fresh = not path.exists()
            write_atomic(path, content)
            if fresh:
                new.append(path)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def render(reading: ExamReading, hung: tuple[HungView, ...]) -> str:
    """Return the page of a reading as HTML that loads nothing from elsewhere."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates = files("mammoscope.report") / "templates"
    source = (templates / "report.html.jinja").read_text("utf-8")
    script = (templates / "report.js").read_text("utf-8")
    contract = reading.contract
    views = [_view(key, view) for key, view in zip(_names(hung), hung, strict=True)]
    rows, columns = hung[0].picture.shape
    return environment.from_string(source).render(
        notice=NOTICE,
        version=mammoscope.__version__,
        script=script,
        # The page's policy names this one script, so no other text can ever run.
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        legend=_legend(),
        whys=[(why, _data("image/png", why.png)) for why in whys(hung)],
        reading=reading,
        headline=_headline(reading, sum(len(view.marks) for view in views)),
        views=views,
        rows=rows,
        columns=columns,
        bar_px=BAR_MM / reading.scans[0].picture_spacing_mm,
        bar_mm=f"{BAR_MM:g}",
        breasts=_breasts(reading),
        failures=[
            reason if name in reason else f"{name}: {reason}"
            for name, reason in reading.failures.items()
        ],
        exam={
            "score": _two(reading.score),
            "malignancy": _two(reading.malignancy),
            "probability": _two(reading.probability),
        },
        contract=contract,
        threshold=_two(contract.operating_point.threshold) if contract.operating_point else None,
        points=_points(contract),
        figures=_figures(contract),
        origin=[
            (ORIGIN.get(key, key), value)
            for key, value in sorted(
                contract.origin.items(), key=lambda item: [*ORIGIN, item[0]].index(item[0])
            )
        ],
    )


def _breasts(reading: ExamReading) -> list[dict[str, str]]:
    """Words for the breasts, in the order in which their views hang: right before left."""
    order = (Laterality.RIGHT, Laterality.LEFT, None)
    return [
        {
            "name": SIDES[breast.laterality],
            "score": _two(breast.score),
            "malignancy": _two(breast.malignancy),
            "probability": _two(breast.probability),
            "against_other": _two(breast.score_against_other),
        }
        for breast in sorted(reading.breasts, key=lambda breast: order.index(breast.laterality))
    ]


def _legend() -> str:
    """Colours of the scores 0 to 1 as the stops of a CSS gradient."""
    colours = heat_colours(np.linspace(0, 1, 11, dtype=np.float32))
    return ", ".join(f"rgb({r} {g} {b} / {a / 255:.2f})" for r, g, b, a in colours.tolist())


def _names(hung: tuple[HungView, ...]) -> list[str]:
    """Name a file for each view, such as R_CC; a second scan of the same view is R_CC-2."""
    names: list[str] = []
    for view in hung:
        plain = view.title.replace("?", "unknown").replace(" ", "_")
        name, copy = plain, 2
        while name in names:
            name, copy = f"{plain}-{copy}", copy + 1
        names.append(name)
    return names


def _headline(reading: ExamReading, marks: int) -> str:
    scans = len(reading.scans)
    places = "no place" if marks == 0 else "1 place" if marks == 1 else f"{marks} places"
    text = f"{places} marked on {scans} scan{'s' if scans > 1 else ''}"
    if reading.probability is not None and len(reading.breasts) > 1:
        worst = max(reading.breasts, key=lambda breast: breast.malignancy)
        text += f"; more suspicious is the {SIDES[worst.laterality]}"
    return text[0].upper() + text[1:] + "."


def _view(key: str, view: HungView) -> _View:
    scan = view.reading
    if scan is None:
        return _View(
            key=key, title=view.title, present=False, mirrored=False, file="", spacing="",
            source="", assumed=False, score="", malignancy="", likeness="", warnings=(), marks=(),
            grey="", heat="",
        )  # fmt: skip
    row, column = (f"{1000 * side:.4g}" for side in scan.spacing_mm)
    return _View(
        key=key,
        title=view.title,
        present=True,
        mirrored=view.mirrored,
        file=scan.file,
        spacing=f"{row} µm" if row == column else f"{row} {TIMES} {column} µm",
        source=SOURCES[scan.spacing_source],
        assumed=scan.spacing_source is SpacingSource.ASSUMED,
        score=_two(scan.score),
        malignancy=_two(scan.malignancy),
        likeness=_likeness(scan),
        warnings=scan.warnings,
        marks=_marks(view),
        grey=_data("image/jpeg", grey_jpeg(view.picture)),
        heat=_data("image/png", heat_png(view.heat)),
    )


def _likeness(scan: ScanReading) -> str:
    if scan.domain is None:
        return NONE
    return f"{scan.domain.verdict} ({scan.domain.likeness:.2f})"


def _marks(view: HungView) -> tuple[_Mark, ...]:
    found = view.reading.detections if view.reading else ()
    return tuple(
        _Mark(
            number=number,
            left=box.left,
            top=box.top,
            width=box.width,
            height=box.height,
            size_mm=f"{detection.box_mm[1]:.0f} {TIMES} {detection.box_mm[0]:.0f} mm",
            place_mm="{:.0f} mm down, {:.0f} mm across".format(*detection.centre_mm),
            score=_two(detection.score),
            malignancy=_two(detection.malignancy),
            probability=_two(detection.probability),
        )
        for number, (box, detection) in enumerate(zip(view.boxes, found, strict=True), start=1)
    )


def _points(contract: ModelContract) -> list[dict[str, str]]:
    """Every operating point as a row of words; the one in use says so."""
    return [
        {
            "name": point.name.replace("-", " ")
            + (" (used here)" if point == contract.operating_point else ""),
            "threshold": _two(point.threshold),
            "sensitivity": _with_interval(point.sensitivity),
            "fp_per_scan": _with_interval(point.fp_per_scan),
            "measured_on": point.measured_on or "not measured",
        }
        for point in contract.points
    ]


def _with_interval(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return NONE
    interval = _interval(figure.get("low"), figure.get("high"))
    return f"{_three(figure.get('value'))} ({interval})"


def _figures(contract: ModelContract) -> list[dict[str, Any]]:
    """Measured figures in groups: what they were measured on, then name, value and interval."""
    groups: dict[str, list[dict[str, str]]] = {}
    for key, figure in contract.figures.items():
        where, _, name = key.rpartition(": ")
        groups.setdefault(where or "measured", []).append(
            {
                "name": name,
                "value": _three(figure.get("value")),
                "interval": _interval(figure.get("low"), figure.get("high")),
                "n": f"{figure.get('n', NONE)} ({figure.get('n_patients', NONE)} patients)",
            }
        )
    return [{"where": where, "rows": rows} for where, rows in groups.items()]


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _interval(low: float | None, high: float | None) -> str:
    return NONE if low is None or high is None else f"{_three(low)} to {_three(high)}"


def _two(value: float | None) -> str:
    return NONE if value is None or not isfinite(value) else f"{value:.2f}"


def _three(value: float | None) -> str:
    return NONE if value is None or not isfinite(value) else f"{value:.3f}"
