"""`mammoscope tiles export` and `import`."""

import csv

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from mammoscope.cli.tiles_exchange import export, import_
from mammoscope.core.errors import BadValueError, UnknownNameError
from mammoscope.tiles.store import load_tiles

app = typer.Typer()
app.command("export")(export)
app.command("import")(import_)


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def pictures(tmp_path):
    """Somebody's two pictures of one patient, in both splits."""
    place = tmp_path / "pictures"
    place.mkdir()
    with (place / "t.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "who", "label", "split"])
        for number, split in enumerate(("train", "test")):
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(place / f"{number}.png")
            table.writerow([f"{number}.png", "p", "x", split])
    return place


@pytest.mark.parametrize("kind", ["tfrecord", "webdataset", "folder", "huggingface"])
def test_a_set_goes_out_and_comes_back(tile_set, tmp_path, kind):
    tiles = tile_set()
    out = run("export", tiles.folder, tmp_path / "out", "--format", kind)
    assert out.exit_code == 0
    assert f"12 tiles as {kind} in {tmp_path / 'out'}." in out.stdout
    back = run("import", tmp_path / "out", tmp_path / "back", "--format", kind)
    assert "12 tiles in" in back.stdout
    assert "Audit: " in back.stdout
    assert (tmp_path / "back" / "audit.json").is_file()
    assert load_tiles(tmp_path / "back").provenance["files"] == tiles.provenance["files"]


def test_an_import_without_an_audit_says_so(tile_set, tmp_path):
    run("export", tile_set().folder, tmp_path / "out", "--format", "folder")
    back = run("import", tmp_path / "out", tmp_path / "back", "--format", "folder", "--no-audit")
    assert "Not audited." in back.stdout
    assert not (tmp_path / "back" / "audit.json").exists()


def test_an_export_of_mias_warns_that_it_may_not_be_passed_on(tile_set, tmp_path):
    out = run("export", tile_set().folder, tmp_path / "out", "--format", "folder")
    assert "mini-mias, which may not be passed on" in out.stderr


def test_tfrecords_of_another_size_are_told(tile_set, tmp_path):
    out = run("export", tile_set().folder, tmp_path / "out", "--format", "tfrecord")
    assert "read 299 x 299 only" in out.stdout


def test_an_unknown_format_is_refused(tile_set, tmp_path):
    with pytest.raises(UnknownNameError, match="no format called 'tfrecords'; known are: tfrecord"):
        run("export", tile_set().folder, tmp_path / "out", "--format", "tfrecords")


def test_columns_and_shared_patients_are_passed_on(pictures, tmp_path):
    words = ["import", pictures, tmp_path / "set", "--format", "folder"]
    words += ["--labels", pictures / "t.csv", "--column", "patient_id=who"]
    with pytest.raises(BadValueError, match="patients are in two splits"):
        run(*words)
    result = run(*words, "--faithful")
    assert "2 tiles in" in result.stdout
    assert "divided as given: 1 patients in two splits" in result.stdout


@pytest.mark.parametrize("pair", ["patient_id", "=who", "patient_id="])
def test_a_column_that_is_no_pair_is_refused(pictures, tmp_path, pair):
    with pytest.raises(BadValueError, match="expected a pair as patient_id=case"):
        run("import", pictures, tmp_path / "set", "--format", "folder", "--column", pair)


def test_a_table_is_for_folders_only(pictures, tmp_path):
    with pytest.raises(BadValueError, match="--labels goes with --format folder only"):
        run("import", pictures, tmp_path / "s", "--format", "webdataset", "--labels", "t.csv")


def test_folders_may_be_named_by_file_urls(tile_set, tmp_path):
    run("export", tile_set().folder, f"file://{tmp_path / 'out'}", "--format", "folder")
    words = ("--format", "folder", "--no-audit")
    run("import", f"file://{tmp_path / 'out'}", f"file://{tmp_path / 'back'}", *words)
    assert len(load_tiles(tmp_path / "back")) == 12


@pytest.mark.parametrize(
    "words", [("export", "SET", "memory://a/out"), ("import", "memory://a/out", "SET2")]
)
def test_exports_at_other_urls_are_refused(tile_set, words):
    folder = str(tile_set().folder)
    with pytest.raises(BadValueError, match="memory://a/out: only a folder of this machine"):
        run(*(word.replace("SET", folder) for word in words), "--format", "folder")
