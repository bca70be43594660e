"""A network of tiles measured on a tile set: scores a tile, figures, and the paper's sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mammoscope.core.errors import BadValueError
from mammoscope.core.vocabulary import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mammoscope.core.contract import Calibration
    from mammoscope.evaluation.scores import Scores
    from mammoscope.evaluation.threshold_choice import Threshold
    from mammoscope.models.heads import Head
    from mammoscope.models.weights import Model
    from mammoscope.tiles.store import TileSet

STRATA = ("archive", "scanner", "view", "breast_density", "pathology", "origin", "spacing_source")
"""Columns of the index that divide tiles into groups."""
MEANING = "chance that a tile of this set is abnormal"


@dataclass(frozen=True, slots=True, kw_only=True)
class TilesAsked:
    """What was asked of a network and a tile set; None where not given."""

    model: str
    folder: str
    contrasts: tuple[float, ...]
    threshold: str
    calibrate: str | None
    trained_on: Path | None
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TilesMeasured:
    """The content of evaluation.json, the table of scores, and the set that pictures come from."""

    measured: dict[str, Any]
    table: str
    tiles: "TileSet"

    def pictures(self, ids: Sequence[str]) -> "dict[str, NDArray[Any]]":
        """Return tiles by the ids that `scores.csv` gives them."""
        return {one: self.tiles.pixels([place_of(one)])[0] for one in ids}


def measure_tiles(asked: TilesAsked, draws: tuple[int, int]) -> TilesMeasured:
    """Measure a network on the tiles of a set's test patients.

    Rules for a threshold, and calibrations, are fitted on the tiles of its validation patients.

    Parameters
    ----------
    draws : resamples of the bootstrap, and its seed

    Raises
    ------
    MammoscopeError
        When model and tiles do not fit each other, a part of the set is missing, or a patient was
        trained on.
    """
    from mammoscope.evaluation.scores_summary import summarise_scores
    from mammoscope.models.weights import load_model
    from mammoscope.tiles.store import load_tiles

    model, tiles = load_model(asked.model), load_tiles(asked.folder)
    head = _head(model, tiles)
    text, by_contrast = _scored(model, tiles, head, Split.TEST, asked.contrasts)
    scores = _parsed(text, tiles, Split.TEST)
    said = _warnings(asked, model, tiles, scores)
    others = _validation(asked, model, tiles, head)
    threshold, calibration = _threshold(asked.threshold, others), _fitted(asked, others, tiles)
    resamples, seed = draws
    sections = summarise_scores(
        scores, threshold, calibration=calibration, resamples=resamples, seed=seed
    )
    measured = {
        **_about(model, tiles),
        **sections,
        "sweep": _sweep(by_contrast, scores, draws),
        "warnings": [*said, *sections["warnings"]],
        "environment": _environment(),
    }
    return TilesMeasured(measured=measured, table=text, tiles=tiles)


def place_of(tile_id: str) -> int:
    """Return a tile's position in its set from the id that `scores.csv` gives it."""
    return int(tile_id.removeprefix("tile "))


def contrasts_of(text: str) -> tuple[float, ...]:
    """Read `--contrast`: factors above 0, parted by commas; 1 is always among them.

    Raises
    ------
    BadValueError
        When one is no number above 0 and at most 10.
    """
    try:
        given = [float(one) for one in text.split(",")]
    except ValueError:
        given = []
    if not given or not all(0 < one <= 10 for one in given):
        raise BadValueError(
            f"--contrast {text} is no list of factors above 0 and at most 10, such as 1,1.5,2."
        )
    return tuple(sorted({1.0, *given}))


def _head(model: "Model", tiles: "TileSet") -> "Head":
    """Return what the answers stand for; refuse a network that takes no tiles, or not these."""
    from mammoscope.models import zoo
    from mammoscope.models.heads import HEADS
    from mammoscope.training.tile_checks import check_side

    output = model.contract.output
    if output.stride_px is not None:
        raise BadValueError(
            f"The model {model.contract.name} answers for places on scans and takes no tiles; give "
            "--archive NAME DIR instead of --tiles."
        )
    head = next((one for one in HEADS.values() if one.targets == output.targets), None)
    if head is None:
        raise BadValueError(
            f"The model {model.contract.name} answers {', '.join(output.targets)}, which is no way "
            "of labelling tiles that is known here; use a model that `train` made of tiles."
        )
    facts = zoo.facts(model.contract.architecture)
    check_side(model.network, facts, tiles, len(head.targets))
    return head


def _scored(
    model: "Model", tiles: "TileSet", head: "Head", split: Split, contrasts: Sequence[float]
) -> "tuple[str, dict[float, NDArray[Any]]]":
    """Score the tiles of a split at each contrast; the table is of the contract's own."""
    from mammoscope.training.tile_task import answers_of

    rows = tiles.rows_of(split)
    if not len(rows):
        raise BadValueError(
            f"{tiles.folder}: there is no tile of {split} patients; use a set that has some, as "
            "`tiles build` and `tiles split` make it."
        )
    answered = {}
    for contrast in contrasts:
        spec = model.contract.input
        own = spec.grey_numbers.get("contrast", 1.0)
        # The contract's road with another number on it, so that nothing else differs.
        numbers = {**spec.grey_numbers, "contrast": own * contrast}
        answered[contrast] = answers_of(
            model.network, tiles, rows, replace(spec, grey_numbers=numbers)
        ).shares
    text = _table(tiles, rows, head, answered[1.0])
    return text, {contrast: _abnormal(shares) for contrast, shares in answered.items()}


def _abnormal(shares: "NDArray[Any]") -> "NDArray[Any]":
    return (1 - shares[:, 0]).clip(0, 1)


