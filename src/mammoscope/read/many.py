"""Many exams: read on all cores or on a cluster, each written as soon as it is finished.

An exam's folder is complete when its `read.json` is there, which is written last and says what was
read with what; a later run does not read such an exam again.
"""

import fcntl
import hashlib
import json
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

import mammoscope
from mammoscope.core.cluster import SECONDS_TO_CONNECT, work_on_cluster
from mammoscope.core.crew import Lost, work_in_processes
from mammoscope.core.errors import BadValueError, ContractError, MammoscopeError
from mammoscope.core.reading import ExamReading
from mammoscope.formats.files import write_atomic
from mammoscope.models.quick import load_to_read
from mammoscope.models.weights import Model
from mammoscope.read.exam import read_exam
from mammoscope.read.find import ExamInput

MARK, FINDINGS = "read.json", "findings.json"
SCHEMA = "mammoscope.read/1"
FEW = 4
"""Fewer exams are read in this process: others would take longer to start."""
ATTEMPTS = 4
"""An exam whose process dies is tried again three times; a Dask scheduler allows as many."""
SECONDS = 3600.0
"""How long an exam may take; with every mark explained it can take minutes."""

WriteReport = Callable[[ExamReading, Path], Path]
"""Writes an exam's report into a folder, as `mammoscope.report.page.write_report` does."""
ToRead = tuple[ExamInput, Path]
"""An exam and the folder of its report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Who reads: `workers` processes (None: one a core, 1: this one), or a Dask `cluster`."""

    workers: int | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What reads an exam wherever it is read.

    Attributes
    ----------
    model : a shipped model's name, or the path of a file that every worker sees
    digest : of that model; a worker that has another one does not read
    write : makes the report's files; a function of a module
    alone : leave the other cores to other readers
    """

    model: str
    digest: str
    write: WriteReport
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamResult:
    """What came of reading an exam: files of its report by name, or why there are none.

    `bug` is the trace of an error of ours.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    why: str | None = None
    bug: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamOutcome:
    """What became of one exam.

    Attributes
    ----------
    folder : of its report
    findings : content of its ``findings.json``; None where it could not be read
    kept : it was read by an earlier run
    why : why it could not be read
    bug : the trace of an error of ours
    """

    exam: ExamInput
    folder: Path
    findings: Mapping[str, Any] | None = None
    kept: bool = False
    why: str | None = None
    bug: str | None = None


def read_many(
    to_read: Sequence[ToRead],
    out: Path,
    model: str | Path,
    write: WriteReport,
    crew: Crew | None = None,
) -> Iterator[ExamOutcome]:
    """Read exams and write their reports; one that fails costs itself only.

    Parameters
    ----------
    to_read : exams, each with a folder of its own
    out : the folder that holds these
    model : a shipped model's name, a weight file, or an ONNX file
    write : makes a report, a function of a module

    Yields
    ------
    Each exam once: those read before by the same model from the same files first, the others as
    they are finished, their reports being written by then.

    Raises
    ------
    BadValueError
        When another process reads into the same folder, or the cluster does not answer.
    UnknownNameError, WeightsError
        When the model cannot be loaded.
    OSError
        When a report cannot be written; what was finished is kept for the next run.
    """
    explained = any(exam.explained for exam, _ in to_read)
    files = sum(len(exam.files) for exam, _ in to_read)
    used = load_to_read(model, scans=files, explained=explained)
    reader = Reader(model=str(model), digest=used.digest, write=write)
    with _alone_in(out):
        # Taken before the files are read: who changes one meanwhile has it read again next time.
        keys = {folder: key_of(exam, used.digest) for exam, folder in to_read}
        left: list[ToRead] = []
        for exam, folder in to_read:
            findings = _found(folder, keys[folder])
            if findings is None:
                left.append((exam, folder))
            else:
                yield ExamOutcome(exam=exam, folder=folder, findings=findings, kept=True)
        for (exam, folder), result in _results(left, reader, crew or Crew()):
            yield _finished(exam, folder, result, keys[folder])


def _finished(exam: ExamInput, folder: Path, result: ExamResult | Lost, key: str) -> ExamOutcome:
    """Write what came of an exam and say what became of it."""
    if isinstance(result, Lost):
        return ExamOutcome(exam=exam, folder=folder, why=_lost(exam, result))
    if not result.files:
        return ExamOutcome(exam=exam, folder=folder, why=result.why, bug=result.bug)
    _store(folder, result.files, key)
    return ExamOutcome(exam=exam, folder=folder, findings=json.loads(result.files[FINDINGS]))


