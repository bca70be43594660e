"""A whole audit: leaks and shortcuts joined to a verdict, stored beside the tile set."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.records import Problem
from mammoscope.formats.files import write_atomic
from mammoscope.tiles.audit.leaks import find_leaks
from mammoscope.tiles.audit.pictures import Pictures, pictures_of
from mammoscope.tiles.audit.questions import is_normal, patients_of
from mammoscope.tiles.audit.shortcuts import Shortcuts, measure_shortcuts
from mammoscope.tiles.audit.tables import Leak, LeakKind, missing_classes
from mammoscope.tiles.audit.verdict import Reason, Verdict, shortcut_reasons, verdict_of
from mammoscope.tiles.store import AUDIT, PROVENANCE, TileSet

SCHEMA = "mammoscope.audit/1"
MOST_LEAKS = 1000
"""Leaks that `audit.json` gives one by one; it counts all."""
MOST_SHOWN = 12
ENOUGH_PATIENTS = 20
"""Patients of a class from which on a tenth of all patients should hold some."""
LEAK_WORDS: Mapping[LeakKind, tuple[str, str]] = {
    LeakKind.EXACT: ("pair of equal pictures lies", "pairs of equal pictures lie"),
    LeakKind.NEAR: ("pair of nearly equal pictures lies", "pairs of nearly equal pictures lie"),
    LeakKind.BOXES: ("pair of overlapping boxes lies", "pairs of overlapping boxes lie"),
    LeakKind.LESION: ("lesion lies", "lesions lie"),
    LeakKind.SCAN: ("scan lies", "scans lie"),
    LeakKind.EXAM: ("exam lies", "exams lie"),
    LeakKind.PATIENT: ("patient lies", "patients lie"),
}
"""Kinds of leaks in words, for one and for several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    name : of the tile set or folder
    set_digest : of the tile set's files, so that an audit is not taken for another set's; None for
        a folder of pictures
    seed : drew the sample and the folds
    counts : pictures by split and label
    leaks : pictures of one patient, scan, lesion or place in two splits, and classes missing
    shortcuts : figures of what features tell
    verdict, reasons : the word, and why; "clean" has no reasons
    notes : what a reader should know besides
    problems : what could not be read, and is not part of the figures
    """

    name: str
    set_digest: str | None
    seed: int
    counts: tuple[tuple[str, str, int], ...]
    leaks: tuple[Leak, ...]
    shortcuts: Shortcuts
    verdict: Verdict
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def to_json(self) -> str:
        """Return the audit as the text of `audit.json`, keys in a fixed order."""
        told = {
            "schema": SCHEMA,
            "name": self.name,
            "set_digest": self.set_digest,
            "seed": self.seed,
            "verdict": str(self.verdict),
            "reasons": [reason.to_json() for reason in self.reasons],
            "notes": list(self.notes),
            "counts": [
                {"split": split, "label": label, "pictures": number}
                for split, label, number in self.counts
            ],
            "leaks": {
                "counts": dict(sorted(Counter(str(leak.kind) for leak in self.leaks).items())),
                "listed": [_leak_json(leak) for leak in self.leaks[:MOST_LEAKS]],
            },
            "shortcuts": {
                "measured": self.shortcuts.n,
                "of": self.shortcuts.of,
                "n_patients": self.shortcuts.n_patients,
                "not_measured": list(self.shortcuts.not_measured),
                "figures": [one.to_json() for one in self.shortcuts.told],
            },
            "problems": [asdict(problem) for problem in self.problems],
        }
        return json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def audit_tiles(tiles: TileSet, *, seed: int = 0) -> Audit:
    """Audit a tile set; the same set and seed give the same audit.

    Raises
    ------
    MammoscopeError
        When its pixels cannot be read.
    """
    return _audit(pictures_of(tiles), set_digest(tiles.provenance), seed)


def audit_pictures(pictures: Pictures, *, seed: int = 0) -> Audit:
    """Audit a folder of pictures, see `mammoscope.tiles.audit.pictures.read_pictures`.

    Raises
    ------
    MammoscopeError
        When a picture can no longer be read.
    """
    return _audit(pictures, None, seed)


def write_audit(folder: str | Path, audit: Audit) -> Path:
    """Write `audit.json` into a folder, whole or not at all.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    path = Path(folder) / AUDIT
    write_atomic(path, audit.to_json())
    return path


