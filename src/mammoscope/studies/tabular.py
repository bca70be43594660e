"""UCI's tables about breast cancer: the paper's figures done again, then the same done right.

`run_tabular` gives one plain record, `tabular.json`; the page is drawn from it alone.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import mammoscope
from mammoscope.archives.archive import Archive
from mammoscope.archives.uci_columns import TABLES
from mammoscope.core.errors import MissingDecoderError
from mammoscope.core.processes import without_main

if TYPE_CHECKING:
    from mammoscope.studies.tabular_data import Question
    from mammoscope.studies.tabular_models import Candidate
    from mammoscope.studies.tabular_nested import Plan, Told

SCHEMA = "mammoscope-tabular-1"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularSettings:
    """How much is computed.

    Attributes
    ----------
    repeats : times that the rows are dealt to outer folds
    folds, inner : outer and inner folds
    resamples : of the bootstrap, at least 40
    paper_seeds : runs of the paper's classifiers that hang on a seed
    seed : the same seed gives the same record
    quick : only the ends of the grids of settings: to see that it works, not to quote
    jobs : processes; 1 computes in this one
    """

    repeats: int = 3
    folds: int = 5
    inner: int = 3
    resamples: int = 1000
    paper_seeds: int = 20
    seed: int = 0
    quick: bool = False
    jobs: int = 2


QUICK = TabularSettings(repeats=1, folds=3, inner=2, resamples=200, paper_seeds=3, quick=True)


def run_tabular(
    archive: Archive, settings: TabularSettings, progress: Progress | None = None
) -> dict[str, Any]:
    """Run the studies on the tables that an archive holds.

    Parameters
    ----------
    archive : of UCI's tables (`mammoscope.archives.uci`)
    settings : how much is computed
    progress : told (done, total) as candidates are done

    Returns
    -------
    dict
        `schema`, `version`, `settings`, `archive`, `paper`, `baselines`, `questions`; nothing in
        it depends on the clock or on the number of processes.

    Raises
    ------
    MissingDecoderError
        When scikit-learn is not installed.
    LayoutError, AnnotationError
        When the tables are missing or too small.
    """
    require_sklearn()
    from mammoscope.studies.tabular_data import questions_of, refuse_small
    from mammoscope.studies.tabular_models import CANDIDATES

    questions = questions_of(archive)
    for question in questions:
        refuse_small(archive, question)
    found = _ask_all(questions, CANDIDATES, settings, progress or (lambda done, total: None))
    return {
        "schema": SCHEMA,
        "version": mammoscope.__version__,
        "libraries": _libraries(),
        "settings": _settings(settings),
        "archive": {
            "name": archive.name,
            "licence": archive.licence,
            "citation": archive.citation,
            "missing": [name for name in TABLES if name not in archive.tables],
        },
        **_paper(archive, settings),
        "questions": [_question(question, found, settings) for question in questions],
    }


def require_sklearn() -> None:
    """Check that scikit-learn is there.

    Raises
    ------
    MissingDecoderError
        When it is not.
    """
    if find_spec("sklearn") is None:
        raise MissingDecoderError(
            "The studies of tables need scikit-learn, which is missing; install it with: "
            "pip install 'mammoscope[studies]'"
        )


def _libraries() -> dict[str, str]:
    import numpy as np
    import sklearn

    return {"numpy": np.__version__, "scikit-learn": sklearn.__version__}


def _settings(settings: TabularSettings) -> dict[str, Any]:
    """Return what the record depends on; the number of processes is not among it."""
    names = ("repeats", "folds", "inner", "resamples", "paper_seeds", "seed", "quick")
    return {name: getattr(settings, name) for name in names}


def _paper(archive: Archive, settings: TabularSettings) -> dict[str, Any]:
    """Do the paper's runs on tables that are whole; another table has other splits."""
    from mammoscope.studies.tabular_paper import baseline_to_json, paper_rows
    from mammoscope.studies.tabular_published import BASELINES

    whole = {
        name: table
        for name, table in archive.tables.items()
        if name in TABLES and table.height == TABLES[name].rows
    }
    rows = paper_rows(whole, settings.paper_seeds, settings.seed)
    return {
        "paper": [row.to_json() for row in rows],
        "baselines": [
            baseline_to_json(told, whole[told.table]) for told in BASELINES if told.table in whole
        ],
        "not_whole": [name for name in archive.tables if name not in whole],
    }


Found = Mapping[tuple[str, str], "Told"]


def _ask_all(
    questions: "Sequence[Question]",
    candidates: "Sequence[Candidate]",
    settings: TabularSettings,
    progress: Progress,
) -> dict[tuple[str, str], "Told"]:
    from mammoscope.studies.tabular_nested import Plan

    plan = Plan(
        settings.repeats, settings.folds, settings.inner, settings.seed, quick=settings.quick
    )
    tasks = [
        (question, candidate.name)
        for question in questions
        for candidate in candidates
        if _is_asked(question, candidate.name)
    ]
    found: dict[tuple[str, str], Told] = {}
    progress(0, len(tasks))
    if settings.jobs == 1:
        for question, name in tasks:
            found[question.name, name] = ask_by_name(question, name, plan)
            progress(len(found), len(tasks))
        return found
    # A process of its own has one thread, so that two processes take two processors.
    with _one_thread(), ProcessPoolExecutor(settings.jobs, get_context("spawn")) as pool:
        with without_main():
            waiting = {pool.submit(ask_by_name, q, name, plan): (q.name, name) for q, name in tasks}
        for future in as_completed(waiting):
            found[waiting[future]] = future.result()
            progress(len(found), len(tasks))
    # In a fixed order, whichever process was done first.
    return {(question.name, name): found[question.name, name] for question, name in tasks}


def ask_by_name(question: "Question", name: str, plan: "Plan") -> "Told":
    """Score a question with the candidate of a name; a process of its own can be told that much."""
    from mammoscope.studies.tabular_models import CANDIDATES
    from mammoscope.studies.tabular_nested import ask

    return ask(question, next(one for one in CANDIDATES if one.name == name), plan)


def _is_asked(question: "Question", name: str) -> bool:
    """Tell whether a candidate takes part: of one number, any model of it ranks as it does."""
    from mammoscope.studies.tabular_data import ALONE
    from mammoscope.studies.tabular_models import LOGISTIC

    return question.name != ALONE or name == LOGISTIC


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have processes that start now compute in one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _question(question: "Question", found: Found, settings: TabularSettings) -> dict[str, Any]:
    from mammoscope.studies.tabular_explore import explore, is_explored
    from mammoscope.studies.tabular_record import candidates_to_json, importance_to_json

    return {
        "name": question.name,
        "table": question.table,
        "asks": list(question.asks),
        "rows": len(question.truth),
        "groups": len(set(question.groups)),
        "positive": int(question.truth.sum()),
        "measures": list(question.measures),
        "told": list(question.told),
        **candidates_to_json(question, found, settings.resamples, settings.seed),
        "importance": importance_to_json(question, found, settings.resamples, settings.seed),
        "explored": explore(question) if is_explored(question) else None,
    }
