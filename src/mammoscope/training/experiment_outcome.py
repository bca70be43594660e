"""What a run of an experiment leaves: its scores tile by tile, and that it is done."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mammoscope.core.errors import BadValueError, CorruptFileError, NotFiniteError
from mammoscope.core.vocabulary import Split
from mammoscope.formats.files import write_atomic
from mammoscope.formats.one_line import one_line
from mammoscope.models.heads import head_of
from mammoscope.models.weights import load_model
from mammoscope.tiles.audit.report import set_digest
from mammoscope.tiles.store import TileSet
from mammoscope.training.settings import TileSettings
from mammoscope.training.tile_task import answers_of

FILE, SCORES = "outcome.json", "scores.parquet"
SCHEMA = "mammoscope.outcome/1"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Scores of one run on the patients that it was not trained on.

    Attributes
    ----------
    patients : of each tile
    truth : ndarray of shape (tiles,), bool: abnormal
    scores : ndarray of shape (tiles,), softmax share of all classes but normal, in [0, 1]
    rows : of the training, one an epoch; None stands for what is no number
    seconds : that the run took
    """

    patients: tuple[str, ...]
    truth: NDArray[np.bool_]
    scores: NDArray[np.float64]
    rows: tuple[dict[str, Any], ...]
    seconds: float


def digest_of(settings: TileSettings, tiles: TileSet) -> str:
    """Digest of all that decides a run: its settings and its tiles, wherever these lie."""
    told = {**asdict(settings), "on_alarm": None, "tiles": set_digest(tiles.provenance)}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def is_done_in(folder: Path, digest: str) -> bool:
    """Tell whether the run of that digest is done in `folder`.

    Raises
    ------
    BadValueError
        When another run is.
    """
    if not (folder / FILE).exists():
        return False
    if _told(folder)["digest"] != digest:
        raise BadValueError(
            f"{folder}: holds a run with other settings or tiles; give another --out, or remove "
            "that folder."
        )
    return True


def write_outcome(
    folder: Path, weights: Path, settings: TileSettings, tiles: TileSet, seconds: float
) -> None:
    """Score the validation and test tiles with the weights of a run, and write that it is done.

    Raises
    ------
    NotFiniteError
        When an answer is no number.
    """
    model = load_model(weights)
    rows = np.concatenate([tiles.rows_of(split) for split in (Split.VALIDATION, Split.TEST)])
    answers = answers_of(model.network, tiles, rows, model.contract.input)
    scores = 1 - answers.shares[:, 0]
    if not np.isfinite(scores).all():
        raise NotFiniteError(
            f"{folder}: some answers of the trained network are no numbers; lower the learning "
            "rate, or give clip_norm."
        )
    table = tiles.table[rows].select("patient_id", "split", "label")
    truth = head_of(settings.head).truth(table["label"].to_numpy()) > 0
    stream = io.BytesIO()
    table.with_columns(
        tile=pl.Series(rows), abnormal=pl.Series(truth), score=pl.Series(scores)
    ).write_parquet(stream)
    write_atomic(folder / SCORES, stream.getvalue())
    told = {"schema": SCHEMA, "digest": digest_of(settings, tiles), "seconds": seconds}
    write_atomic(folder / FILE, json.dumps(told, indent=1) + "\n")


def read_outcome(folder: Path, splits: Sequence[Split]) -> Outcome:
    """Read what a run that is done left of some patients.

    Raises
    ------
    CorruptFileError
        When a file of it is missing or damaged.
    """
    told = _told(folder)
    try:
        rows = json.loads((folder / "run" / "history.json").read_text(encoding="utf-8"))
        table = pl.read_parquet(folder / SCORES)
        table = table.filter(pl.col("split").is_in([str(split) for split in splits]))
        return Outcome(
            patients=tuple(table["patient_id"].to_list()),
            truth=table["abnormal"].to_numpy(),
            scores=table["score"].to_numpy(),
            rows=tuple(rows),
            seconds=float(told["seconds"]),
        )
    except (OSError, ValueError, TypeError, pl.exceptions.PolarsError) as error:
        raise CorruptFileError(
            f"{folder}: what the run left cannot be read ({one_line(error)}); remove that folder, "
            "and the same command trains it again."
        ) from error


def _told(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {"digest": str(told["digest"]), "seconds": float(told["seconds"])}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(
            f"{folder / FILE}: cannot be read ({one_line(error)}); remove that folder, and the "
            "same command trains it again."
        ) from error
