"""The page of an archive: its classes, tissue, sizes of lesions, and nearest neighbours."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mammoscope.report.study_figures import bars, histogram
from mammoscope.report.trials_page import (
    NONE,
    Picture,
    Table,
    TrialsPage,
    read_record,
    write_page,
)

SCHEMA = "mammoscope.exploration/1"
Record = Mapping[str, Any]
MEASURES = {
    "radius": (
        "Radius against severity",
        "radius of the circle, pixels of the scan",
        "In bins of 20 pixels, as the paper's notebook has it. It gives mean 48.9, median 41, "
        "least 3 and most 197 over the 322 scans (first finding of each): malignant ones are "
        "larger, with much overlap.",
    ),
    "sizes_px": (
        "Sizes of findings in pixels of the full film",
        "longer side of the box round a finding, pixels",
        "The paper gives mean 450 and standard deviation 396 for CBIS-DDSM's films at full size, "
        "its notebook mean 464.6, deviation 406.6, median 342 for the findings of a scan together.",
    ),
    "sizes_mm": (
        "Sizes of findings in millimetres",
        "longer side of the box round a finding, mm",
        "The paper's 450 pixels are about 21 mm at CBIS-DDSM's mean spacing of 0.0477 mm, its "
        "deviation of 396 about 19 mm.",
    ),
}
WORDS = ("n", "mean", "deviation", "median", "least", "most")


def write_exploration_page(source: str | Path, path: str | Path) -> None:
    """Write the page of ``exploration.json``.

    Raises
    ------
    MissingFileError, CorruptFileError
        When the record cannot be read.
    OSError
        When the page cannot be written.
    """
    write_page(make_page(read_record(source, SCHEMA)), path)


def make_page(record: Record) -> TrialsPage:
    """Lay a record out as a page."""
    archive = record["archive"]
    neighbours = record.get("neighbours")
    return TrialsPage(
        title=f"What {archive['name']} holds",
        lead=f"{archive['description']} · {archive['licence']}",
        notes=(*record["notes"], *([] if neighbours is None else [_verdict(neighbours)])),
        drawings=tuple(_drawings(record)),
        tables=(
            _counts(record),
            *(_summary(record[name], MEASURES[name][0]) for name in MEASURES if record[name]),
            *(_table(one) for one in record["tables"]),
            *([] if neighbours is None else [_done_right(neighbours), _as_paper(neighbours)]),
        ),
    )


def _drawings(record: Record) -> Iterator[Picture]:
    for number, one in enumerate(record["tables"]):
        groups = [
            (
                group["name"],
                dict(zip(one["values"], group["counts"], strict=True)),
            )
            for group in one["groups"]
        ]
        yield Picture(
            title=one["title"],
            text="",
            drawing=bars(f"counts-{number}", groups, one["unit"]),
        )
    for name, (title, label, text) in MEASURES.items():
        told = record[name]
        if told:
            yield Picture(
                title=title,
                text=_beyond(told, text),
                drawing=histogram(
                    name,
                    told["edges"],
                    [(f"{one['name']} ({one['n']})", one["counts"]) for one in told["groups"]],
                    (label, "findings"),
                    told["all"]["mean"],
                ),
            )


def _beyond(told: Record, text: str) -> str:
    more = f" {told['larger']} are larger than is drawn." if told["larger"] else ""
    return f"The dotted line is the mean.{more} {text}"


def _counts(record: Record) -> Table:
    rows = tuple((name, f"{count:,}") for name, count in record["counts"].items())
    return Table(title="In numbers", columns=("what", "how many"), rows=rows)


def _summary(told: Record, title: str) -> Table:
    groups = [{"name": "all", **told["all"]}, *told["groups"]]
    return Table(
        title=title,
        columns=("findings", *WORDS),
        rows=tuple((one["name"], *(_number(one[word]) for word in WORDS)) for one in groups),
    )


def _table(one: Record) -> Table:
    names = tuple(group["name"] for group in one["groups"])
    rows = tuple(
        (value, *(f"{group['counts'][place]:,}" for group in one["groups"]))
        for place, value in enumerate(one["values"])
    )
    return Table(title=f"{one['title']}, in {one['unit']}", columns=("value", *names), rows=rows)


def _verdict(told: Record) -> str:
    auc, accuracy = told["done_right"]["auc"], told["done_right"]["accuracy"]
    majority = told["done_right"]["majority"]
    guess = auc["low"] is not None and auc["low"] <= 0.5
    return (
        f"Nearest neighbours on frozen features of {told['network']}, by patient: area "
        f"{_interval(auc)}{', which guessing may reach' if guess else ''}; accuracy "
        f"{_interval(accuracy)}, where calling every scan normal has {majority['value']:.3f}."
    )


def _done_right(told: Record) -> Table:
    right = told["done_right"]
    names = ("accuracy", "majority", "recall", "specificity", "auc")
    chosen = ", ".join(f"k {k}, p {power}" for k, power in right["chosen"])
    return Table(
        title="Nearest neighbours done right: five folds by patient, scaled, chosen inside",
        columns=("figure", "value (95 % interval over patients)"),
        rows=(
            ("scans, patients", f"{right['scans']}, {right['patients']}"),
            *((name, _interval(right[name])) for name in names),
            ("chosen in each fold", chosen),
        ),
    )


def _as_paper(told: Record) -> Table:
    ours = told["paper_way"]
    first = (
        f"ours, {told['network']}",
        f"last layer, {told['numbers']:,} numbers",
        str(ours["k"]),
        str(ours["power"]),
        *(f"{ours[key]:.4f}" for key in ("validation", "accuracy", "recall", "baseline")),
    )
    paper = tuple(
        (
            f"paper, {one['network']}",
            one["layer"],
            str(one["k"]),
            str(one["power"]),
            *(f"{one[key]:.4f}" for key in ("validation", "accuracy", "recall")),
            f"{told['published_baseline']:.4f}",
        )
        for one in told["published"]
    )
    return Table(
        title=f"As the paper did it: {ours['train']} and {ours['test']} images here (257 and 65 "
        f"there), divided at random; {ours['shared_patients']} patients are in both parts here",
        columns=("network", "layer", "k", "p", "best in five folds", "test accuracy",
                 "test recall", "always normal"),
        rows=(first, *paper),
    )  # fmt: skip


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return NONE
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
