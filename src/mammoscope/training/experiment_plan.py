"""What an experiment is asked to do: its TOML file, with the claims that it puts to the test."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from mammoscope.core.config import parse_toml, settings_from
from mammoscope.core.errors import BadValueError, MissingFileError, UnknownKeyError
from mammoscope.core.vocabulary import Split
from mammoscope.training.run import folder_of, read_values, settings_of
from mammoscope.training.search_space import Value, with_values
from mammoscope.training.seeds import with_tiles
from mammoscope.training.settings import TileSettings

TABLES = ("experiment", "vary", "published", "claims")
VOLATILITY = "volatility"
"""Mean change of a run's validation accuracy from one epoch to the next."""
MEASURED = (
    *("accuracy", "recall", "specificity", "precision"),
    *("f1", "balanced_accuracy", "auc", "average_precision"),
)
"""Figures that are measured on patients, as `mammoscope.evaluation.metrics` names them."""
FIGURES = (*MEASURED, VOLATILITY)
FORMS = ({"higher", "than"}, {"highest"}, {"lowest"}, {"at", "below"}, {"at", "above"})
"""Keys that a claim is put in: each set is one form."""
_VALUED = ("higher", "than", "highest", "lowest", "at")


class Patients(StrEnum):
    """On whom the runs are measured."""

    VALIDATION = "validation"
    TEST = "test"
    BOTH = "both"

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that these are."""
        both = (Split.VALIDATION, Split.TEST)
        return both if self is Patients.BOTH else (Split(self.value),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentSettings:
    """The table ``[experiment]``.

    Attributes
    ----------
    seeds : how many each value is trained with: 1, 2, ...; may be raised later
    metric : the figure that is shown first
    patients : on whom all figures are measured; they choose nothing
    """

    name: str
    seeds: int = 3
    metric: str = "auc"
    patients: Patients = Patients.TEST

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ValueError("seeds must be 2 or more, better 3; one seed has no spread")
        _check_figure("metric", self.metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a paper says, and how it is checked; values are named as `word_of` writes them.

    Attributes
    ----------
    says, source : the sentence, and where it stands
    paper : the paper's own figures, in words
    figure : of `FIGURES`
    higher, than : the figure is higher at the first value than at the second
    highest, lowest : it is so at this value, among all that are tried
    at, below, above : at this value it lies beyond the number
    from_step : step of training from which the paper saw it; shorter runs cannot tell
    """

    says: str
    source: str
    figure: str
    paper: str = ""
    higher: str | None = None
    than: str | None = None
    highest: str | None = None
    lowest: str | None = None
    at: str | None = None
    below: float | None = None
    above: float | None = None
    from_step: int = 0

    def __post_init__(self) -> None:
        _check_figure("figure", self.figure)
        names = ("higher", "than", "highest", "lowest", "at", "below", "above")
        if {name for name in names if getattr(self, name) is not None} not in FORMS:
            raise ValueError(
                "a claim is put as one of: higher and than; highest; lowest; at and below; at and "
                "above"
            )
        if self.higher is not None and self.higher == self.than:
            raise ValueError("higher and than must name two values")
        if self.from_step < 0:
            raise ValueError("from_step must be 0 or more")

    @property
    def named(self) -> tuple[str, ...]:
        """The values that it speaks of."""
        return tuple(v for name in _VALUED if (v := getattr(self, name)) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment that is under way.

    Attributes
    ----------
    option : that is varied, "a.b"
    runs : settings of each value, by the value's word, in the file's order
    published : a paper's figures: by figure, then by the value's word
    """

    settings: ExperimentSettings
    option: str
    runs: Mapping[str, TileSettings]
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    folder: Path

    def folder_of(self, word: str, seed: int) -> Path:
        """Folder of the run with one value and one seed."""
        return self.folder / f"{_slug(self.option.split('.')[-1])}-{_slug(word)}" / f"seed-{seed}"


def make_experiment(
    config: str | Path, overrides: Sequence[str], out: str | Path | None, plan: str | Path
) -> Experiment:
    """Read both files, check every value and claim, and cut the tiles once if need be.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ConfigError
        When a key or value of either file is wrong.
    """
    path = Path(plan)
    if not path.is_file():
        raise MissingFileError(
            f"{path}: there is no such file; docs/training/experiment.md shows one."
        )
    asked = parse_toml(path.read_text(encoding="utf-8"), source=str(path))
    if unknown := sorted(set(asked) - set(TABLES)):
        raise UnknownKeyError(
            f"{path}: there is no table {unknown[0]!r}; known are: {', '.join(TABLES)}."
        )
    settings = settings_from(asked.get("experiment", {}), ExperimentSettings, source=str(path))
    values = read_values(config, overrides)
    option, varied = _varied(asked.get("vary", {}), str(path))
    runs = {word_of(one): _run(values, option, one, str(config)) for one in varied}
    _check_stop(runs, settings, str(path))
    claims = _claims(asked.get("claims", []), runs, str(path))
    published = _published(asked.get("published", {}), runs, str(path))
    base = next(iter(runs.values()))
    folder = Path(out) if out else folder_of(base, None).with_name(settings.name)
    return Experiment(
        settings=settings,
        option=option,
        runs=_on_tiles(runs, option, folder),
        published=published,
        claims=claims,
        folder=folder,
    )


def word_of(value: Value) -> str:
    """Write a value as it is named in claims, tables and folders: 2 and 2.0 are "2"."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_figure(key: str, name: str) -> None:
    if name not in FIGURES:
        raise ValueError(f"{key} must be {' or '.join(FIGURES)}, not {name!r}")


def _varied(table: Any, source: str) -> tuple[str, tuple[Value, ...]]:
    """Find the one option of ``[vary]`` and its values; nested tables are walked through."""
    names: list[str] = []
    while isinstance(table, Mapping) and len(table) == 1:
        ((name, table),) = table.items()
        names.append(name)
    option, values = ".".join(names), table
    are_plain = isinstance(values, list) and all(
        isinstance(one, bool | int | float | str) for one in values
    )
    if not names or not are_plain:
        raise BadValueError(
            f"{source}: [vary] must be one option with a list of its values, as in "
            '"loss.positive_weight" = [2, 4, 6].'
        )
    words = [_slug(word_of(one)) for one in values]
    if len(words) < 2 or len(set(words)) < len(words):
        raise BadValueError(f"{source}: {option!r} in [vary] must have two or more values.")
    if option in ("seed", "tiles", "name"):
        raise BadValueError(f"{source}: {option!r} in [vary] is the experiment's own to choose.")
    return option, tuple(values)


def _run(values: Mapping[str, Any], option: str, value: Value, config: str) -> TileSettings:
    made = settings_of(with_values(values, {option: value}), config)
    if not isinstance(made, TileSettings):
        raise BadValueError(f'{config}: an experiment needs task = "tiles".')
    return made


def _check_stop(
    runs: Mapping[str, TileSettings], settings: ExperimentSettings, source: str
) -> None:
    """Refuse to measure on patients that chose the weights."""
    stops = any(run.stop.patience is not None for run in runs.values())
    if stops and settings.patients is not Patients.TEST:
        raise BadValueError(
            f"{source}: with stop.patience the validation patients choose the weights, so figures "
            'on them are too good; set patients = "test".'
        )


def _on_tiles(
    runs: Mapping[str, TileSettings], option: str, folder: Path
) -> dict[str, TileSettings]:
    """Cut the tiles once for all runs, unless the option itself decides how they are cut."""
    if option.split(".")[0] in ("recipe", "archive", "archives"):
        raise BadValueError(
            f"{option!r} decides which tiles there are, and an experiment compares runs on the "
            "same ones; vary another option."
        )
    made: dict[str, TileSettings] = {}
    for word, run in runs.items():
        done = with_tiles(run, folder)
        assert isinstance(done, TileSettings)
        made[word] = done
    return made


def _claims(tables: Any, runs: Mapping[str, TileSettings], source: str) -> tuple[Claim, ...]:
    if not isinstance(tables, list) or not all(isinstance(one, Mapping) for one in tables):
        raise BadValueError(f"{source}: claims are given as tables [[claims]].")
    claims = []
    for number, table in enumerate(tables, 1):
        worded = {k: word_of(v) if k in _VALUED else v for k, v in table.items()}
        claim = settings_from(worded, Claim, source=f"{source}, claim {number}")
        for word in claim.named:
            _check_word(word, runs, f"{source}, claim {number}")
        claims.append(claim)
    return tuple(claims)


def _published(
    tables: Any, runs: Mapping[str, TileSettings], source: str
) -> dict[str, dict[str, float]]:
    """Read ``[published.FIGURE]``: a paper's figure at each value."""
    made: dict[str, dict[str, float]] = {}
    for figure, table in tables.items() if isinstance(tables, Mapping) else ():
        is_plain = isinstance(table, Mapping) and all(
            type(one) in (int, float) for one in table.values()
        )
        if figure not in FIGURES or not is_plain:
            raise BadValueError(
                f"{source}: [published] holds tables such as [published.recall] with a number at "
                f"each value, and figures are {', '.join(FIGURES)}; mend {figure!r}."
            )
        for word in table:
            _check_word(word, runs, f"{source}, [published.{figure}]")
        made[figure] = {word: float(one) for word, one in table.items()}
    return made


def _check_word(word: str, runs: Mapping[str, TileSettings], source: str) -> None:
    if word not in runs:
        raise BadValueError(
            f"{source}: {word!r} is no value that [vary] tries; these are {', '.join(runs)}."
        )


def _slug(word: str) -> str:
    """Write a word so that it can be the name of a folder."""
    return re.sub(r"[^\w.-]+", "-", word)
