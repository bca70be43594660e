"""The author's own division into train, test and validation, for comparison only.

It keeps CBIS-DDSM's official parts, but tiles of one film of DDSM lie in all three splits, the test
holds masses and the validation calcifications, and recipe 6 has tiles of one finding in test and
validation (method facts 2.2 and 2.3). Tables are those of candidates: the columns of
`mammoscope.tiles.store.SCHEMA` but split, and lot and official_split.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import Split
from mammoscope.tiles.tile import NORMAL, Origin

MARK = "faithful: leaks by construction, for comparison only"
"""What the provenance of such a tile set says under ``splits``."""
EXTRAS, EXTRAS_OF = 9000, 7290
"""Recipe 9.5 adds 9,000 tiles that fail the tests to its 7,290 training tiles of findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tiles a split of the paper's holds.

    Attributes
    ----------
    train : tiles of findings from CBIS-DDSM's training part
    held : tiles of findings from its test part
    normals_train, normals_held : normal tiles beside them
    """

    train: int
    held: int
    normals_train: int
    normals_held: int

    @property
    def splits(self) -> dict[str, int]:
        """Tiles in each split, where test and validation are cut each by half (recipes 8 to 10)."""
        return {
            str(Split.TRAIN): self.train + self.normals_train,
            str(Split.TEST): self.held // 2 + self.normals_held // 2,
            str(Split.VALIDATION): -(-self.held // 2) - (-self.normals_held // 2),
        }


def expected_counts(
    train: int, held: int, normals: int, abnormal_per_normal: float | None
) -> Counts:
    """Count the tiles of each kind by the author's arithmetic.

    Parameters
    ----------
    train, held : tiles of findings in CBIS-DDSM's training and test part
    normals : normal tiles that there are
    abnormal_per_normal : 0.2 for recipes 8 and 9, 0.15 for 10; None takes all normal tiles (6)

    Raises
    ------
    BadValueError
        When one of the two parts has no tile.

    Examples
    --------
    >>> expected_counts(7290, 2004, 95_432, 0.2).splits
    {'train': 43739, 'test': 6011, 'validation': 6012}
    """
    if train == 0 or held == 0:
        raise BadValueError(
            "The author's division needs findings of both official parts of cbis-ddsm, and there "
            f"are {train} tiles of its training and {held} of its test part; add the other part, "
            "or divide by patient."
        )
    total = normals
    if abnormal_per_normal is not None:
        # In floats and cut, as in the notebook: that loses one or two tiles of 46,470.
        total = min(normals, int((train + held) // abnormal_per_normal))
    return _parted(train, held, total)


def _parted(train: int, held: int, normals: int) -> Counts:
    """Part normal tiles as the findings are; both counts are cut, which may lose a tile."""
    share = train / (train + held)
    return Counts(
        train=train,
        held=held,
        normals_train=int(normals * share),
        normals_held=int(normals * (1 - share)),
    )


def choose_faithfully(
    table: pl.DataFrame, seed: int, *, abnormal_per_normal: float | None
) -> pl.Series:
    """Tell which candidates stay: all findings', and the normal ones of the smallest lots.

    Of tiles that failed the tests (recipe 9.5) as many stay beside the training part as in the
    paper.

    Returns
    -------
    Series of booleans, one a row.
    """
    del seed  # lots are drawn already
    counts = _count(table, abnormal_per_normal)
    stay = table["label"].to_numpy() != NORMAL
    stay[_normals(table)[: counts.normals_train + counts.normals_held]] = True
    stay[_refused(table)[: round(counts.train * EXTRAS / EXTRAS_OF)]] = True
    return pl.Series("stay", stay)


def choose_extras(table: pl.DataFrame, seed: int, *, normals_per_abnormal: float) -> pl.Series:
    """Tell which candidates of recipe 9.5 stay where tiles are divided by patient.

    Returns
    -------
    Series of booleans, one a row: so many normal tiles for each of a finding, and as many that
    failed the tests as the paper has for each of a finding in its training part.
    """
    del seed  # lots are drawn already
    stay = table["label"].to_numpy() != NORMAL
    abnormal = int(stay.sum())
    stay[_normals(table)[: int(abnormal * normals_per_abnormal)]] = True
    stay[_refused(table)[: round(abnormal * EXTRAS / EXTRAS_OF)]] = True
    return pl.Series("stay", stay)


def divide_faithfully(
    table: pl.DataFrame,
    seed: int,
    *,
    abnormal_per_normal: float | None = 0.2,
    mixed: bool = False,
) -> pl.Series:
    """Divide tiles of CBIS-DDSM and DDSM as the author did; this leaks.

    Findings of the official training part go to train. Those of its test part are put in the order
    of file names, masses before calcifications: the first half is the test, the second the
    validation. Normal tiles are shuffled over all films; as large a share of them as of the
    findings goes to train, and the rest is halved at random.

    Parameters
    ----------
    table : the candidates that `choose_faithfully` kept
    seed : draws the halves of what is halved at random
    abnormal_per_normal : as for `expected_counts`
    mixed : recipe 6: all that is not for training is shuffled together and halved, so that tiles
        of one finding lie in test and validation

    Returns
    -------
    Series of values of `mammoscope.core.vocabulary.Split`, one a row.

    Raises
    ------
    BadValueError
        When one of the official parts has no tile.
    """
    rng = np.random.default_rng(seed)
    counts = _count(table, abnormal_per_normal)
    normals = _normals(table)
    if counts.normals_train + counts.normals_held != len(normals):
        # Where all were taken, or all there were, one was lost when they were chosen.
        counts = _parted(counts.train, counts.held, len(normals) + 1)
    split = np.full(table.height, str(Split.TRAIN), dtype=object)
    held = _held_findings(table)
    # Lots are a shuffle: drawn for each tile alone, whatever its film.
    rest = normals[counts.normals_train :]
    if mixed:
        _halve(split, rng.permutation(np.concatenate([held, rest])))
    else:
        _halve(split, held)
        _halve(split, rng.permutation(rest))
    return pl.Series("split", split.tolist(), dtype=pl.String)


def all_test(table: pl.DataFrame, seed: int) -> pl.Series:
    """Put every tile into the test, as the author did with those of MIAS."""
    del seed
    return pl.Series("split", [str(Split.TEST)] * table.height, dtype=pl.String)


def _halve(split: NDArray[np.object_], rows: NDArray[np.intp]) -> None:
    half = len(rows) // 2
    split[rows[:half]] = str(Split.TEST)
    split[rows[half:]] = str(Split.VALIDATION)


def _count(table: pl.DataFrame, abnormal_per_normal: float | None) -> Counts:
    abnormal = table.filter(pl.col("label") != NORMAL)
    held = int((abnormal["official_split"] == str(Split.TEST)).sum())
    return expected_counts(abnormal.height - held, held, len(_normals(table)), abnormal_per_normal)


def _held_findings(table: pl.DataFrame) -> NDArray[np.intp]:
    """Rows of findings of the official test part: masses, then calcifications, by file name."""
    # A finding's id tells its table, where the label may be that of another finding of its scan.
    named = pl.col("finding_id")
    calcified = named.str.contains("_calc_") | (
        ~named.str.contains("_mass_") & pl.col("label").str.ends_with("calcification")
    )
    ordered = (
        table.with_row_index("row")
        .filter((pl.col("label") != NORMAL) & (pl.col("official_split") == str(Split.TEST)))
        .sort(calcified, "scan_id", "finding_id", "row")
    )
    return ordered["row"].to_numpy().astype(np.intp)


def _normals(table: pl.DataFrame) -> NDArray[np.intp]:
    return _by_lot(table, (pl.col("label") == NORMAL) & (pl.col("origin") != str(Origin.REFUSED)))


def _refused(table: pl.DataFrame) -> NDArray[np.intp]:
    return _by_lot(table, pl.col("origin") == str(Origin.REFUSED))


def _by_lot(table: pl.DataFrame, wanted: pl.Expr) -> NDArray[np.intp]:
    """Rows that are wanted, smallest lot first."""
    ordered = table.with_row_index("row").filter(wanted).sort("lot", "row")
    return ordered["row"].to_numpy().astype(np.intp)
