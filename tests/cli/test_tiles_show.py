"""`mammoscope tiles show`."""

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from mammoscope.cli.tiles_show import show
from mammoscope.core.errors import BadValueError, UnknownNameError

app = typer.Typer()
app.command()(show)


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_counts_are_printed_and_nothing_is_written(tile_set, tmp_path):
    result = run(tile_set().folder)
    rows = [line.replace("│", " ").split() for line in result.stdout.splitlines()]
    assert ["NORMAL", "6", "0", "4"] in rows
    assert ["BENIGN_mass", "2", "0", "0"] in rows
    assert ["patients", "4", "0", "2"] in rows
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_split_and_class_alone_are_counted(tile_set):
    result = run(tile_set().folder, "--split", "train", "--label", "NORMAL")
    assert "BENIGN_mass" not in result.stdout
    assert "test" not in result.stdout.splitlines()[2]


def test_a_contact_sheet_is_written(tile_set, tmp_path):
    result = run(tile_set().folder, "--out", tmp_path / "new" / "sheet.PNG", "--each", "3")
    assert f"Contact sheet: {tmp_path / 'new' / 'sheet.PNG'}" in result.stdout.replace("\n", "")
    assert "may not be passed on" in result.stderr
    with Image.open(tmp_path / "new" / "sheet.PNG") as sheet:
        assert sheet.format == "PNG"


@pytest.mark.real
def test_a_page_with_sizes_is_written(tile_set, tmp_path, shared_data):
    result = run(
        tile_set().folder, "mini-mias", shared_data / "mini-mias", "--out", tmp_path / "a.html"
    )
    assert result.exit_code == 0
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


def test_another_kind_of_file_is_refused(tile_set, tmp_path):
    with pytest.raises(BadValueError, match=r"name a .png for a contact sheet or a .html"):
        run(tile_set().folder, "--out", tmp_path / "a.pdf")


def test_archives_without_a_page_are_refused(tile_set, tmp_path):
    with pytest.raises(BadValueError, match="Archives are for the page only"):
        run(tile_set().folder, "mini-mias", tmp_path)


def test_an_archive_without_its_folder_is_refused(tile_set, tmp_path):
    with pytest.raises(BadValueError, match="needs its name and its folder"):
        run(tile_set().folder, "mini-mias", "--out", tmp_path / "a.html")


def test_a_class_that_is_not_there_is_refused(tile_set):
    with pytest.raises(UnknownNameError, match="no label called 'mass'"):
        run(tile_set().folder, "--label", "mass")
