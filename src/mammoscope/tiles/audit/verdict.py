"""From leaks and figures to one word, by rules that docs/tiles/audit.md gives in full.

A lesion changes grey levels and, a little, noise and sharpness. So a label that is told from these
is a shortcut only where it is told better than a lesion could explain, where the source tells it,
or where normal tissue tells it; from borders, compression, spacing and files nothing may tell it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mammoscope.tiles.audit.features import LESION_FREE
from mammoscope.tiles.audit.questions import LABEL_QUESTIONS, SOURCES
from mammoscope.tiles.audit.shortcuts import Shortcuts, Told

MOST_LESION_FREE = 0.65
MOST_BY_TISSUE = {"grey": 0.95, "noise": 0.85, "blur": 0.85, "size": 0.85}
"""Areas that the lower end of an interval may reach; on honest tiles of mini-MIAS the areas are
0.77, 0.72 and 0.75 for grey, noise and blur (`benchmarks/shortcuts.py`)."""
MOST_CONTROL = 0.70
MOST_BY_SOURCE = 0.55
SOURCE_IS_TOLD = 0.75

WORDS = {
    "abnormal": "normal or abnormal",
    "malignant": "benign or malignant",
    "label": "the label",
    "control": "whether normal tissue is of a patient with a finding",
    "archive": "the archive",
    "scanner": "the scanner",
}
"""Questions in words."""
GROUP_WORDS = {
    "grey": "grey statistics",
    "levels": "gaps between grey levels",
    "noise": "the noise spectrum",
    "blur": "sharpness",
    "border": "the border pixels",
    "compression": "traces of compression",
    "spacing": "the spacing",
    "file": "file type and dimensions",
    "size": "the size of the file",
    "archive": "the archive's name",
    "scanner": "the scanner's name",
}
"""Groups of features in words."""


class Verdict(StrEnum):
    """What an audit comes to."""

    CLEAN = "clean"
    SUSPECT = "suspect"
    LEAKING = "leaking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a verdict is not "clean".

    Attributes
    ----------
    kind : "leak", "shortcut", "missing" (a class in a split) or "unknown" (what matters could not
        be measured)
    sentence : what was found
    pictures : positions of pictures that show it
    """

    kind: str
    sentence: str
    pictures: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the reason as `audit.json` holds it."""
        return {"kind": self.kind, "sentence": self.sentence, "pictures": list(self.pictures)}


def verdict_of(reasons: Sequence[Reason]) -> Verdict:
    """Return the gravest word that reasons come to."""
    if any(reason.kind == "leak" for reason in reasons):
        return Verdict.LEAKING
    return Verdict.SUSPECT if reasons else Verdict.CLEAN


def shortcut_reasons(shortcuts: Shortcuts) -> tuple[Reason, ...]:
    """Apply the rules to the figures."""
    asked = shortcuts.of_question(*LABEL_QUESTIONS)
    unknown = () if asked else _unknown(shortcuts)
    return (*_by_source(shortcuts), *_by_features(shortcuts), *unknown)


def _by_features(shortcuts: Shortcuts) -> Iterator[Reason]:
    for told in shortcuts.told:
        most = limit_of(told)
        if most is not None and told.low > most and told.value > told.chance:
            yield Reason(
                kind="shortcut",
                sentence=f"{_capital(WORDS[told.question])} is told from {GROUP_WORDS[told.group]} "
                f"alone: area {_figure(told)}, where more than {most:.2f} {_why(told)}; "
                f"most is told by the {told.feature}.",
                pictures=told.telling,
            )


def limit_of(told: Told) -> float | None:
    """Return the area from which on a figure is a reason by itself; None where it never is."""
    if told.question in SOURCES or told.group in SOURCES:
        return None
    if told.group in LESION_FREE:
        return MOST_LESION_FREE
    return MOST_CONTROL if told.question == "control" else MOST_BY_TISSUE[told.group]


def _why(told: Told) -> str:
    if told.group in LESION_FREE:
        return "cannot come from what is shown"
    if told.question == "control":
        return "cannot come from a lesion, as none is shown"
    return "is more than a lesion explains"


def _by_source(shortcuts: Shortcuts) -> Iterator[Reason]:
    """Find sources whose name tells the label, and which pixels or files tell."""
    for named in shortcuts.of_question(*LABEL_QUESTIONS):
        if named.group not in SOURCES or not named.low > MOST_BY_SOURCE:
            continue
        seen = [t for t in shortcuts.of_question(named.group) if t.low > SOURCE_IS_TOLD]
        if not seen:
            continue
        best = max(seen, key=lambda told: told.value)
        yield Reason(
            kind="shortcut",
            sentence=f"{_capital(WORDS[named.question])} is told from {GROUP_WORDS[named.group]} "
            f"alone (area {_figure(named)}), and {WORDS[named.group]} from "
            f"{GROUP_WORDS[best.group]} (area {_figure(best)})"
            f"{_within(shortcuts, named.question)}.",
            pictures=best.telling,
        )


def _within(shortcuts: Shortcuts, question: str) -> str:
    """Say what is left of the best group's answer within single sources."""
    others = [t for t in shortcuts.of_question(question) if t.group not in SOURCES]
    if not others:
        return ""
    best = max(others, key=lambda told: told.value)
    whole = f"; from {GROUP_WORDS[best.group]} {WORDS[question]} is told with area {best.value:.3f}"
    if best.within is None:
        return f"{whole}, and no source has enough of both to compare within it"
    return f"{whole}, within one source with {best.within:.3f}"


def _unknown(shortcuts: Shortcuts) -> tuple[Reason, ...]:
    why = next(iter(shortcuts.not_measured), "nothing was asked of the label")
    return (Reason(kind="unknown", sentence=f"Not measured: {why}."),)


def _figure(told: Told) -> str:
    return f"{told.value:.3f}, {told.low:.3f} to {told.high:.3f}"


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