def key_of(exam: ExamInput, digest: str) -> str:
    """Digest of all that an exam's report hangs on: model, program, files and what is said of them.

    A file counts by its path, size and time of change.
    """
    told = {
        "code": mammoscope.__version__,
        "model": digest,
        "files": [_stamp(file) for file in exam.files],
        "exam": [exam.exam_id, exam.patient_id, *exam.warnings],
        "said": [exam.spacing_um, exam.laterality, exam.view, exam.for_processing],
        "asked": [exam.anyway, exam.explained, exam.operating_point],
    }
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _stamp(file: Path) -> list[Any]:
    try:
        found = file.stat()
    except OSError:
        # It vanished since it was found; whoever reads the exam says so.
        return [os.path.realpath(file)]
    return [os.path.realpath(file), found.st_size, found.st_mtime_ns]


def read_one(to_read: ToRead, reader: Reader) -> ExamResult:
    """Read an exam to the files of its report; what is wrong becomes words."""
    exam = to_read[0]
    try:
        if reader.alone:
            torch.set_num_threads(1)
        model = _loaded(reader.model, reader.digest, explained=exam.explained)
        with tempfile.TemporaryDirectory(prefix="mammoscope-") as name:
            reader.write(read_exam(exam, model), Path(name))
            return ExamResult(files={p.name: p.read_bytes() for p in Path(name).iterdir()})
    except (MammoscopeError, OSError) as error:
        return ExamResult(why=str(error))
    except MemoryError:
        return ExamResult(why=f"{exam.exam_id}: it does not fit into memory; give fewer workers.")
    except Exception:  # noqa: BLE001 shown with its trace by whoever started us
        return ExamResult(bug=traceback.format_exc())


@cache
def _loaded(name: str, digest: str, *, explained: bool) -> Model:
    """Load a model once for all exams of a process."""
    model = load_to_read(name, explained=explained)
    if model.digest != digest:
        raise ContractError(
            f"{name}: the worker has other weights of this name than the machine that asks; "
            "install the same version everywhere."
        )
    return model


def _results(
    left: Sequence[ToRead], reader: Reader, crew: Crew
) -> Iterator[tuple[ToRead, ExamResult | Lost]]:
    """Read the exams that are left: on the cluster, in processes, or here."""
    if not left:
        return iter(())
    alone = replace(reader, alone=True)
    if crew.cluster is not None:
        # A worker of a cluster need not stand in our folder.
        far = [(replace(exam, files=_absolute(exam.files)), folder) for exam, folder in left]
        alone = replace(alone, model=_place_of(reader.model))
        work = partial(read_one, reader=alone)
        return work_on_cluster(
            _queue(far), work, crew.cluster, ahead=1, seconds_to_connect=SECONDS_TO_CONNECT
        )
    workers = crew.workers or (1 if len(left) < FEW else len(os.sched_getaffinity(0)))
    if workers == 1:
        return ((one, read_one(one, reader)) for one in left)
    work = partial(read_one, reader=alone)
    return work_in_processes(_queue(left), work, workers, seconds=SECONDS, attempts=ATTEMPTS)


def _queue(exams: Sequence[ToRead]) -> Callable[[], ToRead | None]:
    waiting = iter(exams)
    return lambda: next(waiting, None)


def _absolute(files: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(file.absolute() for file in files)


def _place_of(model: str) -> str:
    """Name a model so that it is found from any folder: a file by its whole path."""
    return str(Path(model).absolute()) if Path(model).is_file() else model


def _lost(exam: ExamInput, lost: Lost) -> str:
    why = {
        "late": f"it was not read within {SECONDS:g} s",
        "ended": f"the process that read it was ended {ATTEMPTS} times",
    }[lost.how]
    return f"{exam.files[0]}: {why}; is a scan of exam {exam.exam_id} damaged?"


def _found(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the findings of an exam that an earlier run finished; None where it must be read."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        if mark["key"] != key or not all((folder / name).is_file() for name in mark["files"]):
            return None
        return dict(json.loads((folder / FINDINGS).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _store(folder: Path, files: Mapping[str, bytes], key: str) -> None:
    """Write the files of a report, its mark last; what an older report left is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _stored_before(folder):
        if name not in files:
            (folder / name).unlink(missing_ok=True)
    (folder / MARK).unlink(missing_ok=True)
    for name, content in files.items():
        write_atomic(folder / name, content)
    mark = {"schema": SCHEMA, "key": key, "files": sorted(files)}
    write_atomic(folder / MARK, json.dumps(mark, indent=1) + "\n")


def _stored_before(folder: Path) -> list[str]:
    """Names of the files that an older mark lists; plain names only, whatever it says."""
    try:
        names = json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]
        return [name for name in names if isinstance(name, str) and Path(name).name == name]
    except (OSError, ValueError, KeyError, TypeError):
        return []


@contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Hold the folder of all reports, so that no exam is read twice at the same time."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".read.lock").open("w") as lock:
        try:
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadValueError(
                f"{out}: another process is reading into this folder; wait for it to end, or "
                "name another with --out."
            ) from error
        yield
