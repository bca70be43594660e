"""What makes an exam doubtful: views that are missing or repeated, sides that do not fit."""

import re
from collections import Counter
from collections.abc import Sequence

from mammoscope.core.reading import ScanReading
from mammoscope.core.vocabulary import Laterality, SpacingSource
from mammoscope.scans.breast import chest_wall_is_left

SIDES = {Laterality.RIGHT: "right", Laterality.LEFT: "left"}
SPOT = re.compile(r"(?<![a-z])(spot|mag|magnified|magnification)(?![a-z])")
"""Words in a file's name that say that only a part of the breast is shown, enlarged."""


def doubts_of(scans: Sequence[ScanReading]) -> tuple[str, ...]:
    """Tell what makes an exam's scores less than they seem, a sentence without full stop each."""
    return (
        *_unknown_sides(scans),
        *_repeated(scans),
        *_missing(scans),
        *_spots(scans),
        *_wrong_sides(scans),
        *_assumed(scans),
        *_unlike(scans),
    )


def _unknown_sides(scans: Sequence[ScanReading]) -> list[str]:
    if all(scan.laterality is not None for scan in scans):
        return []
    return [
        "some files do not say which breast they show; they were scored as one breast: give "
        "--laterality or name the files like R_CC.png"
    ]


def _repeated(scans: Sequence[ScanReading]) -> list[str]:
    views = Counter((s.laterality, s.view) for s in scans if s.laterality and s.view)
    doubled = [f"{side} {view}" for (side, view), count in views.items() if count > 1]
    if not doubled:
        return []
    return [
        f"several scans of the same view: {', '.join(doubled)}; views were repeated, or scans of "
        "two patients lie in one folder"
    ]


def _missing(scans: Sequence[ScanReading]) -> list[str]:
    """Tell what a reader would miss: the other view of a breast, the other breast."""
    seen = {
        side: {scan.view for scan in scans if scan.laterality is side and scan.view}
        for side in SIDES
    }
    notes = [
        f"only one view of the {name} breast ({next(iter(seen[side]))}): what is hidden on it is "
        "seen nowhere else"
        for side, name in SIDES.items()
        if len(seen[side]) == 1
    ]
    known = {scan.laterality for scan in scans}
    if None not in known and len(known) == 1:
        there = next(SIDES[side] for side in SIDES if side in known)
        notes.append(f"only the {there} breast was given, so the two sides cannot be compared")
    return notes


def _spots(scans: Sequence[ScanReading]) -> list[str]:
    named = [scan.file for scan in scans if SPOT.search(scan.file.lower())]
    if not named:
        return []
    return [
        f"{', '.join(named)}: by its name a spot or magnified view, which shows a part of the "
        "breast; sizes and scores are made for whole views"
    ]


def _wrong_sides(scans: Sequence[ScanReading]) -> list[str]:
    """Compare the chest wall's side with the laterality, as radiologists hang and detectors save.

    A third of CBIS-DDSM's films were scanned from the other side, so this is a doubt, no fault.
    """
    sided = [scan for scan in scans if scan.laterality is not None]
    wrong = [
        scan
        for scan in sided
        if chest_wall_is_left(scan.breast) is not (scan.laterality is Laterality.LEFT)
    ]
    if not wrong:
        return []
    named = "every scan" if len(wrong) == len(sided) > 1 else ", ".join(s.file for s in wrong)
    return [
        f"{named}: the chest wall lies on the side of the other breast; the film was scanned from "
        "behind, or left and right were exchanged"
    ]


def _assumed(scans: Sequence[ScanReading]) -> list[str]:
    if not any(scan.spacing_source is SpacingSource.ASSUMED for scan in scans):
        return []
    return ["the pixel size of some scans is assumed; sizes in millimetres are uncertain"]


def _unlike(scans: Sequence[ScanReading]) -> list[str]:
    words = {"unlike": "read on request, though", "doubtful": "read, but doubt what is said, for"}
    return [
        f"{scan.file}: {words[scan.domain.verdict]} {'; '.join(scan.domain.reasons)}"
        for scan in scans
        if scan.domain is not None and scan.domain.verdict in words
    ]
