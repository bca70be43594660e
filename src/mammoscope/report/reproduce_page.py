"""The page of a reproduction: the paper's tables and figures beside ours, and what was not run."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mammoscope.report.drawing import Drawing
from mammoscope.report.study_figures import (
    OURS,
    PAPER,
    Rows,
    areas,
    precision_recall,
    training_curves,
)
from mammoscope.report.trials_page import (
    NONE,
    Picture,
    Table,
    TrialsPage,
    read_record,
    write_page,
)

SCHEMA = "mammoscope.reproduce/1"
Record = Mapping[str, Any]
TITLES = {
    1: "Table 1: two classes, the paper's test set",
    2: "Table 2: five classes, the paper's test set",
    3: "Table 3: MIAS",
    4: "Table 4: the weight of the abnormal tiles in the loss",
}
PROBES = (
    ("paper-way", "test", "as the paper: CBIS-DDSM lesions, DDSM normals", PAPER),
    ("paper-way", "crossed", "crossed: DDSM lesions, CBIS-DDSM normals", PAPER),
    ("paper-way", "mias-as-stored", "MIAS, as the paper cuts it", PAPER),
    ("paper-way", "mias-same-places", "MIAS, places of recipe strict", PAPER),
    ("strict", "test", "strict: both from CBIS-DDSM's films", OURS),
    ("strict", "mias-strict", "MIAS, by recipe strict", OURS),
)
SETS = {
    "paper-way": "built as the paper's: abnormal from CBIS-DDSM, normal from DDSM",
    "strict": "by recipe strict, from CBIS-DDSM alone",
    "crossed": "abnormal from DDSM, normal from CBIS-DDSM; to measure only",
    "mias-as-stored": "mini-MIAS with its own greys; to measure only",
    "mias-same-places": "the places of mias-strict with the files' own greys; to measure only",
    "mias-strict": "mini-MIAS by recipe strict; to measure only",
}

FEATURES = {
    "grey": "grey statistics",
    "levels": "gaps between grey levels",
    "noise": "the noise spectrum",
    "blur": "sharpness",
    "compression": "traces of compression",
    "border": "borders",
    "spacing": "spacing",
    "scanner": "the scanner's name",
    "archive": "the archive's name",
}
SEEN = ("grey", "levels", "noise", "blur", "compression", "border")
"""Features that a network sees, too."""


def write_reproduce_page(source: str | Path, path: str | Path) -> None:
    """Write the page of ``reproduce.json``.

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
    settings = record["settings"]
    what = "quick" if settings["quick"] else "full"
    return TrialsPage(
        title="The paper, run again",
        lead=f"{record['source']}; a {what} reproduction",
        notes=tuple(_notes(record)),
        drawings=tuple(_drawings(record)),
        tables=(
            _archives(record),
            *([_sets(record), _runs(record)] if record["runs"] else []),
            *(_paper_table(record, number) for number in TITLES),
            _figures(record),
            _mixups(record),
            _commands(record),
        ),
    )


def _notes(record: Record) -> Iterator[str]:
    every = record["settings"]["every"]
    if every > 1:
        yield (
            f"A trial on one scan in {every}: it shows that the road works, and its figures say "
            "nothing."
        )
    else:
        yield from _findings(record)
    kinds = [row["kind"] for row in record["tables"]]
    missing = [one["name"] for one in record["archives"] if not one["whole"]]
    lacking = f" Not at hand, or in pieces only: {', '.join(missing)}." if missing else ""
    yield (
        f"Of {len(kinds)} rows of the paper's tables {kinds.count('run')} were run, "
        f"{kinds.count('stand-in')} have a stand-in and {kinds.count('not run')} were not "
        f"run.{lacking}"
    )
    settings = record["settings"]
    if record["runs"]:
        yield (
            f"The stand-in is {settings['network']}, not the paper's 1.0.0.35, which 2 processors "
            "cannot train in half an hour; its tiles have 0.8 mm a pixel, since DDSM is at hand at "
            f"299 pixels only. Epochs a run: {settings['epochs']}; seeds: {settings['seeds']}. An "
            "area is the middle one of the seeds, in each set by itself, with the interval over "
            "the patients of that run."
        )
    else:
        yield (
            "Nothing was trained: the quick runs need cbis-ddsm-800, with ddsm-299 for the set "
            "built the paper's way and mini-mias for Table 3."
        )


