"""Scans are looked into by workers that may hang, crash or be many."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mammoscope.archives.cbis_ddsm_800 import _look as looks_at_a_picture
from mammoscope.archives.look import look_into
from mammoscope.core.records import Scan


def make_scan(name):
    return Scan(scan_id=name, archive="made", path=Path(f"{name}.png"), patient_id="p", exam_id="e")


SCRIPT = """
import sys
from pathlib import Path
import looker
from mammoscope.archives.look import Look, look_into
from mammoscope.core.records import Scan
scans = [
    Scan(scan_id=n, archive="made", path=Path(n), patient_id="p", exam_id="e")
    for n in sys.argv[1:]
]
for scan, seen in look_into(scans, looker.look, workers=2, seconds=1.5):
    print(scan.scan_id, seen.digest, *(p.what for p in seen.problems), sep="|", flush=True)
"""
LOOKER = """
import os, time
from mammoscope.archives.look import Look
def look(scan):
    if "hang" in scan.scan_id:
        time.sleep(600)
    if "crash" in scan.scan_id:
        os.abort()
    if "locked" in scan.scan_id:
        raise PermissionError(13, "Permission denied", "locked.png")
    return Look(digest=scan.scan_id.upper())
"""


@pytest.fixture
def run_script(tmp_path):
    """Run a user's script, which has no guard against being run twice."""
    (tmp_path / "looker.py").write_text(LOOKER)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(*names):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, str(script), *names],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=True,
        )
        return done.stdout.splitlines()

    return run


def test_scans_come_back_in_the_order_given(run_script):
    names = [f"s{i}" for i in range(40)]
    assert run_script(*names) == [f"{n}|{n.upper()}" for n in names]


def test_a_decoder_that_hangs_is_killed_and_the_others_are_done(run_script):
    began = time.monotonic()
    lines = run_script("a", "hang", "b", "c")
    assert lines[0] == "a|A"
    assert lines[2:] == ["b|B", "c|C"]
    assert lines[1].startswith("hang|None|it could not be decoded within 1.5 s")
    assert time.monotonic() - began < 30


def test_a_decoder_that_crashes_is_replaced_and_the_others_are_done(run_script):
    lines = run_script("crash1", "a", "crash2", "b")
    assert [line.split("|")[0] for line in lines] == ["crash1", "a", "crash2", "b"]
    assert [line.split("|")[1] for line in lines] == ["None", "A", "None", "B"]
    assert "crashed" in lines[0]


def test_nothing_is_started_for_no_scans():
    assert list(look_into([], looks_at_a_picture)) == []


def test_progress_and_problems_come_back_scan_by_scan():
    told = []
    scans = [make_scan(f"s{i}") for i in range(3)]
    seen = look_into(scans, looks_at_a_picture, on_done=lambda *counts: told.append(counts))
    answers = list(seen)
    assert [scan.scan_id for scan, _ in answers] == ["s0", "s1", "s2"]
    assert [look.problems[0].what for _, look in answers] == ["there is no such file."] * 3
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_file_that_may_not_be_opened_is_told_as_such(run_script):
    assert run_script("locked", "a") == [
        "locked|None|it cannot be opened (Permission denied)",
        "a|A",
    ]


def test_ctrl_c_ends_at_once_with_one_trace_and_no_process_left(tmp_path, run_script):
    command = [sys.executable, str(tmp_path / "script.py"), "a", "hang1", "hang2"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        start_new_session=True,
    ) as running:
        assert running.stdout.readline() == "a|A\n"
        began = time.monotonic()
        # As a terminal does: to the program and to all that it started.
        os.killpg(running.pid, signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert time.monotonic() - began < 1.4
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")
    with pytest.raises(ProcessLookupError):
        _wait_until_gone(running.pid)


def _wait_until_gone(group):
    for _ in range(50):
        os.killpg(group, 0)
        if not _alive(group):
            raise ProcessLookupError
        time.sleep(0.1)


def _alive(group):
    """Processes of a group that are more than an entry which nobody has collected."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            found.append(stat)
    return found
