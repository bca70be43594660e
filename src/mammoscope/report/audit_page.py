"""The page of an audit: verdict, reasons with pictures, figures with intervals, leaks in pairs."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import mammoscope
from mammoscope.formats.files import write_atomic
from mammoscope.report.findings import NOTICE
from mammoscope.tiles.audit.pictures import Pictures
from mammoscope.tiles.audit.report import Audit
from mammoscope.tiles.audit.shortcuts import Told
from mammoscope.tiles.audit.verdict import GROUP_WORDS, WORDS, limit_of

PAGE = "audit.html"
SIDE_PX = 176
PAIRS_A_KIND, MOST_PAIRS = 6, 24
LEFT_AREA, RIGHT_AREA = 0.35, 1.0
WIDTH, MARGIN = 220, 8
VERDICTS = {
    "clean": "Neither leaks nor shortcuts were found.",
    "suspect": "The label can be told, or might be told, without looking at lesions.",
    "leaking": "Splits share patients, scans, lesions or pictures: what is measured here is wrong.",
}
NONE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """A picture as the page shows it."""

    source: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A figure as the page shows it, with places on its drawing in pixels."""

    features: str
    value: str
    interval: str
    chance: str
    within: str
    limit: str
    measured: str
    feature: str
    over: bool
    low_px: float
    high_px: float
    value_px: float
    chance_px: float
    limit_px: float | None


def write_audit_page(audit: Audit, pictures: Pictures, out_dir: str | Path) -> Path:
    """Write `audit.html` into a folder, which is made where it is missing.

    Raises
    ------
    OSError
        When the folder cannot be written.
    MammoscopeError
        When a picture can no longer be read.
    """
    folder = Path(out_dir)
    text = render(audit, pictures)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / PAGE, text)
    return folder / PAGE


def render(audit: Audit, pictures: Pictures) -> str:
    """Return the page of an audit as HTML that loads nothing from elsewhere."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files("mammoscope.report") / "templates" / "audit.html.jinja"
    return environment.from_string(template.read_text("utf-8")).render(
        notice=NOTICE,
        version=mammoscope.__version__,
        audit=audit,
        verdict=str(audit.verdict),
        summary=VERDICTS[str(audit.verdict)],
        reasons=audit.reasons,
        told=[
            {
                "title": reason.sentence.partition(":")[0].partition(" (")[0] + ".",
                "pictures": _shown(pictures, reason.pictures),
            }
            for reason in audit.reasons
            if reason.kind == "shortcut"
        ],
        pairs=_pairs(audit, pictures),
        groups=_groups(audit.shortcuts.told),
        width=WIDTH,
        half_px=_place(0.5),
        labels=sorted({label for _, label, _ in audit.counts}),
        splits=_splits(audit),
    )


def thumbnail(image: NDArray[Any]) -> str:
    """Return a picture as a data URL: a JPEG of at most `SIDE_PX` a side, stretched for the eye."""
    step = max(1, min(image.shape) // 512)
    low, high = (float(v) for v in np.percentile(image[::step, ::step], (0.5, 99.5)))
    if image.dtype == np.uint8:
        # Tiles keep their own levels: how dark they are may be the very thing to see.
        low, high = 0.0, 255.0
    scaled = np.clip((image.astype(np.float32) - low) * (255 / max(high - low, 1.0)), 0, 255)
    small = Image.fromarray(scaled.astype(np.uint8))
    small.thumbnail((SIDE_PX, SIDE_PX))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _shown(pictures: Pictures, positions: Sequence[int]) -> list[_Picture]:
    return [
        _Picture(source=thumbnail(pictures.read(p)), caption=_caption(pictures, p))
        for p in positions
    ]


def _caption(pictures: Pictures, position: int) -> str:
    row = pictures.table.row(position, named=True)
    whose = row["file"] or row["scan_id"] or row["patient_id"] or ""
    source = row["scanner"] or row["archive"]
    told = [f"no. {position}", row["label"], row["split"], whose, source]
    return " · ".join(str(word) for word in told if word)


def _pairs(audit: Audit, pictures: Pictures) -> list[dict[str, Any]]:
    """Choose some leaks of each kind, with the two pictures that each is of."""
    pairs: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for leak in audit.leaks:
        if seen.get(leak.kind, 0) >= PAIRS_A_KIND:
            continue
        seen[leak.kind] = seen.get(leak.kind, 0) + 1
        pairs.append(
            {
                "kind": f"{str(leak.kind).capitalize()} {leak.subject}".rstrip(),
                "how": leak.relation,
                "pictures": _shown(pictures, (leak.first, leak.second)),
            }
        )
    return pairs[:MOST_PAIRS]


def _groups(told: Sequence[Told]) -> list[dict[str, Any]]:
    """Put figures under their questions, the best told first."""
    names = dict.fromkeys(one.question for one in told)
    return [
        {
            "title": WORDS[name][0].upper() + WORDS[name][1:],
            "rows": [
                _row(one)
                for one in sorted(told, key=lambda one: -one.value)
                if one.question == name
            ],
        }
        for name in names
    ]


def _row(told: Told) -> _Row:
    limit = limit_of(told)
    return _Row(
        features=GROUP_WORDS[told.group],
        value=f"{told.value:.3f}",
        interval=f"{told.low:.3f} to {told.high:.3f}",
        chance=f"{told.chance:.3f}",
        within=NONE if told.within is None else f"{told.within:.3f}",
        limit=NONE if limit is None else f"{limit:.2f}",
        measured=f"{told.n:,} ({told.n_patients:,} patients)",
        feature=told.feature,
        over=limit is not None and told.low > limit,
        low_px=_place(told.low),
        high_px=_place(told.high),
        value_px=_place(told.value),
        chance_px=_place(told.chance),
        limit_px=None if limit is None else _place(limit),
    )


def _place(area: float) -> float:
    """Place of an area on the drawing, in pixels from its left."""
    share = (min(max(area, LEFT_AREA), RIGHT_AREA) - LEFT_AREA) / (RIGHT_AREA - LEFT_AREA)
    return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def _splits(audit: Audit) -> list[dict[str, Any]]:
    names = dict.fromkeys(split for split, _, _ in audit.counts)
    return [
        {"name": name, "numbers": {label: n for split, label, n in audit.counts if split == name}}
        for name in names
    ]
