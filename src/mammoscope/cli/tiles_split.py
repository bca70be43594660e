"""`mammoscope tiles split`: the patients of archives divided, and kept as a file."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from mammoscope.cli.console import print_table
from mammoscope.cli.opening import ArchivesArgument, open_pairs
from mammoscope.core.errors import BadValueError

if TYPE_CHECKING:
    from mammoscope.archives.splits import Division, Official
    from mammoscope.core.records import Scan

NONE, IN_FOLDS = "in no split", "of them in fold"


def split(
    archives: ArchivesArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The division, as JSON.")],
    seed: Annotated[
        int, typer.Option(metavar="S", help="The same seed gives the same division.")
    ] = 0,
    fractions: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="TRAIN VALIDATION TEST",
            help="Shares of the patients.",
            show_default="0.8 0.1 0.1",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="Folds of all patients outside official tests, instead of shares."
        ),
    ] = None,
    official: Annotated[
        str,
        typer.Option(
            metavar="keep|purge",
            help="Official training scans of patients of an official test: go there too, or "
            "nowhere.",
        ),
    ] = "keep",
) -> None:
    """Divide the patients of archives, all at once, for `tiles build --division FILE`.

    Patients of an official test stay in the test. A file that is there is never overwritten.
    """
    from mammoscope.archives.splits import FRACTIONS, divide, write_division

    if seed < 0:
        raise BadValueError(f"--seed {seed}: a seed is 0 or more.")
    if fractions is not None and folds is not None:
        raise BadValueError("Folds are of equal size; leave --fractions or --folds out.")
    scans = [scan for archive in open_pairs(archives) for scan in archive.scans()]
    division = divide(
        scans,
        seed=seed,
        fractions=fractions or FRACTIONS,
        k=folds,
        official=cast("Official", official),
    )
    if not _is_there(out, division):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_division(out, division)
    rows = _rows(scans, division)
    print_table(f"{len(division.patients)} patients in {out}", ("", "patients", "scans"), rows)
    print(f"Digest: {division.digest}")


def _is_there(out: Path, division: "Division") -> bool:
    """Tell whether this very division lies there; another one is what sets were built from."""
    from mammoscope.archives.splits import read_division

    if not out.exists():
        return False
    if read_division(out).digest != division.digest:
        raise BadValueError(
            f"{out}: holds another division, from which tile sets may have been built; remove it "
            "or name another file."
        )
    return True


def _rows(scans: Sequence["Scan"], division: "Division") -> list[tuple[str, str, str]]:
    """Lay out how many patients and scans are in each split, and in each fold."""
    from mammoscope.core.vocabulary import Split

    people = Counter(str(one) for one in division.patients.values())
    films = Counter(str(division.split_of(scan) or NONE) for scan in scans)
    rows = [(str(one), str(people[one]), str(films[one])) for one in Split]
    if films[NONE]:
        rows.append((NONE, "-", str(films[NONE])))
    if division.folds is not None:
        sizes = Counter(division.folds.values())
        its = Counter(division.folds.get(scan.patient_id) for scan in scans)
        rows += [(f"{IN_FOLDS} {one}", str(sizes[one]), str(its[one])) for one in sorted(sizes)]
    return rows
