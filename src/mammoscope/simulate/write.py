"""Writing a whole simulated archive: one patient a job, several processes, the truth beside it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path

import numpy as np

from mammoscope.core.errors import ArchiveError, BadValueError, UnknownNameError
from mammoscope.core.processes import without_main
from mammoscope.simulate import cbis, cbis_tables, ddsm, dicom, mias
from mammoscope.simulate.defects import fewest_patients, plant_defects
from mammoscope.simulate.plan import Job, Plan, Written
from mammoscope.simulate.truth import PlantedDefect, Truth, truth_folder, write_truth

WRITERS: dict[str, Callable[[Job], Written]] = {
    ddsm.NAME: ddsm.write_patient,
    cbis.NAME: cbis.write_patient,
    mias.NAME: mias.write_patient,
    dicom.NAME: dicom.write_patient,
}
MOST_PATIENTS = {
    ddsm.NAME: ddsm.MOST_PATIENTS,
    cbis.NAME: cbis.MOST_PATIENTS,
    mias.NAME: mias.MOST_PATIENTS,
    dicom.NAME: dicom.MOST_PATIENTS,
}
SPACINGS_UM = (30.0, 300.0)
"""The smallest films are 100 mm wide, and a scan of less than 300 pixels a side is not read."""
_MOST_WORKERS = 8
"""An exam of full size takes about a gigabyte while it is made."""

OnDone = Callable[[int, int], None]


def write_archive(
    name: str,
    folder: str | Path,
    *,
    patients: int,
    seed: int,
    spacing_um: float | None = None,
    defects: bool = False,
    on_done: OnDone | None = None,
) -> Truth:
    """Write a simulated archive in its own file formats, and the truth beside it.

    Parameters
    ----------
    name : "ddsm", "cbis-ddsm", "mini-mias" or "dicom"
    folder : where to; it must be new or empty. The truth goes into ``<folder>.truth``
    patients : how many, at least 1
    seed : at least 0; the same seed gives the same files, however many processes there are
    spacing_um : side of a pixel in micrometres; None takes that of each scanner
    defects : plant the archive's known defects, each listed in the truth
    on_done : called with (done, total) after each patient

    Raises
    ------
    UnknownNameError
        When no such archive can be simulated.
    BadValueError
        When a number is out of range, or a folder holds something already.
    """
    plan = Plan(
        name=name,
        patients=patients,
        seed=seed,
        spacing_mm=None if spacing_um is None else spacing_um / 1000,
        defects=defects,
    )
    return carry_out(plan, folder, on_done)


def carry_out(plan: Plan, folder: str | Path, on_done: OnDone | None = None) -> Truth:
    """Write the archive of a plan; see `write_archive`.

    Everything is written under a temporary name and moved to its place when it is whole.
    """
    _check(plan)
    place = Path(folder)
    truth_place = truth_folder(place)
    _refuse_filled(place)
    _refuse_filled(truth_place)
    with _staged(place) as stage, _staged(truth_place) as truth_stage:
        written = _write_all(plan, stage, truth_stage, on_done)
        rows = [row for one in written for row in one.rows]
        _write_tables(plan, stage, rows)
        scans = tuple(scan for one in written for scan in one.scans)
        defects: tuple[PlantedDefect, ...] = ()
        if plan.defects:
            defects, scans = plant_defects(plan, stage, scans)
        truth = Truth(
            archive=plan.name,
            seed=plan.seed,
            patients=plan.patients,
            spacing_mm=plan.spacing_mm,
            scans=scans,
            defects=defects,
        )
        write_truth(truth, truth_stage)
    return truth


def _check(plan: Plan) -> None:
    if plan.name not in WRITERS:
        raise UnknownNameError.among("archive to simulate", plan.name, WRITERS)
    least = fewest_patients(plan.name) if plan.defects else 1
    most = MOST_PATIENTS[plan.name]
    if not least <= plan.patients <= most:
        why = "to hold all defects " if plan.defects and plan.patients < least else ""
        raise BadValueError(
            f"A simulated {plan.name} {why}needs {least} to {most} patients, not {plan.patients}."
        )
    if plan.defects and plan.layout != "classic":
        raise BadValueError(
            f"Defects are planted in the layout 'classic' only, not {plan.layout!r}."
        )
    if plan.seed < 0:
        raise BadValueError(f"The seed must be 0 or more, not {plan.seed}.")
    _check_spacing(plan)


def _check_spacing(plan: Plan) -> None:
    if plan.spacing_mm is None:
        return
    low, high = SPACINGS_UM
    if not low <= plan.spacing_mm * 1000 <= high:
        raise BadValueError(
            f"A pixel of {plan.spacing_mm * 1000:g} micrometres is outside what can be simulated; "
            f"choose {low:g} to {high:g}."
        )
    if plan.name == mias.NAME and plan.spacing_mm != mias.SPACING_MM:
        raise BadValueError(
            f"{mias.NAME} has pixels of {mias.SPACING_MM * 1000:g} micrometres by definition; "
            "leave the spacing out."
        )


def _refuse_filled(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BadValueError(
            f"{folder}: something is there already; give a folder that is new or empty."
        )


@contextmanager
def _staged(place: Path) -> Iterator[Path]:
    """Give a temporary folder beside `place`; what it holds is moved there when all went well."""
    target = place.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    try:
        yield stage
        target.mkdir(exist_ok=True)
        for path in sorted(stage.iterdir()):
            path.rename(target / path.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _write_all(
    plan: Plan, stage: Path, truth_stage: Path, on_done: OnDone | None
) -> tuple[Written, ...]:
    """Write every patient; the order of the result is that of the patients."""
    seeds = np.random.SeedSequence(plan.seed).spawn(plan.patients)
    jobs = [
        Job(plan=plan, index=index, seed=seed, folder=stage, truth=truth_stage)
        for index, seed in enumerate(seeds)
    ]
    write = WRITERS[plan.name]
    workers = min(plan.workers or min(cpu_count() or 1, _MOST_WORKERS), len(jobs))
    done: dict[int, Written] = {}
    if workers == 1:
        for job in jobs:
            done[job.index] = write(job)
            _tell(on_done, len(done), len(jobs))
        return tuple(done[job.index] for job in jobs)
    # Spawned, not forked: a fork of a process with threads can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        with without_main():
            running = {pool.submit(write, job): job.index for job in jobs}
        try:
            for future in as_completed(running):
                done[running[future]] = future.result()
                _tell(on_done, len(done), len(jobs))
        except BrokenProcessPool as error:
            raise ArchiveError(
                f"{stage.name}: a process that made a patient was ended by the system, perhaps for "
                "want of memory (about a gigabyte each); close other programs, or give a larger "
                "--spacing-um."
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return tuple(done[job.index] for job in jobs)


def _tell(on_done: OnDone | None, done: int, total: int) -> None:
    if on_done is not None:
        on_done(done, total)


def _write_tables(plan: Plan, stage: Path, rows: list[Mapping[str, str]]) -> None:
    if plan.name == cbis.NAME:
        cbis_tables.write_tables(stage, plan, rows)
    elif plan.name == mias.NAME:
        mias.write_tables(stage, rows)
