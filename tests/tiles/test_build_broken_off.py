"""Builds that a full disk or a kill breaks off, and what goes on from them."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.errors import (
    BadValueError,
)
from mammoscope.tiles import build, engine
from mammoscope.tiles.build import BuildPlan, build_tiles, carry_out
from mammoscope.tiles.cutting import Crew
from mammoscope.tiles.recipes import make_recipe

SAMPLES = run_path(str(Path(__file__).with_name("build_samples.py")))
division_of, draw_recipe, draw_tiles = (
    SAMPLES[name] for name in ("division_of", "draw_recipe", "draw_tiles")
)
make_archive, make_scan, run, same_bytes = (
    SAMPLES[name] for name in ("make_archive", "make_scan", "run", "same_bytes")
)


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    return make_archive(folder)


def test_a_full_disk_is_one_error_and_leaves_no_half_set(archive, tmp_path, monkeypatch):
    def full(_path, _data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(engine, "write_atomic", full)
    with pytest.raises(OSError, match="No space left") as caught:
        run(archive, tmp_path / "set")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "set"))
    assert not (tmp_path / "set").exists()
    monkeypatch.undo()
    run(archive, tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scans", "set"]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_while_parts_or_shards_are_written(archive, small_disk):
    # 24 tiles or so of 89 kB do not fit into a megabyte.
    with pytest.raises(OSError, match="No space left") as caught:
        run(archive, small_disk / "set")
    assert caught.value.filename == str(small_disk / "set")
    assert not (small_disk / "set").exists()
    # Small tiles do; parts that were cut stay for the next try.
    assert [path.name for path in small_disk.iterdir()] == [".set.building"]


def test_a_broken_off_build_goes_on_from_its_parts(archive, tmp_path, monkeypatch):
    run(archive, tmp_path / "whole")
    cut = []

    def stop_at_fourth(job, folder):
        if len(cut) == 3:
            raise KeyboardInterrupt
        cut.append(job.scan.scan_id)
        return engine.write_part(folder, job.index, engine.pack(job))

    monkeypatch.setattr(engine, "carry_out", stop_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        run(archive, tmp_path / "set")
    monkeypatch.undo()
    again = []
    pack = engine.pack
    monkeypatch.setattr(engine, "pack", lambda job: again.append(job.scan.scan_id) or pack(job))
    run(archive, tmp_path / "set")
    assert sorted(cut + again) == [scan.scan_id for scan in archive.scans()]
    assert same_bytes(tmp_path / "whole", tmp_path / "set")


def break_off(archive, out, monkeypatch):
    """Cut all scans, and stop before the set is put together."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build, "assemble", stop)
        with pytest.raises(KeyboardInterrupt):
            run(archive, out)
    return out.with_name(f".{out.name}.building") / "parts"


@pytest.mark.parametrize("damage", ["cut short", "a bit", "gone", "no part"])
def test_a_damaged_part_is_cut_again(archive, tmp_path, monkeypatch, damage):
    run(archive, tmp_path / "whole")
    part = break_off(archive, tmp_path / "set", monkeypatch) / "0000003.part"
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes({"cut short": data[:-1], "no part": b"x"}.get(damage, data))
    if damage == "gone":
        part.unlink()
    run(archive, tmp_path / "set")
    assert same_bytes(tmp_path / "whole", tmp_path / "set")


def test_a_scan_that_changed_meanwhile_is_cut_again(archive, tmp_path, monkeypatch):
    break_off(archive, tmp_path / "set", monkeypatch)
    path = archive.scans()[1].path
    image = np.asarray(Image.open(path)) // 2
    Image.fromarray(image).save(path)
    run(archive, tmp_path / "set")
    run(archive, tmp_path / "fresh")
    assert same_bytes(tmp_path / "fresh", tmp_path / "set")


def test_parts_of_other_settings_are_thrown_away(archive, tmp_path, monkeypatch):
    break_off(archive, tmp_path / "set", monkeypatch)
    run(archive, tmp_path / "set", seed=2)
    run(archive, tmp_path / "fresh", seed=2)
    assert same_bytes(tmp_path / "fresh", tmp_path / "set")


def test_a_lesion_that_can_be_read_later_brings_back_normals_that_were_left_out(
    archive, tmp_path, monkeypatch
):
    def make(out):
        return build_tiles(archive, draw_recipe(), out, division=division_of(archive), audit=False)

    make(tmp_path / "whole")
    path = archive.scans()[0].path
    data = path.read_bytes()
    path.write_bytes(b"")
    with monkeypatch.context() as patched:
        patched.setattr(build, "assemble", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "set")
    path.write_bytes(data)
    make(tmp_path / "set")
    assert same_bytes(tmp_path / "whole", tmp_path / "set")


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from build_samples import make_archive, division_of
from mammoscope.tiles.build import build_tiles
archive = make_archive(Path(sys.argv[2]), 24)
build_tiles(archive, "9", sys.argv[3], seed=1, division=division_of(archive),
            workers=2, audit=False)
"""


@pytest.mark.slow
def test_a_build_killed_at_any_moment_resumes_and_ends_byte_identical(tmp_path):
    (tmp_path / "scans").mkdir()
    archive = make_archive(tmp_path / "scans", 24)
    run(archive, tmp_path / "whole")
    command = [
        sys.executable,
        "-c",
        SCRIPT,
        str(Path(__file__).parent),
        str(tmp_path / "scans"),
        str(tmp_path / "set"),
    ]
    parts = tmp_path / ".set.building" / "parts"
    for wanted in (1, 14):
        process = subprocess.Popen(command, start_new_session=True)
        while process.poll() is None and len(list(parts.glob("*.part"))) < wanted:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "set").exists()
    subprocess.run(command, check=True)
    assert same_bytes(tmp_path / "whole", tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scans", "set", "whole"]


def test_parts_that_a_kill_left_beside_the_whole_set_are_removed(archive, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(build.shutil, "rmtree", lambda *_args, **_named: None)
        run(archive, tmp_path / "set")
    assert (tmp_path / ".set.building").exists()
    run(archive, tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scans", "set"]


def test_two_builds_of_one_set_at_once_are_refused(archive, tmp_path, monkeypatch):
    def second(*_):
        run(archive, tmp_path / "set")

    monkeypatch.setattr(build, "assemble", second)
    with pytest.raises(BadValueError, match="another process is building this tile set"):
        run(archive, tmp_path / "set")


def test_progress_counts_every_scan_also_those_cut_before(archive, tmp_path, monkeypatch):
    break_off(archive, tmp_path / "set", monkeypatch)
    seen = []
    plan = BuildPlan(
        archives=(archive,),
        recipe=make_recipe("9", ["mini-mias"]),
        seed=1,
        division=division_of(archive),
        audit=False,
    )
    carry_out(plan, tmp_path / "set", Crew(on_done=lambda done, total: seen.append((done, total))))
    assert seen == [(done, 8) for done in range(1, 9)]
