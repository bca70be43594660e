"""Known defects of mini-MIAS, planted on its first three simulated patients."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mammoscope.formats.raster import read_raster
from mammoscope.simulate.mias import INFO, pgm_bytes
from mammoscope.simulate.truth import PlantedDefect, TrueScan

_REAL = ("mdb001", "mdb002")
"""Films whose real pixels are known to the archive's reader."""
_GAIN = 1.2


def plant(
    folder: Path, scans: tuple[TrueScan, ...]
) -> tuple[tuple[PlantedDefect, ...], tuple[TrueScan, ...]]:
    """Plant the defects; two scans get the names of real films."""
    names = [Path(scan.file).stem for scan in scans]
    info = folder / INFO
    lines = info.read_text(encoding="ascii").split("\n")
    defects = [_repeat(lines, names[0]), _lose(folder, names[2])]
    renamed = dict(zip(names[4:6], _REAL, strict=True))
    for old, new in renamed.items():
        lines[:] = [line.replace(old, new) for line in lines]
        defects.append(_stretch(folder, old, new))
    defects.append(_tear(lines, names[3]))
    info.write_text("\n".join(lines), encoding="ascii")
    return tuple(defects), tuple(_renamed(scan, renamed) for scan in scans)


def _repeat(lines: list[str], name: str) -> PlantedDefect:
    first = next(n for n, line in enumerate(lines) if line.startswith(name))
    lines.insert(first, lines[first])
    what = f"The row of {name} is there twice."
    return PlantedDefect(file=INFO, kind="double row", what=what, also=(name,))


def _lose(folder: Path, name: str) -> PlantedDefect:
    (folder / f"{name}.pgm").unlink()
    what = f"{INFO} names the film, which was taken away."
    return PlantedDefect(file=f"{name}.pgm", kind="missing scan", what=what, also=(name,))


def _stretch(folder: Path, old: str, new: str) -> PlantedDefect:
    path = folder / f"{old}.pgm"
    image = read_raster(path)
    # As copies do that were converted: brighter and saturated.
    stretched = np.clip(image * _GAIN, 0, 255).astype(np.uint8)
    path.unlink()
    (folder / f"{new}.pgm").write_bytes(pgm_bytes(stretched))
    what = "The pixels are stretched, and not those of the real film of that number."
    return PlantedDefect(file=f"{new}.pgm", kind="stretched pixels", what=what)


def _tear(lines: list[str], name: str) -> PlantedDefect:
    torn = next(n for n, line in enumerate(lines) if line.startswith(name))
    lines[torn] = f"{name} G CI"
    what = f"The row of {name} is cut off in its class."
    return PlantedDefect(file=INFO, kind="torn row", what=what, also=(name,))


def _renamed(scan: TrueScan, renamed: dict[str, str]) -> TrueScan:
    new = renamed.get(Path(scan.file).stem)
    if new is None:
        return scan
    return replace(scan, file=f"{new}.pgm", patient_id="mias-001", exam_id="mias-001")
