"""Many exams: each read once, kept for later runs, and no worse for workers that are killed."""

import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from mammoscope.core.errors import BadValueError
from mammoscope.models.weights import load_model
from mammoscope.read import many
from mammoscope.read.exam import find_exams
from mammoscope.read.many import ATTEMPTS, FINDINGS, MARK, Crew, key_of, read_many

MODULE = '''
"""Ways to write a report, in a module that other processes can import."""
import json
import os
import signal
from pathlib import Path


def write(reading, folder):
    detections = [round(d.score, 4) for scan in reading.scans for d in scan.detections]
    content = {"id": reading.exam_id, "marks": detections, "digest": reading.model_digest}
    (folder / "findings.json").write_text(json.dumps(content))
    (folder / "report.html").write_text("a page")
    return folder / "report.html"


def write_after_a_death(reading, folder):
    """The first process that has read exam e1 is killed by the system before it answers."""
    tries = Path(os.environ["MADE_TRIES"])
    if reading.exam_id == "e1":
        with tries.open("a") as begun:
            begun.write("x")
        if len(tries.read_text()) <= int(os.environ["MADE_DEATHS"]):
            os.kill(os.getpid(), signal.SIGKILL)
    return write(reading, folder)
'''
HERE = Crew(workers=1)


@pytest.fixture
def made(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "made_reports.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    sys.modules.pop("made_reports", None)
    import made_reports

    return made_reports


@pytest.fixture
def exams_of(tmp_path, write_scan):
    """Make exams of one scan each, e0 and so on, and pair them with their folders."""

    def make(count):
        for number in range(count):
            (tmp_path / "scans" / f"e{number}").mkdir(parents=True)
            place = 300 + 20 * number
            write_scan(tmp_path / "scans" / f"e{number}" / "L_CC.png", spots=((place, 150),))
        found, _ = find_exams([tmp_path / "scans"], spacing_um=200.0)
        # The guard of the shipped model knows no drawn breasts.
        return [(replace(exam, anyway=True), tmp_path / "out" / exam.exam_id) for exam in found]

    return make


@pytest.fixture
def reads(model, monkeypatch):
    """Stand in for the shipped model in this process; returns the exams that were read, in turn."""
    read: list[str] = []
    plain = many.read_exam

    def counted(exam, used):
        read.append(exam.exam_id)
        return plain(exam, used)

    many._loaded.cache_clear()
    monkeypatch.setattr(many, "load_to_read", lambda *_, **__: model)
    monkeypatch.setattr(many, "read_exam", counted)
    yield read
    many._loaded.cache_clear()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def run_over(to_read, out, write, crew=HERE):
    return {one.exam.exam_id: one for one in read_many(to_read, out, "default", write, crew)}


def test_every_exam_has_a_folder_of_its_own_with_its_report(exams_of, out, made, reads):
    found = run_over(exams_of(2), out, made.write)
    assert sorted(found) == reads == ["e0", "e1"]
    for name, one in found.items():
        assert sorted(p.name for p in one.folder.iterdir()) == [FINDINGS, MARK, "report.html"]
        assert one.findings == json.loads((out / name / FINDINGS).read_text())
        assert not one.kept


def test_an_exam_that_is_done_is_not_read_again(exams_of, out, made, reads):
    to_read = exams_of(2)
    first = run_over(to_read, out, made.write)
    again = run_over(to_read, out, made.write)
    assert reads == ["e0", "e1"]
    assert all(one.kept and one.findings == first[name].findings for name, one in again.items())


def test_a_run_that_is_broken_off_is_taken_up_where_it_was(exams_of, out, made, reads):
    to_read = exams_of(3)
    run = read_many(to_read, out, "default", made.write, HERE)
    next(run)
    run.close()
    found = run_over(to_read, out, made.write)
    assert reads == ["e0", "e1", "e2"]
    assert [found[name].kept for name in ("e0", "e1", "e2")] == [True, False, False]


def touch(to_read):
    os.utime(to_read[0][0].files[0], ns=(1, 1))
    return to_read


def ask_for_more(to_read):
    return [(replace(to_read[0][0], spacing_um=210.0), to_read[0][1]), *to_read[1:]]


def lose_the_mark(to_read):
    (to_read[0][1] / MARK).unlink()
    return to_read


def lose_a_file(to_read):
    (to_read[0][1] / "report.html").unlink()
    return to_read


def damage_the_mark(to_read):
    (to_read[0][1] / MARK).write_text('{"key": ')
    return to_read


@pytest.mark.parametrize(
    "change", [touch, ask_for_more, lose_the_mark, lose_a_file, damage_the_mark]
)
def test_only_what_changed_is_read_again(exams_of, out, made, reads, change):
    to_read = exams_of(2)
    run_over(to_read, out, made.write)
    found = run_over(change(to_read), out, made.write)
    assert reads == ["e0", "e1", "e0"]
    assert [found["e0"].kept, found["e1"].kept] == [False, True]


def test_another_model_makes_every_exam_new(exams_of, out, made, reads, model, monkeypatch):
    to_read = exams_of(2)
    run_over(to_read, out, made.write)
    other = replace(model, digest="1" * 64)
    monkeypatch.setattr(many, "load_to_read", lambda *_, **__: other)
    found = run_over(to_read, out, made.write)
    assert all(one.findings["digest"] == other.digest for one in found.values())


def test_nothing_of_an_older_report_stays_in_the_folder(exams_of, out, made, reads):
    def write_with_a_picture(reading, folder):
        (folder / "R_CC.png").write_bytes(b"of another scan")
        return made.write(reading, folder)

    to_read = exams_of(1)
    run_over(to_read, out, write_with_a_picture)
    assert (out / "e0" / "R_CC.png").exists()
    run_over(touch(to_read), out, made.write)
    assert sorted(p.name for p in (out / "e0").iterdir()) == [FINDINGS, MARK, "report.html"]


def test_an_exam_that_fails_costs_itself_only_and_is_tried_by_the_next_run(
    exams_of, out, made, reads
):
    to_read = exams_of(3)
    scan = to_read[1][0].files[0]
    whole = scan.read_bytes()
    scan.write_bytes(whole[:1000])
    found = run_over(to_read, out, made.write)
    assert "L_CC.png" in found["e1"].why
    assert found["e1"].findings is None
    assert not (out / "e1").exists()
    assert found["e0"].findings
    assert found["e2"].findings
    scan.write_bytes(whole)
    assert run_over(to_read, out, made.write)["e1"].findings
    assert reads == ["e0", "e1", "e2", "e1"]


def test_a_scan_that_vanished_costs_its_exam_only(exams_of, out, made, reads):
    to_read = exams_of(2)
    to_read[0][0].files[0].unlink()
    found = run_over(to_read, out, made.write)
    assert "L_CC.png" in found["e0"].why
    assert found["e1"].findings


def test_a_fault_of_ours_comes_with_its_trace_and_costs_one_exam(exams_of, out, made, reads):
    def fail(reading, folder):
        if reading.exam_id == "e0":
            raise ZeroDivisionError("a fault of ours")
        return made.write(reading, folder)

    found = run_over(exams_of(2), out, fail)
    assert "ZeroDivisionError: a fault of ours" in found["e0"].bug
    assert found["e1"].findings


def test_a_full_disk_ends_the_run_and_keeps_what_was_done(exams_of, out, made, reads, monkeypatch):
    to_read = exams_of(2)
    plain = many.write_atomic

    def full(path, content):
        if path.parent.name == "e1":
            raise OSError(28, "No space left on device")
        plain(path, content)

    monkeypatch.setattr(many, "write_atomic", full)
    with pytest.raises(OSError, match="No space left"):
        run_over(to_read, out, made.write)
    monkeypatch.setattr(many, "write_atomic", plain)
    assert run_over(to_read, out, made.write)["e0"].kept


def test_two_runs_never_read_into_one_folder_at_the_same_time(exams_of, out, made, reads):
    to_read = exams_of(2)
    run = read_many(to_read, out, "default", made.write, HERE)
    next(run)
    with pytest.raises(BadValueError, match="another process is reading into this folder"):
        run_over(to_read, out, made.write)
    run.close()
    assert len(run_over(to_read, out, made.write)) == 2


def test_a_worker_with_other_weights_does_not_read(exams_of, out, made, reads, model):
    (to_read,) = exams_of(1)
    reader = many.Reader(model="default", digest="2" * 64, write=made.write)
    assert "other weights" in many.read_one(to_read, reader).why
    assert reads == []


def test_the_key_of_an_exam_is_the_same_from_any_folder(exams_of, monkeypatch, tmp_path):
    ((exam, _),) = exams_of(1)
    monkeypatch.chdir(tmp_path)
    near = replace(exam, files=tuple(Path(os.path.relpath(file)) for file in exam.files))
    assert key_of(near, "1") == key_of(exam, "1")


@pytest.mark.slow
def test_an_exam_whose_process_was_killed_is_read_by_another(
    exams_of, out, made, monkeypatch, tmp_path
):
    monkeypatch.setenv("MADE_TRIES", str(tmp_path / "tries"))
    monkeypatch.setenv("MADE_DEATHS", "1")
    found = run_over(exams_of(4), out, made.write_after_a_death, Crew(workers=2))
    assert (tmp_path / "tries").read_text() == "xx"
    assert all(one.findings for one in found.values())
    assert sorted(found) == ["e0", "e1", "e2", "e3"]


@pytest.mark.slow
def test_an_exam_that_kills_every_process_is_named_in_the_end(
    exams_of, out, made, monkeypatch, tmp_path
):
    monkeypatch.setattr(many, "ATTEMPTS", 2)
    monkeypatch.setenv("MADE_TRIES", str(tmp_path / "tries"))
    monkeypatch.setenv("MADE_DEATHS", "99")
    found = run_over(exams_of(2), out, made.write_after_a_death, Crew(workers=2))
    assert "the process that read it was ended 2 times" in found["e1"].why
    assert (tmp_path / "tries").read_text() == "xx"
    assert found["e0"].findings
    assert ATTEMPTS == 4


@pytest.fixture
def cluster(made):
    """Two processes of Dask on this machine that have the module of reports."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    dask = pytest.importorskip("dask", reason="Dask is not installed")
    # By itself a local cluster gives up a worker that its keeper starts anew.
    lasting = dask.config.set({"distributed.deploy.lost-worker-timeout": "10h"})
    with warnings.catch_warnings(), lasting:
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as started:
            with distributed.Client(started, set_as_default=False) as client:
                client.upload_file(made.__file__)
            yield started


@pytest.mark.slow
def test_no_exam_is_lost_or_given_twice_while_a_cluster_s_workers_are_killed(
    exams_of, out, made, cluster
):
    to_read = exams_of(10)
    chance = random.Random(4)
    killed = []

    def kill():
        while len(killed) < 3:
            time.sleep(chance.uniform(0.3, 1.2))
            busy = {w.address for w in list(cluster.scheduler.workers.values()) if w.processing}
            for nanny in list(cluster.workers.values()):
                if nanny.pid and nanny.worker_address in busy:
                    os.kill(nanny.pid, signal.SIGKILL)
                    killed.append(nanny.pid)
                    break

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    crew = Crew(cluster=cluster.scheduler_address)
    given = list(read_many(to_read, out, "default", made.write, crew))
    assert killed
    assert sorted(one.exam.exam_id for one in given) == [f"e{n}" for n in range(10)]
    digest = load_model("default").digest
    assert all(one.findings and one.findings["digest"] == digest for one in given)
    assert all(one.kept for one in read_many(to_read, out, "default", made.write, crew))


def test_a_cluster_that_does_not_answer_is_told(exams_of, out, made, reads, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr(many, "SECONDS_TO_CONNECT", 1.0)
    crew = Crew(cluster="tcp://127.0.0.1:1")
    with pytest.raises(BadValueError, match="no Dask scheduler answers there"):
        run_over(exams_of(1), out, made.write, crew)
