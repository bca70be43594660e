"""Which normal tiles a strict set keeps, so that neither archive nor scanner tells the label."""

import polars as pl

from mammoscope.core.errors import ArchiveError
from mammoscope.tiles.tile import NORMAL, Origin

STRATA = ("archive", "scanner", "breast_density")
HARD_SHARE = 0.5
"""Share of the normal tiles that may be hard negatives; the rest stays a fair draw of tissue."""


def balanced(table: pl.DataFrame, seed: int, *, normals_per_abnormal: float) -> pl.Series:
    """Keep all abnormal tiles, and beside them as many normal ones in each stratum.

    A stratum is an archive, scanner and density. Normal tissue of a stratum without any lesion is
    left out: with it, the stratum alone would tell the label. A stratum with less normal tissue
    than wanted keeps all of it.

    Parameters
    ----------
    table : a row a candidate, with columns label, origin, lot and those of `STRATA`
    seed : not used: candidates carry their lots
    normals_per_abnormal : wanted in each stratum

    Returns
    -------
    Series of bool, one a row: whether the tile stays.

    Raises
    ------
    ArchiveError
        When there is no abnormal tile or no normal one would stay.
    """
    del seed
    keys = [*STRATA]
    normal = pl.col("label") == NORMAL
    hard = normal & (pl.col("origin") == str(Origin.NEGATIVE))
    wanted = ((~normal).sum() * normals_per_abnormal).round().cast(pl.Int64)
    ranked = (
        table.select("label", "origin", "lot", *keys)
        .with_row_index("at")
        .with_columns(wanted.over(keys).alias("wanted"), hard.alias("hard"), normal.alias("normal"))
        .sort("lot", "at")
        .with_columns(pl.int_range(pl.len()).over([*keys, "normal", "hard"]).alias("rank"))
    )
    kept_hard = pl.col("hard") & (pl.col("rank") < pl.col("wanted") * HARD_SHARE)
    ranked = ranked.with_columns(kept_hard.sum().over(keys).alias("hard_kept"))
    easy = ~pl.col("hard") & (pl.col("rank") < pl.col("wanted") - pl.col("hard_kept"))
    kept = ranked.select("at", keep=~pl.col("normal") | kept_hard | easy).sort("at")["keep"]
    stays = table.filter(kept)["label"] == NORMAL
    _check(table["label"] == NORMAL, none_kept=normals_per_abnormal > 0 and not stays.any())
    return kept


def _check(normal: pl.Series, *, none_kept: bool) -> None:
    if normal.all():
        raise ArchiveError(
            "No scan gave a tile with a proven finding, so a strict set cannot be balanced; open "
            "an archive that gives places and pathologies of findings."
        )
    if normal.any() and none_kept:
        raise ArchiveError(
            "No normal tissue comes from an archive, scanner and density that also has lesions, "
            "so the origin alone would tell the label; add scans of the same source."
        )
