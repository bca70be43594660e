"""Splits by patient: stratified, repeatable, over several archives at once, kept as a file.

A `Division` gives each patient one split, so that no patient can lie in two.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isclose
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mammoscope.archives.dealing import STRATA, deal, strata_of
from mammoscope.core.errors import (
    BadValueError,
    CorruptFileError,
    MissingFileError,
    UnknownNameError,
)
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Split
from mammoscope.formats.files import write_atomic

SCHEMA = "mammoscope.division/1"
Official = Literal["keep", "purge"]
"""What becomes of the official training scans of a patient who is in the official test as well:
they go to the test with the patient, or into no split."""
FRACTIONS = (0.8, 0.1, 0.1)
"""Shares of train, validation and test, as the paper divides."""
NAMED = 5
"""So many patients are named in an error; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """Which split each patient is in, and how that came about.

    Attributes
    ----------
    patients : split of each patient_id
    folds : fold of each patient that is in no official test; None where no folds were made
    purged : scan_ids that are in no split although their patient is in one
    made : seed, fractions, k, official and strata that it was made with
    """

    patients: Mapping[str, Split]
    folds: Mapping[str, int] | None = None
    purged: frozenset[str] = frozenset()
    made: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def digest(self) -> str:
        """SHA-256 of who is where, whatever the order and however it was made."""
        text = json.dumps(_who_is_where(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def split_of(self, scan: Scan) -> Split | None:
        """Return the split of a scan: its patient's, or None where the scan was purged.

        Raises
        ------
        BadValueError
            When its patient is not in the division.
        """
        if scan.patient_id not in self.patients:
            raise _lacks([scan.patient_id])
        return None if scan.scan_id in self.purged else self.patients[scan.patient_id]

    def at_fold(self, fold: int) -> "Division":
        """Return the division whose validation is one fold, its train the other folds.

        Official tests stay the test.

        Raises
        ------
        BadValueError
            When there is no such fold.
        """
        if self.folds is None or fold not in set(self.folds.values()):
            there = "no folds" if self.folds is None else f"folds 0 to {max(self.folds.values())}"
            raise BadValueError(f"There is no fold {fold}: this division has {there}.")
        splits = {
            patient: Split.VALIDATION if its == fold else Split.TRAIN
            for patient, its in self.folds.items()
        }
        return replace(self, patients=MappingProxyType({**self.patients, **splits}))

    def check(self, scans: Iterable[Scan]) -> tuple[str, ...]:
        """Check that every scan's patient has a split; return the division's unknown patients.

        Unknown are those of whom none of `scans` is; a division of a whole archive may serve for a
        part of it, so they are no error.

        Raises
        ------
        BadValueError
            When a patient of `scans` has no split; names them.
        """
        there = {scan.patient_id for scan in scans}
        if missing := sorted(there - self.patients.keys()):
            raise _lacks(missing)
        return tuple(sorted(self.patients.keys() - there))


def divide(
    scans: Iterable[Scan],
    *,
    seed: int,
    fractions: tuple[float, float, float] = FRACTIONS,
    k: int | None = None,
    official: Official = "keep",
    strata: Sequence[str] = STRATA,
) -> Division:
    """Divide the patients of one archive or several between train, validation and test.

    A patient with a scan of an official test is in the test, whatever else there is of the patient.
    Where an archive has an official test, its other patients go to train and validation only.

    Parameters
    ----------
    scans : of all archives together; a patient is told by `Scan.patient_id`
    seed : the same seed and scans give the same division, whatever their order
    fractions : wanted shares of train, validation and test among the patients that are free to be
        in any; with `k` they are not used
    k : make so many folds of all patients outside official tests; no test is drawn then, and the
        first fold is the validation (see `Division.at_fold`)
    official : see `Official`
    strata : which of `STRATA` are kept even

    Returns
    -------
    Division

    Raises
    ------
    BadValueError
        When there are too few patients for the splits or folds, or an argument is out of range.
    UnknownNameError
        When there is no such stratum.
    """
    known = list(scans)
    _check_arguments(fractions, official, strata)
    bound = _official_parts(known)
    labels = strata_of(known, strata)
    tested = {patient for patient, part in bound.items() if part is Split.TEST}
    made: dict[str, Any] = {"seed": seed, "k": k, "official": official, "strata": list(strata)}
    if k is None:
        made["fractions"] = list(fractions)
        chances = {p: _chances(bound.get(p), fractions) for p in sorted(labels)}
        dealt = deal(labels, chances, seed)
        patients = {patient: list(Split)[place] for patient, place in dealt.items()}
        _check_filled(patients, fractions, bound)
        folds_of = None
    else:
        _check_folds(k, len(labels) - len(tested))
        chances = {p: np.full(k, 1 / k) for p in sorted(labels) if p not in tested}
        folds_of = MappingProxyType(deal(labels, chances, seed))
        patients = dict.fromkeys(tested, Split.TEST)
    division = Division(
        patients=MappingProxyType(dict(sorted(patients.items()))),
        folds=folds_of,
        purged=_purged(known, tested) if official == "purge" else frozenset(),
        made=MappingProxyType(made),
    )
    return division if k is None else division.at_fold(0)


def write_division(path: str | Path, division: Division) -> None:
    """Write a division as JSON, whole or not at all.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    content = {
        "schema": SCHEMA,
        "digest": division.digest,
        "made": dict(division.made),
        **_who_is_where(division),
    }
    write_atomic(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_division(path: str | Path) -> Division:
    """Read a division that `write_division` wrote.

    Raises
    ------
    MissingFileError
        When there is no such file.
    CorruptFileError
        When it is no division, of another version, or not as it was written.
    """
    file = Path(path)
    if not file.is_file():
        raise MissingFileError(f"{file}: there is no such file; give one that a division was in.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except (OSError, ValueError) as error:
        raise CorruptFileError(f"{file}: is no division of patients ({error}).") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise CorruptFileError(
            f"{file}: has the schema {schema!r}, not {SCHEMA!r}; divide the archive again."
        )
    try:
        division = _parsed(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            f"{file}: is damaged ({type(error).__name__}: {error}); divide the archive again."
        ) from error
    if division.digest != content.get("digest"):
        raise CorruptFileError(
            f"{file}: its patients are not those that its digest was made of; divide the archive "
            "again rather than change a division by hand."
        )
    return division


def folds(patients: Mapping[str, str], k: int, seed: int) -> dict[str, int]:
    """Divide patients into `k` folds of nearly equal size within each stratum.

    Parameters
    ----------
    patients : stratum of each patient
    k : number of folds, 2 or more
    seed : the same seed gives the same folds, whatever the order of `patients`

    Returns
    -------
    Fold of each patient, 0 to k - 1.

    Raises
    ------
    ValueError
        When `k` is below 2.
    BadValueError
        When there are fewer patients than folds.
    """
    if k < 2:
        raise ValueError(f"there must be two folds or more, not {k}")
    _check_folds(k, len(patients))
    rng = np.random.default_rng(seed)
    assignment: dict[str, int] = {}
    given = 0
    for stratum in sorted(set(patients.values())):
        members = sorted(patient for patient, its in patients.items() if its == stratum)
        for patient in (members[i] for i in rng.permutation(len(members))):
            # Going on where the last stratum ended keeps the folds' whole sizes equal as well.
            assignment[patient] = given % k
            given += 1
    return assignment


def split_digest(assignment: Mapping[str, int | str]) -> str:
    """SHA-256 of an assignment, whatever its order."""
    text = json.dumps(dict(sorted(assignment.items())), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _official_parts(scans: Iterable[Scan]) -> dict[str, Split]:
    """Official part that binds each patient; a test binds before all, a validation before train."""
    parts: dict[str, set[Split]] = defaultdict(set)
    archives_with_test = {scan.archive for scan in scans if scan.split is Split.TEST}
    for scan in scans:
        # An archive of which only the training part is here has no test to keep apart: it is
        # divided in three as if nothing had been said.
        if scan.split is not None and (
            scan.split is not Split.TRAIN or scan.archive in archives_with_test
        ):
            parts[scan.patient_id].add(scan.split)
    gravest = list(Split)
    return {patient: max(its, key=gravest.index) for patient, its in parts.items()}


def _purged(scans: Iterable[Scan], tested: Collection[str]) -> frozenset[str]:
    """Name the scans outside the official test of patients who are in it."""
    return frozenset(
        scan.scan_id
        for scan in scans
        if scan.patient_id in tested and scan.split not in (None, Split.TEST)
    )


def _chances(part: Split | None, fractions: Sequence[float]) -> NDArray[np.float64]:
    """Wanted shares of train, validation and test for a patient whom an official part binds."""
    shares = np.array(fractions, np.float64)
    if part is Split.TRAIN:
        shares[2] = 0.0
    elif part is not None:
        shares = np.array([part is split for split in Split], np.float64)
    return np.asarray(shares / shares.sum())


def _check_arguments(fractions: Sequence[float], official: str, strata: Sequence[str]) -> None:
    if (
        len(fractions) != len(Split)
        or not all(0 <= share <= 1 for share in fractions)
        or not isclose(sum(fractions), 1, abs_tol=1e-6)
        or not fractions[0] > 0
    ):
        raise BadValueError(
            f"The fractions {tuple(fractions)} cannot be used: give the shares of train, "
            "validation and test, which add up to 1, the first above 0."
        )
    if official not in get_args(Official):
        raise UnknownNameError.among("rule for official tests", official, get_args(Official))
    for name in strata:
        if name not in STRATA:
            raise UnknownNameError.among("stratum", name, STRATA)


def _check_folds(k: int, patients: int) -> None:
    if k < 2 or k > patients:
        raise BadValueError(
            f"{patients} patients cannot be divided into {k} folds: give at least 2 and at most "
            "as many as there are patients."
        )


def _check_filled(
    patients: Mapping[str, Split], fractions: Sequence[float], bound: Mapping[str, Split]
) -> None:
    there = set(patients.values())
    for split, share in zip(Split, fractions, strict=True):
        if share > 0 and split not in there:
            raise BadValueError(
                f"No patient is left for {split}: {len(patients)} patients, {len(bound)} of them "
                "bound by an official split, are too few; give more scans or a fraction of 0."
            )


def _lacks(patients: Sequence[str]) -> BadValueError:
    named = ", ".join(patients[:NAMED])
    more = f" and {len(patients) - NAMED} more" if len(patients) > NAMED else ""
    return BadValueError(
        f"The division knows no split of {named}{more}; divide the archives again, all at once."
    )


def _who_is_where(division: Division) -> dict[str, Any]:
    return {
        "patients": {patient: str(split) for patient, split in division.patients.items()},
        "folds": None if division.folds is None else dict(division.folds),
        "purged": sorted(division.purged),
    }


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: the last of a patient's splits would win."""
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice!r} stands twice")
    return content


def _parsed(content: Mapping[str, Any]) -> Division:
    patients = {patient: Split(split) for patient, split in content["patients"].items()}
    folds_of = content["folds"]
    if folds_of is not None and not folds_of.keys() <= patients.keys():
        raise ValueError("a fold names a patient without a split")
    if folds_of is not None and any(
        type(fold) is not int or fold < 0 for fold in folds_of.values()
    ):
        raise ValueError("a fold is no number")
    return Division(
        patients=MappingProxyType(patients),
        folds=None if folds_of is None else MappingProxyType(folds_of),
        purged=frozenset(str(scan) for scan in content["purged"]),
        made=MappingProxyType(dict(content["made"])),
    )
