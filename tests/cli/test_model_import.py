"""`mammoscope model import`."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mammoscope.cli.model_import import import_
from mammoscope.core.errors import BadValueError, MissingFileError, UnknownNameError, WeightsError

app = typer.Typer()
app.command("import")(import_)
TINY = Path(__file__).parents[1] / "models" / "tf1" / "tiny.ckpt"


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_checkpoint_of_another_network_is_refused_and_nothing_is_written(tmp_path):
    out = tmp_path / "x.safetensors"
    with pytest.raises(WeightsError, match=r"no checkpoint of 1\.1\.1\.01"):
        run(TINY, "--network", "1.1.1.01", "--head", "binary", "--out", out)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_network_is_refused_with_names_near_it(tmp_path):
    with pytest.raises(UnknownNameError, match=r"1\.0\.0\.35"):
        run(TINY, "--network", "1.0.0.3", "--out", tmp_path / "x.safetensors")


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.ckpt\.index"):
        run(tmp_path / "none.ckpt", "--network", "1.0.0.35", "--out", tmp_path / "x.safetensors")


def test_weights_are_not_written_under_another_ending(tmp_path):
    with pytest.raises(BadValueError, match=r"x\.pth: weights are written as \.safetensors"):
        run(TINY, "--network", "1.0.0.35", "--out", tmp_path / "x.pth")


def test_a_missing_folder_is_told_before_the_checkpoint_is_read(tmp_path):
    out = tmp_path / "none" / "x.safetensors"
    with pytest.raises(MissingFileError, match="none: there is no such folder"):
        run(TINY, "--network", "1.0.0.35", "--out", out)


@pytest.mark.parametrize("spacing", [0, 9.9, 2001, "nan"])
def test_a_spacing_that_no_scan_has_is_refused(tmp_path, spacing):
    words = ("--network", "1.0.0.35", "--out", tmp_path / "x.safetensors")
    with pytest.raises(BadValueError, match="--spacing-um"):
        run(TINY, *words, "--spacing-um", spacing)