def _findings(record: Record) -> Iterator[str]:
    """Say in a sentence what the areas show, from the figures alone."""
    told = {(one["set"], name): _middle(record, one["set"], name) for one in record["runs"]
            for name in one["figures"]}  # fmt: skip
    own, crossed = told.get(("paper-way", "test")), told.get(("paper-way", "crossed"))
    if own and crossed:
        yield (
            f"Built the paper's way, the set is told with area {_interval(own)}; with the archives "
            f"exchanged the same network has {_interval(crossed)}{_meaning(own, crossed)}."
        )
    yield from _without_network(record)
    if ("paper-way", "mias-as-stored") in told:
        runs = _of(record, "paper-way", "mias-as-stored", "accuracy")
        most = _of(record, "paper-way", "mias-as-stored", "majority")[0]
        accuracies = [one["value"] for one in runs]
        yield (
            f"On MIAS its accuracy is {_span(accuracies)}, where calling every tile normal has "
            f"{most['value']:.3f}; its area there is "
            f"{_interval(told['paper-way', 'mias-as-stored'])}, with normal places drawn evenly."
        )
    strict, other = told.get(("strict", "test")), told.get(("strict", "mias-strict"))
    same = told.get(("paper-way", "mias-same-places"))
    if strict and other:
        beside = f", where the one built the paper's way has {_interval(same)}" if same else ""
        yield (
            f"By recipe strict the same network has {_interval(strict)} at home and "
            f"{_interval(other)} on MIAS{beside} at the same places, as dense as lesions' are."
            f"{_paired(record.get('same_places', ()))}"
        )


def _meaning(own: Mapping[str, Any], crossed: Mapping[str, Any]) -> str:
    """Say what the fall means, as far as the intervals bear it."""
    least, _most = _bounds(own)
    low, high = _bounds(crossed)
    if least is None or low is None or high is None or high >= least:
        return ""
    if high < 0.5:
        return ": it goes by the archives, even against the lesions"
    if low <= 0.5:
        return ", as guessing: its figure at home is the archives', not the lesions'"
    return ": part of its figure at home is the archives', not the lesions'"


