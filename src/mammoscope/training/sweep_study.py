"""A sweep's trials as Optuna keeps them: asked for, told, and taken up again after a kill."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mammoscope.core.errors import BadValueError, CorruptFileError, MissingDecoderError
from mammoscope.formats.files import write_atomic
from mammoscope.training.search_space import Choices, Range, Space
from mammoscope.training.sweep_plan import Pruner, Sweep, digest_of

if TYPE_CHECKING:
    import optuna

JOURNAL = "optuna.journal"
STUDY = "sweep"
DIGEST, FOLDER, AGAIN = "digest", "folder", "again"
"""What is kept of a study and of its trials besides what Optuna knows."""
COMPARED_TRIALS, COMPARED_EPOCHS = 4, 2
"""No trial is stopped before so many are done, or in so many first epochs."""


def open_study(sweep: Sweep) -> "optuna.Study":
    """Open the sweep's journal, or begin one."""
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise MissingDecoderError(
            "a sweep is searched by Optuna, and the package is missing; "
            "install it with: pip install 'mammoscope[train]'"
        ) from error
    path = sweep.folder / JOURNAL
    _mend(path)
    with quiet():
        try:
            study = optuna.create_study(
                storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
                study_name=STUDY,
                direction=sweep.settings.way.value,
                pruner=_pruner(sweep.settings.pruner),
                load_if_exists=True,
            )
        except (ValueError, KeyError) as error:
            raise CorruptFileError(
                f"{path}: the journal of the sweep is damaged ({error}); choose another --out "
                "folder."
            ) from error
        digest = digest_of(sweep)
        if study.user_attrs.setdefault(DIGEST, digest) != digest:
            raise BadValueError(
                f"{sweep.folder}: holds a sweep with other settings; choose another --out folder "
                "(more trials alone may be asked for)."
            )
        study.set_user_attr(DIGEST, digest)
    return study


def _mend(path: Path) -> None:
    """Take away what a killed process left: half a line of the journal, and its lock."""
    with suppress(FileNotFoundError):
        path.with_name(f"{path.name}.lock").unlink()
    if path.exists():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            write_atomic(path, whole)


def take_up(study: "optuna.Study") -> None:
    """Put what was broken off in front: the same options in the same folder."""
    import optuna

    with quiet():
        trials = study.get_trials(deepcopy=False)
        again = {trial.user_attrs.get(AGAIN) for trial in trials}
        for trial in trials:
            if trial.state != optuna.trial.TrialState.RUNNING:
                continue
            if trial.params and trial.number not in again:
                attributes = {k: v for k, v in trial.user_attrs.items() if k == FOLDER}
                study.enqueue_trial(trial.params, {**attributes, AGAIN: trial.number})
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def ended(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """Trials that came to an end of their own, in order."""
    with quiet():
        trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(AGAIN) for trial in trials}
    return [t for t in trials if t.state.is_finished() and t.params and t.number not in again]


def ask(sweep: Sweep, study: "optuna.Study", number: int) -> "optuna.Trial":
    """Begin the next trial, or one that was broken off.

    Its options depend on the sweep's seed, `number` and the trials that ended before.
    """
    import optuna

    with quiet():
        seed = np.random.SeedSequence((sweep.settings.seed, number)).generate_state(1)[0]
        study.sampler = optuna.samplers.TPESampler(seed=int(seed))
        trial = study.ask(dict(_distributions(sweep.space)))
        if FOLDER not in trial.user_attrs:
            trial.set_user_attr(FOLDER, f"trial-{number + 1}")
    return trial


def _distributions(
    space: Space,
) -> "Iterator[tuple[str, optuna.distributions.BaseDistribution]]":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    for name, entry in space.items():
        match entry:
            case Choices():
                yield name, CategoricalDistribution(entry.values)
            case Range(is_whole=True):
                step = 1 if entry.step is None else int(entry.step)
                yield name, IntDistribution(int(entry.low), int(entry.high), entry.log, step)
            case Range():
                yield name, FloatDistribution(entry.low, entry.high, entry.log, entry.step)


def _pruner(kind: Pruner) -> "optuna.pruners.BasePruner":
    from optuna import pruners

    match kind:
        case Pruner.MEDIAN:
            return pruners.MedianPruner(COMPARED_TRIALS, COMPARED_EPOCHS + 1)
        case Pruner.HALVING:
            return pruners.SuccessiveHalvingPruner()
        case Pruner.NONE:
            return pruners.NopPruner()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from printing and from warning of what is still experimental in it."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
