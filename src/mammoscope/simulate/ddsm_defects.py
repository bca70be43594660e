"""Known defects of DDSM, planted in its first four simulated cases."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mammoscope.simulate.truth import PlantedDefect, TrueScan

_OVER_PX = 7
"""How far the outline leaves its image; the real ones do by up to 16 columns."""


def plant(
    folder: Path, scans: tuple[TrueScan, ...]
) -> tuple[tuple[PlantedDefect, ...], tuple[TrueScan, ...]]:
    """Plant the defects; the scans stay as they are."""
    cases = [folder / place for place in dict.fromkeys(_case_of(scan) for scan in scans)][:4]
    planters: tuple[tuple[Callable[..., Iterator[PlantedDefect]], tuple[Path, ...]], ...] = (
        (_lose_ics, (cases[0],)),
        (_truncate, (cases[1],)),
        (_flip_bit, (cases[2],)),
        (_leave_strays, (cases[0],)),
        (_misplace_overlay, (cases[1], cases[2])),
        (_misstate_totals, (cases[2],)),
        (_leave_image, (cases[3],)),
        (_misstate_flag, (cases[3],)),
        (_lose_density, (cases[3],)),
        (_shorten_year, (cases[2],)),
    )
    found = [defect for plant_one, places in planters for defect in plant_one(folder, *places)]
    return tuple(found), scans


def _case_of(scan: TrueScan) -> str:
    return scan.file.rpartition("/")[0]


def _defect(folder: Path, path: Path, kind: str, what: str, *also: str) -> PlantedDefect:
    return PlantedDefect(file=path.relative_to(folder).as_posix(), kind=kind, what=what, also=also)


def _lose_ics(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    (path,) = case.glob("*.ics")
    path.unlink()
    place = case.relative_to(folder).as_posix()
    yield _defect(folder, path, "missing ics", "The case's .ics was taken away.", place)


def _truncate(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    path = sorted(case.glob("*.LJPEG"))[0]
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    yield _defect(folder, path, "truncated ljpeg", "The last third of the file is cut off.")


def _flip_bit(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    """Flip a bit in the Huffman table; one in the samples need not show (T.81 has no checksum)."""
    path = sorted(case.glob("*.LJPEG"))[1]
    data = bytearray(path.read_bytes())
    # Behind the marker FFC4 stand two bytes of length, one of the table's number, 16 of counts.
    counts = data.index(b"\xff\xc4") + 5
    used = next(place for place in range(counts, counts + 16) if data[place])
    data[used] ^= 1
    path.write_bytes(data)
    yield _defect(folder, path, "flipped bit", "A bit of the Huffman table is flipped.")


def _leave_strays(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    image = sorted(case.glob("*.LJPEG"))[0]
    stem = image.name.split(".")[0]
    strays = {
        f"{image.name}.1": "a decoded image that the archive's program left behind",
        "jpeg": "a copy of the archive's program",
        f"{stem.replace('_', '-')}.ics~": "an editor's backup",
    }
    for name, what in strays.items():
        (case / name).write_bytes(b"left over\n")
        yield _defect(folder, case / name, "stray file", f"There is {what}.")


def _misplace_overlay(folder: Path, case: Path, other: Path) -> Iterator[PlantedDefect]:
    path = sorted(case.glob("*.OVERLAY"))[0]
    moved = path.rename(other / path.name)
    what = "The outlines lie in the folder of another case."
    yield _defect(folder, moved, "overlay in another folder", what)


def _misstate_totals(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    path = _own(case, "OVERLAY")[0]
    text = path.read_text(encoding="ascii")
    text = re.sub(r"TOTAL_ABNORMALITIES \d+", "TOTAL_ABNORMALITIES 9", text)
    path.write_text(text.replace("TOTAL_OUTLINES 1", "TOTAL_OUTLINES 2", 1), encoding="ascii")
    what = "The stated totals are not those of the file."
    yield _defect(folder, path, "wrong totals", what)


def _leave_image(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    """Shift the first outline of a view over the right border of its image."""
    path = _own(case, "OVERLAY")[-1]
    view = path.name.split(".")[1]
    (ics,) = case.glob("*.ics")
    columns = re.search(rf"{view} LINES \d+ PIXELS_PER_LINE (\d+)", ics.read_text("ascii"))
    lines = path.read_text(encoding="ascii").split("\n")
    chain = lines.index("BOUNDARY") + 1
    start, row, *digits = lines[chain].split()
    steps = {"1": 1, "2": 1, "3": 1, "5": -1, "6": -1, "7": -1}
    place = reach = 0
    for digit in digits:
        place += steps.get(digit, 0)
        reach = max(reach, place)
    start = str(int(columns[1] if columns else 0) - 1 + _OVER_PX - reach)
    lines[chain] = f"{start} {row}  {' '.join(digits)}"
    path.write_text("\n".join(lines), encoding="ascii")
    what = f"An outline leaves the image by {_OVER_PX} columns."
    yield _defect(folder, path, "outline leaves image", what)


def _misstate_flag(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    """Say of a view with outlines that it has none."""
    view = _own(case, "OVERLAY")[0].name.split(".")[1]
    what = f"It says NON_OVERLAY for {view}, whose outlines are there."
    yield _edited(folder, case, rf"({view} .*) OVERLAY", r"\1 NON_OVERLAY", "wrong flag", what)


def _lose_density(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    yield _edited(folder, case, r"DENSITY \d", "DENSITY 0", "density 0", "The density is 0.")


def _shorten_year(folder: Path, case: Path) -> Iterator[PlantedDefect]:
    what = "The year of the study has two digits."
    pattern = r"(DATE_OF_STUDY \d+ \d+) \d\d(\d\d)"
    yield _edited(folder, case, pattern, r"\1 \2", "two-digit year", what)


def _edited(
    folder: Path, case: Path, pattern: str, new: str, kind: str, what: str
) -> PlantedDefect:
    (path,) = case.glob("*.ics")
    path.write_text(re.sub(pattern, new, path.read_text(encoding="ascii")), encoding="ascii")
    return _defect(folder, path, kind, what)


def _own(case: Path, ending: str) -> list[Path]:
    """List files of a case in its folder, not those of another case that were put there."""
    number = case.name.removeprefix("case")
    return sorted(path for path in case.glob(f"*.{ending}") if f"_{number}_" in path.name)
