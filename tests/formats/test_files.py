"""Files are written whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mammoscope.formats.files import write_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000))
def test_bytes_come_back_as_written(tmp_path: Path, data: bytes):
    write_atomic(tmp_path / "a.bin", data)

    assert (tmp_path / "a.bin").read_bytes() == data
    assert names(tmp_path) == ["a.bin"]


def test_text_is_utf_8_and_its_line_ends_are_kept(tmp_path: Path):
    write_atomic(tmp_path / "a.txt", "Größe\r\n5 µm\n")

    assert (tmp_path / "a.txt").read_bytes() == b"Gr\xc3\xb6\xc3\x9fe\r\n5 \xc2\xb5m\n"


def test_an_older_file_is_replaced(tmp_path: Path):
    target = tmp_path / "a.json"
    target.write_text("a much longer older text")
    write_atomic(target, "new")

    assert target.read_text() == "new"
    assert names(tmp_path) == ["a.json"]


def test_the_file_has_the_rights_of_any_new_file(tmp_path: Path):
    (tmp_path / "plain").write_text("")
    write_atomic(tmp_path / "a", "x")

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


@pytest.mark.parametrize("existed", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool
):
    target = tmp_path / "a.json"
    if existed:
        target.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(target, "new")
    assert names(tmp_path) == (["a.json"] if existed else [])
    assert not existed or target.read_text() == "old"


def test_a_failed_rename_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = tmp_path / "a.json"
    target.write_text("old")

    def broken(self: Path, _: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(target, "new")
    assert names(tmp_path) == ["a.json"]
    assert target.read_text() == "old"


def test_a_missing_folder_is_an_error_of_the_system(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "a", "x")


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path: Path):
    # The process kills itself where it would make the data safe: all is written, nothing renamed.
    program = (
        "import os, signal, sys\n"
        "from mammoscope.formats.files import write_atomic\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomic(sys.argv[1], b'x' * 100_000)\n"
    )
    source = Path(__file__).resolve().parents[2] / "src"
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.bin")],
        env={**os.environ, "PYTHONPATH": str(source)},
        check=False,
    )

    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.bin").exists()
    assert all(name.endswith(".part") for name in names(tmp_path))


def test_a_full_disk_names_the_file_that_was_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.json'"):
        write_atomic(tmp_path / "a.json", "{}")
    assert list(tmp_path.iterdir()) == []