def _table(tiles: "TileSet", rows: "NDArray[Any]", head: "Head", shares: "NDArray[Any]") -> str:
    """Return scores as the text of a table that `--scores` reads too."""
    import polars as pl

    table = tiles.table[rows.tolist()]
    truth = head.truth(table["label"].to_numpy())
    columns: dict[str, Any] = {
        "tile_id": [f"tile {row}" for row in rows.tolist()],
        **{name: table[name] for name in ("scan_id", "patient_id", "exam_id", "laterality")},
        "score": _abnormal(shares),
        "truth": (truth > 0).astype(int),
    }
    if table["laterality"].null_count():
        del columns["laterality"]
    if len(head.targets) > 2:
        columns["label"] = [head.targets[place] for place in truth.tolist()]
        columns |= {f"p_{name}": shares[:, at] for at, name in enumerate(head.targets)}
    columns |= {name: table[name] for name in STRATA if table[name].n_unique() > 1}
    return pl.DataFrame(columns).write_csv(float_precision=None)


def _parsed(text: str, tiles: "TileSet", split: Split) -> "Scores":
    from mammoscope.evaluation.scores import parse_scores

    return parse_scores(text.encode(), Path(f"{tiles.folder} ({split} tiles)"))


def _validation(
    asked: TilesAsked, model: "Model", tiles: "TileSet", head: "Head"
) -> "Scores | None":
    """Score the validation tiles where something is to be chosen or fitted on them."""
    from mammoscope.evaluation.scores import check_both_classes
    from mammoscope.evaluation.threshold_choice import threshold_number

    if asked.calibrate is None and threshold_number(asked.threshold) is not None:
        return None
    text, _ = _scored(model, tiles, head, Split.VALIDATION, (1.0,))
    others = _parsed(text, tiles, Split.VALIDATION)
    check_both_classes(others)
    return others


def _threshold(rule: str, others: "Scores | None") -> "Threshold":
    from mammoscope.evaluation.threshold_choice import Threshold, best_threshold, threshold_number

    value = threshold_number(rule)
    if value is not None:
        return Threshold(value, "given beforehand")
    assert others is not None
    best = best_threshold(rule, others.scores, others.truth)
    return Threshold(best, f"{rule}, on the tiles of the validation patients")


def _fitted(asked: TilesAsked, others: "Scores | None", tiles: "TileSet") -> "Calibration | None":
    from mammoscope.evaluation.calibrate import Ground, fit_calibration

    if asked.calibrate is None or others is None:
        return None
    fitted_on = f"tiles of the validation patients of {tiles.folder.name}"
    ground = Ground(split=Split.VALIDATION, fitted_on=fitted_on, meaning=MEANING)
    return fit_calibration(asked.calibrate, others.scores, others.truth, ground)


def _warnings(asked: TilesAsked, model: "Model", tiles: "TileSet", scores: "Scores") -> list[str]:
    """Say what a reader must know of how model and tiles belong together."""
    from mammoscope.cli.evaluate_scores import training_patients
    from mammoscope.evaluation.trained_on import check_apart
    from mammoscope.training.tile_input import SPACING_TOLERANCE, spacing_of

    said = []
    if asked.trained_on is not None:
        trained, _ = training_patients(asked.trained_on)
        said.append(check_apart(scores.patients, trained, str(asked.trained_on), force=asked.force))
    if asked.trained_on is None and _knows(model, tiles) and not _is_own(model, tiles):
        said.append(
            f"The model was trained on films of {model.contract.origin.get('archives')}, and these "
            "tiles are another set of the same patients: some of those measured here may have been "
            "trained on (--trained-on tells)."
        )
    found, own = spacing_of(tiles), model.contract.input.spacing_mm
    if found is not None and abs(found / own - 1) > SPACING_TOLERANCE:
        said.append(
            f"The tiles have {found:.3g} mm a pixel and the model was trained at {own:.3g}: "
            "everything looks larger or smaller to it than what it learnt."
        )
    return [one for one in said if one is not None]


def _knows(model: "Model", tiles: "TileSet") -> bool:
    from mammoscope.read.evaluate import trained_on_films_of

    archives = tiles.table["archive"].unique().to_list()
    return any(trained_on_films_of(model.contract, name) for name in archives)


def _is_own(model: "Model", tiles: "TileSet") -> bool:
    """Tell whether the model was trained on this very set, whose test patients it never saw."""
    from mammoscope.tiles.audit.report import set_digest

    return model.contract.origin.get("tiles") == set_digest(tiles.provenance)


def _about(model: "Model", tiles: "TileSet") -> dict[str, Any]:
    from mammoscope.cli.evaluate_scores import SCHEMA
    from mammoscope.tiles.audit.report import read_verdict, set_digest

    contract = model.contract
    return {
        "schema": SCHEMA,
        "model": {"name": contract.name, "version": contract.version, "digest": model.digest},
        "dataset": {
            "name": f"the test tiles of {tiles.folder.name}",
            "recipe": str(tiles.provenance.get("recipe")),
            "digest": set_digest(tiles.provenance),
            "audit_verdict": read_verdict(tiles.folder),
            "trained_on": _knows(model, tiles) and not _is_own(model, tiles),
            "failures": {},
        },
    }


def _sweep(
    by_contrast: "Mapping[float, NDArray[Any]]", scores: "Scores", draws: tuple[int, int]
) -> dict[str, Any]:
    from mammoscope.evaluation.sweep import sweep

    return sweep(by_contrast, scores.truth, scores.patients, draws=draws).to_json()


def _environment() -> dict[str, str]:
    from mammoscope.read.evaluate import environment

    return environment()
