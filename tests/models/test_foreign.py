"""Tensors out of foreign checkpoints, without running them."""

import io
import os
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.models.foreign import read_checkpoint, read_legacy_checkpoint


def write_legacy(path: Path, content: object) -> Path:
    """Write as PyTorch did before version 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def write_zip(path: Path, content: object) -> Path:
    """Write as PyTorch does since version 1.6."""
    torch.save(content, path)
    return path


@pytest.mark.parametrize("write", [write_legacy, write_zip])
def test_tensors_are_those_that_were_written(tmp_path, write):
    base = torch.arange(24.0)
    written = {
        "whole": torch.randn(3, 4, 5),
        "half": torch.randn(7).half(),
        "counter": torch.tensor(3),
        "a view": base.reshape(4, 6)[1:3, ::2],
        "the same storage": base,
    }
    read = read_checkpoint(write(tmp_path / "w.pth", written))
    assert read.keys() == written.keys()
    for name, tensor in written.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


class Nasty:
    """Would make a folder when unpickled."""

    def __reduce__(self):
        return os.mkdir, ("made-by-a-checkpoint",)


@pytest.mark.parametrize("write", [write_legacy, write_zip])
def test_a_checkpoint_that_wants_to_run_code_is_refused_and_runs_nothing(
    tmp_path, monkeypatch, write
):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "w.pth", {"x": Nasty()})
    with pytest.raises(UnknownFormatError, match="mkdir"):
        read_checkpoint(path)
    assert not (tmp_path / "made-by-a-checkpoint").exists()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.999])
def test_a_checkpoint_cut_short_is_refused(tmp_path, share):
    stream = io.BytesIO()
    torch.save({"x": torch.zeros(1000)}, stream, _use_new_zipfile_serialization=False)
    data = stream.getvalue()
    path = tmp_path / "short.pth"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises((CorruptFileError, UnknownFormatError), match=r"short\.pth"):
        read_legacy_checkpoint(path)


def test_a_zip_whose_storage_is_cut_or_missing_or_of_another_order_is_refused(tmp_path):
    path = write_zip(tmp_path / "w.pth", {"x": torch.arange(100.0)})
    with ZipFile(path) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    (stored,) = [name for name in members if "/data/" in name]
    order = stored.replace("data/0", "byteorder")
    faults = {
        "short": {**members, stored: members[stored][:40]},
        "missing": {name: data for name, data in members.items() if name != stored},
        "order": {**members, order: b"big"},
        "no table": {"readme": b""},
    }
    for name, content in faults.items():
        faulty = tmp_path / f"{name}.pth"
        with ZipFile(faulty, "w") as archive:
            for member, data in content.items():
                archive.writestr(member, data)
        with pytest.raises((CorruptFileError, UnknownFormatError), match=rf"{name}\.pth"):
            read_checkpoint(faulty)


def test_other_files_are_refused(tmp_path):
    text = tmp_path / "note.pth"
    text.write_text("these are no weights")
    with pytest.raises((CorruptFileError, UnknownFormatError), match=r"note\.pth"):
        read_legacy_checkpoint(text)
    with pytest.raises(MissingFileError, match="no such"):
        read_legacy_checkpoint(tmp_path / "none.pth")
