"""Plant shortcuts in small honest sets, and count how often the audit sees them.

Run: ``python benchmarks/shortcuts.py DATA [RUNS]``, DATA being the folder of shared real scans.
Each run draws patients, places and labels anew. "Found" is a verdict other than clean; planted sets
should be found in at least 95 % of runs and honest ones in at most 5 %.
"""

import io
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, stats

from mammoscope.archives.open import open_archive
from mammoscope.core.geometry import bounding_box
from mammoscope.core.records import Scan
from mammoscope.scans.load import load
from mammoscope.tiles.audit.pictures import Pictures, read_pictures
from mammoscope.tiles.audit.questions import LABEL_QUESTIONS
from mammoscope.tiles.audit.shortcuts import Shortcuts, measure_shortcuts
from mammoscope.tiles.audit.verdict import shortcut_reasons

RUNS = 40
SIDE = 128
PATIENTS = 80
TILES = 2
"""Tiles of each patient: sets of 160."""
LEAST_BRIGHT = 0.25

Tile = NDArray[np.uint8]
Row = dict[str, Any]
Change = Callable[[Tile, np.random.Generator], Tile]


def main() -> None:
    """Print a line for each kind of set."""
    data = Path(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else RUNS
    only = set(sys.argv[3:])
    sources = Sources(data)
    kinds = {**honest(sources), **planted(sources)}
    for name, make in kinds.items():
        if only and name not in only:
            continue
        start, found, why = perf_counter(), 0, []
        for run in range(runs):
            measured = make(np.random.default_rng([run, len(name)]), run)
            reasons = shortcut_reasons(measured)
            found += bool(reasons)
            why += [
                reason.sentence.partition(" told ")[2].partition(" alone")[0] for reason in reasons
            ]
        low, high = stats.binomtest(found, runs).proportion_ci(0.95, "exact")
        words = ", ".join(f"{why.count(word)} x {word}" for word in sorted(set(why)))
        print(
            f"{name:34s} {found:3d} of {runs} ({low:.2f} to {high:.2f}) "
            f"{(perf_counter() - start) / runs:.1f} s a run; best {best(measured)}; {words or '-'}",
            flush=True,
        )


def best(measured: Shortcuts) -> str:
    """Name the group that told the label best in the last run."""
    told = max(measured.of_question(*LABEL_QUESTIONS), key=lambda t: t.value, default=None)
    return "-" if told is None else f"{told.group} {told.value:.2f}"


class Sources:
    """Scans of two archives, each loaded once."""

    def __init__(self, data: Path) -> None:
        self.mias = self._of(open_archive("mini-mias", data / "mini-mias").scans())
        cbis = open_archive("cbis-ddsm-800", data / "cbis-ddsm" / "mass-800").scans()
        self.cbis = self._of(cbis[::4])

    @staticmethod
    def _of(scans: tuple[Scan, ...]) -> dict[str, list[tuple[Scan, Tile]]]:
        found: dict[str, list[tuple[Scan, Tile]]] = {}
        for scan in scans:
            image = np.asarray(load(scan).image, dtype=np.uint8)
            found.setdefault(scan.patient_id, []).append((scan, image))
        return found


def honest(sources: Sources) -> dict[str, Callable[[np.random.Generator, int], Shortcuts]]:
    """Make sets in which nothing but lesions goes with the label."""
    return {
        "honest: mini-MIAS, random labels": lambda rng, run: of(drawn(sources.mias, rng)),
        "honest: mini-MIAS, lesions": lambda rng, run: of(lesions(sources.mias, rng)),
        "honest: CBIS, benign or malignant": lambda rng, run: of(lesions(sources.cbis, rng)),
        "honest: two archives, labels mixed": lambda rng, run: of(
            [*drawn(sources.mias, rng, 40), *drawn(sources.cbis, rng, 40)]
        ),
        "honest: two scanners, labels mixed": lambda rng, run: of(
            scanners(drawn(sources.mias, rng), rng, 0.5)
        ),
    }


def planted(sources: Sources) -> dict[str, Callable[[np.random.Generator, int], Shortcuts]]:
    """Make sets in which something else than lesions goes with the label."""
    made: dict[str, Callable[[np.random.Generator, int], Shortcuts]] = {
        "planted: archive, 9 of 10": lambda rng, run: of(archives(sources, rng, 0.9)),
        "planted: archive, 3 of 4": lambda rng, run: of(archives(sources, rng, 0.75)),
        "planted: archive, all": lambda rng, run: of(archives(sources, rng, 1.0)),
        "planted: scanner, 9 of 10": lambda rng, run: of(
            scanners(drawn(sources.mias, rng), rng, 0.9)
        ),
        "planted: scanner, 3 of 4": lambda rng, run: of(
            scanners(drawn(sources.mias, rng), rng, 0.75)
        ),
        "planted: scanner nobody noted": lambda rng, run: of(
            [{**row, "scanner": None} for row in scanners(drawn(sources.mias, rng), rng, 1.0)]
        ),
        "planted: file type": lambda rng, run: filed(drawn(sources.mias, rng)),
    }
    changes: dict[str, Change] = {
        "JPEG quality 60": partial(jpeg, quality=60),
        "JPEG quality 85": partial(jpeg, quality=85),
        "border of 3 pixels": border,
        "blur by resampling to 0.7": partial(resampled, factor=0.7),
        "blur by resampling to 0.85": partial(resampled, factor=0.85),
        "stretched to 0 to 255": stretched,
    }
    for name, change in changes.items():
        made[f"planted: {name}"] = partial(_changed, sources, change)
    made["planted: spacing 0.2 or 0.21 mm"] = lambda rng, run: of(
        [
            {**row, "spacing_row_mm": 0.2 if row["label"] == "NORMAL" else 0.21}
            for row in drawn(sources.mias, rng)
        ]
    )
    return made


def _changed(sources: Sources, change: Change, rng: np.random.Generator, run: int) -> Shortcuts:
    rows = drawn(sources.mias, rng)
    return of(
        [
            {**row, "pixels": change(row["pixels"], rng)} if row["label"] != "NORMAL" else row
            for row in rows
        ]
    )


def of(rows: list[Row]) -> Shortcuts:
    """Measure a set that lies in memory."""
    images = [row["pixels"] for row in rows]
    columns = ("patient_id", "archive", "scanner", "label", "split", "file")
    table = pl.DataFrame(
        {
            **{name: [row.get(name) for row in rows] for name in columns},
            "exam_id": [None] * len(rows),
            "scan_id": [None] * len(rows),
            "spacing_row_mm": [row.get("spacing_row_mm") for row in rows],
            "spacing_column_mm": [row.get("spacing_row_mm") for row in rows],
        },
        schema_overrides={
            **dict.fromkeys((*columns, "exam_id", "scan_id"), pl.String),
            "spacing_row_mm": pl.Float64,
            "spacing_column_mm": pl.Float64,
        },
    )
    return measure_shortcuts(Pictures(source="made", table=table, reader=lambda i: images[i]))


def drawn(
    scans: dict[str, list[tuple[Scan, Tile]]], rng: np.random.Generator, patients: int = PATIENTS
) -> list[Row]:
    """Draw patients with tiles of their breasts, half of them called abnormal at random."""
    names = sorted(scans)
    chosen = rng.choice(len(names), min(patients, len(names)), replace=False)
    rows = []
    for number, index in enumerate(chosen):
        for _ in range(TILES):
            scan, image = scans[names[index]][int(rng.integers(len(scans[names[index]])))]
            label = "abnormal" if number % 2 else "NORMAL"
            rows.append(row_of(scan, tissue(image, rng), label))
    return rows


def lesions(scans: dict[str, list[tuple[Scan, Tile]]], rng: np.random.Generator) -> list[Row]:
    """Draw tiles round findings, and as many of normal scans where there are any."""
    rows = []
    for name in sorted(scans):
        for scan, image in scans[name]:
            if not scan.findings:
                rows.append(row_of(scan, tissue(image, rng), "NORMAL"))
            for finding in scan.findings or ():
                if finding.roi is None or hasattr(finding.roi, "path"):
                    continue
                centre = bounding_box(finding.roi).centre
                place = [int(c + rng.integers(-20, 21)) - SIDE // 2 for c in centre]
                rows.append(row_of(scan, at(image, *place), f"{finding.pathology}_mass"))
    return rows


def archives(sources: Sources, rng: np.random.Generator, share: float) -> list[Row]:
    """Draw abnormal tiles from one archive and normal ones from the other, mostly."""
    rows = [*drawn(sources.mias, rng, 40), *drawn(sources.cbis, rng, 40)]
    home = {patient: rng.random() < share for patient in sorted({r["patient_id"] for r in rows})}
    return [
        {
            **row,
            "label": "NORMAL"
            if (row["archive"] == "mini-mias") == home[row["patient_id"]]
            else "abnormal",
        }
        for row in rows
    ]


def scanners(rows: list[Row], rng: np.random.Generator, share: float) -> list[Row]:
    """Give each patient one of two scanners; `share` of the abnormal ones have the second."""
    second = {
        row["patient_id"]: rng.random() < (share if row["label"] != "NORMAL" else 1 - share)
        for row in rows
    }
    return [
        {**row, "scanner": "second", "pixels": rescanned(row["pixels"], rng)}
        if second[row["patient_id"]]
        else {**row, "scanner": "first"}
        for row in rows
    ]


def filed(rows: list[Row]) -> Shortcuts:
    """Write normal tiles as PNG and abnormal ones as nearly lossless JPEG; measure the folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = ["file,label,split,patient_id"]
        for index, row in enumerate(rows):
            file = f"{index:04d}.{'png' if row['label'] == 'NORMAL' else 'jpg'}"
            Image.fromarray(row["pixels"]).save(folder / file, quality=100)
            lines.append(f"{file},{row['label']},train,{row['patient_id']}")
        (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
        return measure_shortcuts(read_pictures(folder, folder / "labels.csv"))


def row_of(scan: Scan, pixels: Tile, label: str) -> Row:
    """Describe one tile."""
    return {
        "patient_id": scan.patient_id,
        "archive": scan.archive,
        "label": label,
        "split": "train",
        "pixels": pixels,
    }


def tissue(image: Tile, rng: np.random.Generator) -> Tile:
    """Cut a tile that lies in the breast for the most part."""
    threshold = LEAST_BRIGHT * 255
    for _ in range(200):
        top, left = (int(rng.integers(0, length - SIDE)) for length in image.shape)
        part = image[top : top + SIDE, left : left + SIDE]
        if (part[::8, ::8] > threshold).mean() > 0.8:
            return part
    return part


def at(image: Tile, top: int, left: int) -> Tile:
    """Cut a tile, moved so that it lies on the picture."""
    down, across = (
        min(max(start, 0), length - SIDE)
        for start, length in zip((top, left), image.shape, strict=True)
    )
    return image[down : down + SIDE, across : across + SIDE]


def jpeg(tile: Tile, rng: np.random.Generator, *, quality: int) -> Tile:
    """Compress and decompress."""
    stream = io.BytesIO()
    Image.fromarray(tile).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def border(tile: Tile, rng: np.random.Generator) -> Tile:
    """Blacken three lines of one side."""
    framed = tile.copy()
    framed[:, :3] = 0
    return framed


def resampled(tile: Tile, rng: np.random.Generator, *, factor: float) -> Tile:
    """Make smaller and larger again."""
    small = Image.fromarray(tile).resize([round(SIDE * factor)] * 2, Image.Resampling.BILINEAR)
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def stretched(tile: Tile, rng: np.random.Generator) -> Tile:
    """Stretch between the tile's own darkest and brightest level."""
    low, high = int(tile.min()), int(tile.max())
    return np.asarray((tile.astype(np.float32) - low) * (255 / max(high - low, 1)), np.uint8)


def rescanned(tile: Tile, rng: np.random.Generator) -> Tile:
    """Give another film curve, softer optics and coarser noise."""
    curve = 255 * (tile / 255.0) ** 0.85
    soft = ndimage.gaussian_filter(curve, 0.6) + rng.normal(0, 2, tile.shape)
    return np.asarray(np.clip(soft, 0, 255), np.uint8)


if __name__ == "__main__":
    main()