def _bounds(figure: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return an area's interval; one that is wholly right or wrong has none and needs none."""
    if figure["low"] is None and figure["value"] in (0.0, 1.0):
        return figure["value"], figure["value"]
    return figure["low"], figure["high"]


def _without_network(record: Record) -> Iterator[str]:
    """Set the audit's best features of pixels beside the network's figure."""
    best = {}
    for one in record["sets"]:
        seen = [s for s in one["shortcuts"] if s["features"] in SEEN and s["value"] is not None]
        if seen:
            best[one["name"]] = max(seen, key=lambda told: told["value"])
    if "paper-way" in best and "strict" in best:
        paper, strict = best["paper-way"], best["strict"]
        yield (
            "Without any network, a linear rule on simple features tells abnormal from normal with "
            f"area {_interval(paper)} ({FEATURES[paper['features']]}) in the set built the paper's "
            f"way, and with {_interval(strict)} ({FEATURES[strict['features']]}) by recipe strict."
        )


def _paired(differences: Sequence[Mapping[str, Any]]) -> str:
    """Tell how much strict is ahead at the same places: the middle seed and the span of all."""
    known = sorted((d for d in differences if d["difference"] is not None), key=_difference)
    if not known:
        return ""
    middle = known[(len(known) - 1) // 2]
    between = ""
    if middle["low"] is not None and middle["high"] is not None:
        between = f" ({middle['low']:+.3f} to {middle['high']:+.3f} over patients, paired)"
    span = f"; {_span([_difference(one) for one in known], '+.3f')}" if len(known) > 1 else ""
    return f" Strict less the paper's way there: {middle['difference']:+.3f}{between}{span}."


def _difference(one: Mapping[str, Any]) -> float:
    return float(one["difference"])


def _span(values: Sequence[float], form: str = ".3f") -> str:
    low, high = format(min(values), form), format(max(values), form)
    return f"{low} in its one run" if len(values) == 1 else f"{low} to {high} by seed"


def _drawings(record: Record) -> Iterator[Picture]:
    rows: Rows = [
        (label, colour, _of(record, name, probe, "auc"))
        for name, probe, label, colour in PROBES
        if _of(record, name, probe, "auc")
    ]
    if rows:
        yield Picture(
            title="The same network, by how its tiles were put together",
            text="Area under the ROC curve with its 95 % interval over patients, a mark a seed; .5 "
            "is guessing. In the crossed set lesions come from the archive that the normal tiles "
            "came from in training: a network that looks at lesions stays above .5 there, one that "
            "looks at the archive falls to .5 or below.",
            drawing=areas("areas", rows, "area under the ROC curve"),
        )
    if shortcuts := _shortcuts(record):
        yield shortcuts
    runs = [run for run in record["runs"] if run["set"] == "paper-way"]
    yield Picture(
        title="Figures 2 to 4: validation, epoch by epoch",
        text="The paper's points are read from its pictures, to about .02; the legend of its right "
        "panels is swapped, and these are the validation's. A triangle is a value below what the "
        "picture shows (.3). Ours are of the stand-in on the set built as the paper's.",
        drawing=training_curves(record["curves"], runs),
    )
    yield Picture(
        title="Figure 5: precision and recall",
        text="Large dots are the threshold .5. The paper's curves are of 1.0.0.35b.98 after 40 "
        "epochs; ours of the stand-in's test patients. Their shares of abnormal tiles differ, and "
        "with them precision.",
        drawing=precision_recall(record["pr"], runs),
    )


def _shortcuts(record: Record) -> Picture | None:
    told = {
        (one["name"], figure["features"]): figure
        for one in record["sets"]
        for figure in one["shortcuts"]
    }
    rows: Rows = [
        (f"{words}: {name}", colour, [told[name, features]])
        for features, words in FEATURES.items()
        for name, colour in (("paper-way", PAPER), ("strict", OURS))
        if (name, features) in told
    ]
    if not rows:
        return None
    drawing: Drawing = areas("shortcuts", rows, "area under the ROC curve, without any network")
    return Picture(
        title="What tells normal from abnormal without looking at a lesion",
        text="The audit of the tile sets: a linear rule on simple features of a tile, tested on "
        "patients it was not fitted on, with 95 % intervals over patients. Orange is the set built "
        "the paper's way, blue recipe strict.",
        drawing=drawing,
    )


def _archives(record: Record) -> Table:
    return Table(
        title="Archives at hand",
        columns=("archive", "patients", "scans", "used"),
        rows=tuple(
            (
                one["name"],
                *(NONE if one[key] is None else f"{one[key]:,}" for key in ("patients", "scans")),
                "yes" if one["whole"] else "no: not at hand" if one["scans"] is None
                else "no: a piece of it only",
            )
            for one in record["archives"]
        ),
    )  # fmt: skip


def _sets(record: Record) -> Table:
    rows = []
    for one in record["sets"]:
        normal = sum(count for _split, label, count in one["counts"] if label == "NORMAL")
        train = sum(count for split, _label, count in one["counts"] if split == "train")
        cells = (one["tiles"], one["tiles"] - normal, train, one["patients"])
        rows.append((one["name"], SETS[one["name"]], *(f"{cell:,}" for cell in cells)))
    columns = ("set", "what", "tiles", "with a lesion", "to train", "patients")
    return Table(title="Tile sets, 40 mm at 0.8 mm a pixel", columns=columns, rows=tuple(rows))


def _runs(record: Record) -> Table:
    columns = ("run", "measured on", "tiles", "AUC", "accuracy", "larger class", "recall",
               "specificity")  # fmt: skip
    rows = tuple(
        (
            run["name"],
            name if name != "test" else "own patients",
            f"{told['tiles']:,}",
            _interval(told["auc"]),
            _interval(told["accuracy"]),
            NONE if told["majority"]["value"] is None else f"{told['majority']['value']:.3f}",
            *(_interval(told[key]) for key in ("recall", "specificity")),
        )
        for run in record["runs"]
        for name, told in run["figures"].items()
    )
    return Table(title="Every run, threshold .5", columns=columns, rows=rows)


def _paper_table(record: Record, number: int) -> Table:
    columns = ("model", "recipe", "weight", "paper: accuracy, recall", "log: accuracy, recall",
               "ours: accuracy, recall", "what was run, and why not more")  # fmt: skip
    rows = tuple(
        (
            row["model"],
            row["recipe"],
            NONE if row["weight"] is None else f"{row['weight']:g}",
            _pair(row["paper"]),
            f"{_pair(row['log'])} ({row['log']['said']})",
            NONE if row["ours"] is None
            else f"{_interval(row['ours']['accuracy'])}, {_interval(row['ours']['recall'])}",
            f"{row['kind']}. {row['why']}",
        )
        for row in record["tables"]
        if row["table"] == number
    )  # fmt: skip
    return Table(title=TITLES[number], columns=columns, rows=rows)


def _figures(record: Record) -> Table:
    rows = tuple(
        (
            f"Figure {one['figure']}",
            one["run"],
            f"recipe {one['recipe']}, weight {one['weight']:g}",
            f"{one['titled'][0]:.4f}, {one['titled'][1]:.3f}",
        )
        for one in record["curves"]
    )
    columns = ("figure", "run", "of", "printed over it: accuracy, recall (last 4 epochs)")
    return Table(title="The paper's training figures", columns=columns, rows=rows)


def _mixups(record: Record) -> Table:
    columns = ("where", "the paper says", "log or code say", "what it means", "looked up")
    keys = ("where", "printed", "really", "why", "checked")
    return Table(
        title="Where the paper and its own sources differ",
        columns=columns,
        rows=tuple(tuple(one[key] for key in keys) for one in record["mixups"]),
    )


def _commands(record: Record) -> Table:
    rows = {(row["command"], row["cost"]): row for row in record["tables"]}
    return Table(
        title="To run a row at full size, with DDSM and CBIS-DDSM in folders of their names",
        columns=("model", "table", "commands", "cost"),
        rows=tuple(
            (row["model"], str(row["table"]), command, cost)
            for (command, cost), row in rows.items()
        ),
    )


def _of(record: Record, name: str, probe: str, figure: str) -> list[Any]:
    return [
        run["figures"][probe][figure]
        for run in record["runs"]
        if run["set"] == name and probe in run["figures"]
    ]


def _middle(record: Record, name: str, probe: str) -> Any:
    """Return the middle area over the seeds; None where there is none."""
    known = [one for one in _of(record, name, probe, "auc") if one["value"] is not None]
    known.sort(key=lambda one: one["value"])
    return known[(len(known) - 1) // 2] if known else None


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return NONE
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _pair(told: Mapping[str, Any]) -> str:
    return ", ".join(
        NONE if told[key] is None else f"{told[key]:.4f}" for key in ("accuracy", "recall")
    )
