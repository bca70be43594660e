"""Where `mammoscope evaluate` puts what it measured: the output, JSON, a page, drawings."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammoscope.cli.console import make_console, print_table, with_interval
from mammoscope.core.errors import MammoscopeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mammoscope.archives.archive import Archive
    from mammoscope.report.run_record import RunRecord

    Pictures = Callable[[tuple[str, ...]], Mapping[str, NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Places:
    """Files and folders that were asked for; None where not."""

    json_to: str | None
    page: Path | None
    figures: Path | None


def put(
    measured: Mapping[str, Any],
    places: Places,
    title: str,
    pictures: "Pictures | None" = None,
    tables: Mapping[str, str] | None = None,
    run: Path | None = None,
) -> None:
    """Write what was asked for, and print the short table unless JSON takes the output.

    Parameters
    ----------
    pictures : ids -> pictures of those that are at hand, for the page's worst errors
    tables : name -> text, written beside evaluation.json
    run : folder of the run that trained the network, for its curves
    """
    runs = _runs(run) if places.page is not None or places.figures is not None else []
    if places.page is not None:
        from mammoscope.report.evaluation_page import worst_ids, write_evaluation_page

        shown = pictures(worst_ids(measured)) if pictures is not None else {}
        write_evaluation_page(measured, places.page, shown, runs)
    if places.figures is not None:
        from mammoscope.report.evaluation_figures import write_figures

        write_figures(measured, places.figures, runs)
    text = json.dumps(measured, indent=1, allow_nan=False)
    if places.json_to == "-":
        print(text)
        return
    if places.json_to is not None:
        from mammoscope.formats.files import write_atomic

        target = Path(places.json_to)
        target.parent.mkdir(parents=True, exist_ok=True)
        for name, table in (tables or {}).items():
            write_atomic(target.parent / name, table)
        write_atomic(target, text + "\n")
    columns = ("figure", "value (95 % interval)", "n", "patients")
    print_table(title, columns, figure_rows(measured))
    for warning in _said(measured):
        make_console().print(f"Note: {warning}", soft_wrap=True)


def _runs(folder: Path | None) -> "list[RunRecord]":
    if folder is None or not folder.is_dir():
        return []
    from mammoscope.report.run_record import load_runs

    return load_runs([folder])


def pictures_of(archive: "Archive", ids: tuple[str, ...]) -> "dict[str, NDArray[Any]]":
    """Load the scans of some ids (a scan's id, or its file's name) as far as they can be read."""
    from mammoscope.scans.load import load

    by_name = {scan.path.stem: scan for scan in archive.scans()}
    by_name |= {scan.path.name: scan for scan in archive.scans()}
    by_name |= {scan.scan_id: scan for scan in archive.scans()}
    pictures = {}
    for one in ids:
        try:
            pictures[one] = load(by_name[one]).image
        except (KeyError, MammoscopeError, OSError):
            # The page says that the scan is not at hand; the figures do not depend on it.
            continue
    return pictures


def figure_rows(measured: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the short table: the figures of `evaluation.json` but those of groups of findings."""
    rows: list[tuple[str, ...]] = []
    for section in ("tiles", "scans", "breasts", "patients", "classes"):
        _collect(measured.get(section), section, rows)
    _collect((measured.get("froc") or {}).get("points"), "froc", rows)
    _collect(measured.get("pointing_game"), "pointing game", rows)
    _collect(measured.get("operating_points"), "marks", rows)
    _collect((measured.get("called_back") or {}).get("figures"), "called back", rows)
    return rows


def _said(measured: Mapping[str, Any]) -> list[str]:
    """Return the warnings; evaluations of before there were any say at least what they know."""
    warnings = list(measured.get("warnings") or ())
    if not warnings and measured.get("dataset", {}).get("trained_on"):
        warnings.append(
            "the model was trained on this archive, or on one with films of the same "
            "patients; what it scores here says nothing about patients that it has not seen."
        )
    return warnings


def _collect(part: Any, name: str, rows: list[tuple[str, ...]]) -> None:
    """Walk down to the figures: a figure is what has a value, a low and a high end."""
    if isinstance(part, list):
        for item in part:
            _collect(item, name + _mark(item), rows)
    if not isinstance(part, Mapping):
        return
    if {"value", "low", "high"} <= part.keys():
        counts = (str(part.get(key, "-")) for key in ("n", "n_patients"))
        rows.append((name, with_interval(part), *counts))
        return
    for key, value in part.items():
        _collect(value, f"{name}: {key.replace('_', ' ')}", rows)


def _mark(item: Any) -> str:
    """Say what tells an item of a list from the others."""
    if not isinstance(item, Mapping):
        return ""
    if isinstance(item.get("fp_per_scan"), int | float):
        return f" at {item['fp_per_scan']:g} false positives a scan"
    if "threshold" in item:
        return f" at threshold {item['threshold']:.3f}"
    return ""
