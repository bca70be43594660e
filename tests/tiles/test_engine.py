"""Cutting in this process, in processes of our own, and on a Dask cluster."""

import errno
import warnings

import pytest

from mammoscope.core.errors import BadValueError
from mammoscope.core.records import Scan
from mammoscope.tiles import engine
from mammoscope.tiles.engine import cut_here, cut_in_processes, part_path
from mammoscope.tiles.engine_cluster import cut_on_cluster
from mammoscope.tiles.parts import Job, read_part

MODULE = '''
"""Ways to cut, in a module that other processes can import."""
import os
import signal
import time
from pathlib import Path

import numpy as np

from mammoscope.core.geometry import Box
from mammoscope.tiles.tile import Tile


def cut(scan, loaded, rng):
    yield Tile(pixels=rng.integers(0, 255, (8, 8), dtype=np.uint8), scan=scan, finding_id=None,
               box=Box(0, 0, 8, 8), label="NORMAL", lot=float(rng.random()))


def die_once(scan, loaded, rng):
    """The first worker that gets scan 3 is killed by the system."""
    marker = scan.path.with_suffix(".died")
    if scan.scan_id == "s3" and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return cut(scan, loaded, rng)


def die_always(scan, loaded, rng):
    if scan.scan_id == "s3":
        with scan.path.with_suffix(".tries").open("a") as tries:
            tries.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return cut(scan, loaded, rng)


def hang(scan, loaded, rng):
    if scan.scan_id == "s3":
        time.sleep(60)
    return cut(scan, loaded, rng)


def fail(scan, loaded, rng):
    if scan.scan_id == "s3":
        raise ZeroDivisionError("a fault of ours")
    return cut(scan, loaded, rng)
'''


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The module of ways to cut; processes that are started find it too."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "made_cuts.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    import made_cuts

    return made_cuts


@pytest.fixture
def parts(tmp_path):
    (tmp_path / "parts").mkdir()
    return tmp_path / "parts"


@pytest.fixture
def scans(tmp_path):
    """Six small scans; the fifth is no picture."""
    made = []
    for number in range(6):
        path = tmp_path / f"s{number}.pgm"
        path.write_bytes(b"P5 320 320 255\n" + bytes([40 + number]) * 320 * 320)
        made.append(
            Scan(scan_id=f"s{number}", archive="made", path=path, patient_id="p", exam_id="e")
        )
    made[4].path.write_bytes(b"P5 320 320 255\n")
    return made


def jobs_of(scans, cut):
    waiting = iter([Job(index=i, scan=s, cut=cut, seed=3) for i, s in enumerate(scans)])
    return lambda: next(waiting, None)


def told(outcomes):
    return {outcome.index: outcome for outcome in outcomes}


def check_all_but_the_fifth(outcomes, parts):
    found = told(outcomes)
    assert sorted(found) == list(range(6))
    assert "s4.pgm" in found[4].why
    assert all(found[i].why is None and found[i].bug is None for i in (0, 1, 2, 3, 5))
    assert sorted(path.name for path in parts.iterdir()) == [
        f"{i:07d}.part" for i in (0, 1, 2, 3, 5)
    ]


def test_scans_are_cut_here_and_the_unreadable_one_is_named(scans, parts, made):
    check_all_but_the_fifth(cut_here(jobs_of(scans, made.cut), parts), parts)


def test_processes_write_the_same_parts(scans, parts, made, tmp_path):
    check_all_but_the_fifth(cut_in_processes(jobs_of(scans, made.cut), parts, 2), parts)
    (tmp_path / "here").mkdir()
    list(cut_here(jobs_of(scans, made.cut), tmp_path / "here"))
    for path in parts.iterdir():
        assert path.read_bytes() == (tmp_path / "here" / path.name).read_bytes()


def test_a_scan_whose_worker_was_killed_is_cut_by_another(scans, parts, made):
    check_all_but_the_fifth(cut_in_processes(jobs_of(scans, made.die_once), parts, 2), parts)
    assert scans[3].path.with_suffix(".died").exists()


def test_a_scan_that_kills_every_worker_is_given_up_in_the_end(scans, parts, made, monkeypatch):
    monkeypatch.setattr(engine, "ATTEMPTS", 2)
    found = told(cut_in_processes(jobs_of(scans[3:], made.die_always), parts, 1))
    assert "s3.pgm: the process that cut it was ended 2 times" in found[0].why
    assert scans[3].path.with_suffix(".tries").read_text() == "xx"
    assert found[2].why is None


@pytest.mark.slow
def test_a_scan_that_takes_too_long_is_given_up(scans, parts, made):
    found = told(cut_in_processes(jobs_of(scans[3:4], made.hang), parts, 1, seconds=1))
    assert "s3.pgm: it could not be cut within 1 s" in found[0].why


def test_a_fault_of_a_recipe_comes_with_its_trace(scans, parts, made):
    found = told(cut_in_processes(jobs_of(scans[3:4], made.fail), parts, 1))
    assert "ZeroDivisionError: a fault of ours" in found[0].bug
    assert "made_cuts.py" in found[0].bug


def test_a_full_disk_is_told_by_its_number(scans, parts, made, monkeypatch):
    def full(_path, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(engine, "write_atomic", full)
    found = told(cut_here(jobs_of(scans[:1], made.cut), parts))
    assert found[0].disk == errno.ENOSPC


def test_nothing_to_cut_starts_no_process(parts):
    assert list(cut_in_processes(lambda: None, parts, 4)) == []


@pytest.fixture(scope="module")
def cluster():
    """Two processes of Dask, on this machine; its packages warn of what is not ours."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made:
            yield made


@pytest.fixture
def address(cluster, made):
    """The cluster's address; its workers have the module of ways to cut."""
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        # Sent to workers that come later, in place of a killed one, too.
        client.upload_file(made.__file__)
    return cluster.scheduler_address


@pytest.mark.slow
def test_a_cluster_writes_the_same_parts(scans, parts, made, address, tmp_path):
    check_all_but_the_fifth(cut_on_cluster(jobs_of(scans, made.cut), parts, address), parts)
    (tmp_path / "here").mkdir()
    list(cut_here(jobs_of(scans, made.cut), tmp_path / "here"))
    for path in parts.iterdir():
        assert path.read_bytes() == (tmp_path / "here" / path.name).read_bytes()


@pytest.mark.slow
def test_a_scan_whose_worker_on_the_cluster_was_killed_is_cut_by_another(
    scans, parts, made, address
):
    check_all_but_the_fifth(cut_on_cluster(jobs_of(scans, made.die_once), parts, address), parts)
    assert scans[3].path.with_suffix(".died").exists()


def test_a_cluster_that_does_not_answer_is_told(parts, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr("mammoscope.tiles.engine_cluster.SECONDS_TO_CONNECT", 1)
    with pytest.raises(BadValueError, match="no Dask scheduler answers there"):
        list(cut_on_cluster(lambda: None, parts, "tcp://127.0.0.1:1"))


def test_a_part_lies_under_its_scans_number(scans, parts, made):
    list(cut_here(jobs_of(scans[:1], made.cut), parts))
    assert read_part(part_path(parts, 0)).scan_id == "s0"
