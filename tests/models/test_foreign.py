"""Tensors out of foreign checkpoints, without running them."""

import io
import os
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch

from mammoscope.core.errors import (
    CorruptFileError,
    MammoscopeError,
    MissingFileError,
    UnknownFormatError,
)
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


def test_a_legacy_checkpoint_of_a_single_tensor_is_read(tmp_path):
    # The list of its storages is written in another way than a longer one.
    path = write_legacy(tmp_path / "w.pth", {"x": torch.arange(3.0)})
    assert read_checkpoint(path)["x"].tolist() == [0, 1, 2]


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


def test_a_zip_whose_parts_are_compressed_is_refused_before_they_are_unpacked(tmp_path):
    path = tmp_path / "packed.pth"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", bytes(1 << 20))
    with pytest.raises(UnknownFormatError, match=r"packed\.pth: .*compressed"):
        read_checkpoint(path)


@pytest.mark.parametrize("write", [write_legacy, write_zip])
def test_a_tensor_larger_than_its_storage_is_refused(tmp_path, write):
    path = write(tmp_path / "w.pth", {"x": torch.zeros(1).expand(1 << 40)})
    with pytest.raises(CorruptFileError, match=r"w\.pth: .*in 1 numbers"):
        read_checkpoint(path)


def test_a_damaged_name_with_a_line_break_stays_one_sentence(tmp_path):
    path = write_legacy(tmp_path / "w.pth", {"x": Nasty()})
    path.write_bytes(path.read_bytes().replace(b"posix\nmkdir", b"posix\nmk\xe2\x80\xa8r"))
    with pytest.raises(MammoscopeError) as caught:
        read_checkpoint(path)
    assert len(str(caught.value).splitlines()) == 1


def damaged(data, number):
    """Cut, flip, overwrite, double or take out a piece, by the number alone."""
    rng = np.random.default_rng(number)
    place, other = sorted(int(v) for v in rng.integers(0, len(data), 2))
    match number % 5:
        case 0:
            return data[:place]
        case 1:
            return data[:place] + bytes([data[place] ^ 1 << rng.integers(8)]) + data[place + 1 :]
        case 2:
            return data[:place] + rng.bytes(4) + data[place + 4 :]
        case 3:
            return data[:other] + data[place:]
        case _:
            return data[:place] + data[place + int(rng.integers(1, 40)) :]


def outcome(path):
    """Tell how an attempt to read ends: None is a result, else what the error says."""
    try:
        read_checkpoint(path)
    except MammoscopeError as error:
        return str(error)
    return None


@pytest.mark.parametrize("write", [write_legacy, write_zip])
def test_a_damaged_checkpoint_gives_tensors_or_one_error_that_names_the_file(tmp_path, write):
    content = {"a.weight": torch.randn(2, 3), "b": torch.tensor(3), "c": torch.ones(4).half()}
    data = write(tmp_path / "w.pth", content).read_bytes()
    path = tmp_path / "damaged.pth"
    for number in range(400):
        path.write_bytes(damaged(data, number))
        sentence = outcome(path)
        assert sentence is None or str(path) in sentence, number
        assert sentence is None or len(sentence.splitlines()) == 1, number


def test_a_checkpoint_that_cannot_be_opened_is_one_error(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "w.pth", {"x": torch.zeros(3)})

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mammoscope.models.foreign.is_zipfile", refuse)
    with pytest.raises(CorruptFileError, match=r"w\.pth: .*Permission denied"):
        read_checkpoint(path)