def read_verdict(folder: str | Path) -> str | None:
    """Read the verdict of a tile set; None where it was not audited, or is not as it was then.

    Raises
    ------
    CorruptFileError
        When `audit.json` is damaged.
    """
    path, provenance = Path(folder) / AUDIT, Path(folder) / PROVENANCE
    if not path.is_file() or not provenance.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        verdict = Verdict(told["verdict"])
        same = told["set_digest"] == set_digest(json.loads(provenance.read_text("utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            f"{path}: is damaged; make it again with `mammoscope tiles audit`."
        ) from error
    return str(verdict) if same else None


def set_digest(provenance: Mapping[str, Any]) -> str:
    """Digest of what a tile set's provenance says of its files: the same wherever the set lies."""
    text = json.dumps(provenance["files"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _audit(pictures: Pictures, digest: str | None, seed: int) -> Audit:
    leaks = find_leaks(pictures, seed=seed)
    shortcuts = measure_shortcuts(pictures, seed=seed)
    missing, notes = missing_reasons(pictures.table)
    reasons = (*leak_reasons(leaks), *missing, *shortcut_reasons(shortcuts))
    return Audit(
        name=Path(pictures.source).name,
        set_digest=digest,
        seed=seed,
        counts=_counts(pictures.table),
        leaks=leaks,
        shortcuts=shortcuts,
        verdict=verdict_of(reasons),
        reasons=reasons,
        notes=notes,
        problems=pictures.problems,
    )


def leak_reasons(leaks: Sequence[Leak]) -> tuple[Reason, ...]:
    """Make a reason of each kind of leak, in the order in which the kinds first come."""
    reasons = []
    for kind in dict.fromkeys(leak.kind for leak in leaks):
        found = [leak for leak in leaks if leak.kind == kind]
        shown = dict.fromkeys(p for leak in found for p in (leak.first, leak.second))
        what = LEAK_WORDS[kind][len(found) > 1]
        sentence = f"{len(found):,} {what} in two splits; for example {described(found[0])}."
        reasons.append(Reason(kind="leak", sentence=sentence, pictures=tuple(shown)[:MOST_SHOWN]))
    return tuple(reasons)


def described(leak: Leak) -> str:
    """Say in words what lies in which two splits."""
    whose = f"{leak.subject}: " if leak.subject else ""
    return (
        f"{whose}picture {leak.first} in {leak.first_split}, picture {leak.second} in "
        f"{leak.second_split} ({leak.relation})"
    )


def missing_reasons(table: pl.DataFrame) -> tuple[tuple[Reason, ...], tuple[str, ...]]:
    """Name classes that a split lacks.

    Returns
    -------
    reasons : where a split has no normal or no abnormal pictures, or lacks a class of so many
        patients that a division by patient would not miss it
    notes : where a class of fewer patients is missing from a split
    """
    reasons, notes = [], []
    labels = table["label"].fill_null("unknown")
    kinds = [("normal" if is_normal(label) else "abnormal") for label in labels]
    coarse = table.with_columns(pl.Series("label", kinds, pl.String))
    for kind, split in missing_classes(coarse):
        sentence = f"The split {split} has no {kind} picture."
        reasons.append(Reason(kind="missing", sentence=sentence))
    whose = pl.Series("whose", patients_of(table).tolist(), pl.String)
    for label, split in missing_classes(table):
        patients = whose.filter(labels == label).n_unique()
        sentence = f"The split {split} has no picture of class {label}"
        if patients >= ENOUGH_PATIENTS:
            reasons.append(Reason(kind="missing", sentence=f"{sentence}."))
        else:
            people = "is 1 patient" if patients == 1 else f"are {patients} patients"
            notes.append(f"{sentence}, of which there {people} in all")
    return tuple(reasons), tuple(notes)


def _leak_json(leak: Leak) -> dict[str, Any]:
    return {
        "kind": str(leak.kind),
        "pictures": [leak.first, leak.second],
        "splits": [leak.first_split, leak.second_split],
        "score": round(leak.score, 4),
        "relation": leak.relation,
        "subject": leak.subject or None,
    }


def _counts(table: pl.DataFrame) -> tuple[tuple[str, str, int], ...]:
    known = table.select(pl.col("split").fill_null("unknown"), pl.col("label").fill_null("unknown"))
    return tuple(known.group_by("split", "label").len().sort("split", "label").iter_rows())
