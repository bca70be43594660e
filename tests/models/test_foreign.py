"""Tensors out of foreign checkpoints, without running them."""

import io
import os
from pathlib import Path

import pytest
import torch

from mammoscope.core.errors import CorruptFileError, MissingFileError, UnknownFormatError
from mammoscope.models.foreign import read_legacy_checkpoint


def write_legacy(path: Path, content: object) -> Path:
    """Write as PyTorch did before version 1.6."""
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def test_tensors_are_those_that_were_written(tmp_path):
    base = torch.arange(24.0)
    written = {
        "whole": torch.randn(3, 4, 5),
        "half": torch.randn(7).half(),
        "counter": torch.tensor(3),
        "a view": base.reshape(4, 6)[1:3, ::2],
        "the same storage": base,
    }
    read = read_legacy_checkpoint(write_legacy(tmp_path / "w.pth", written))
    assert read.keys() == written.keys()
    for name, tensor in written.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


class Nasty:
    """Would make a folder when unpickled."""

    def __reduce__(self):
        return os.mkdir, ("made-by-a-checkpoint",)


def test_a_checkpoint_that_wants_to_run_code_is_refused_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_legacy(tmp_path / "w.pth", {"x": Nasty()})
    with pytest.raises(UnknownFormatError, match="mkdir"):
        read_legacy_checkpoint(path)
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


def test_other_files_are_refused(tmp_path):
    text = tmp_path / "note.pth"
    text.write_text("these are no weights")
    with pytest.raises((CorruptFileError, UnknownFormatError), match=r"note\.pth"):
        read_legacy_checkpoint(text)
    with pytest.raises(MissingFileError, match="no such"):
        read_legacy_checkpoint(tmp_path / "none.pth")
