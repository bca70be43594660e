"""Out and back: every format gives the same set again, or refuses."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import (
    BadValueError,
    CorruptFileError,
    MammoscopeError,
    MissingFileError,
    ScanError,
)
from mammoscope.tiles.audit.report import audit_tiles
from mammoscope.tiles.build import build_tiles
from mammoscope.tiles.exchange import trade
from mammoscope.tiles.exchange.cards import CARD
from mammoscope.tiles.exchange.trade import Format, Source, export_tiles, import_tiles

every_format = pytest.mark.parametrize("kind", list(Format))


def foreign_folder(folder, rows, side=6):
    """Somebody's pictures with a table of their own words."""
    folder.mkdir()
    for number, row in enumerate(rows):
        pixels = np.full((side, side), number, np.uint8)
        Image.fromarray(pixels).save(folder / row["file"])
    with (folder / "labels.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


ROWS = [
    {"file": "a.png", "case": "p1", "class": "cancer", "set": "training"},
    {"file": "b.png", "case": "p2", "class": "healthy", "set": "test"},
    {"file": "c.png", "case": "p1", "class": "healthy", "set": "training"},
]


@every_format
def test_what_goes_out_comes_back_byte_for_byte(make_set, tmp_path, kind):
    tiles = make_set(count=23)
    export_tiles(tiles, tmp_path / "out", kind)
    back = import_tiles(Source(folder=tmp_path / "out", kind=kind), tmp_path / "back")
    assert back.provenance["files"] == tiles.provenance["files"]
    assert back.table.equals(tiles.table)
    back.verify()
    origin = back.provenance["imported"]
    assert origin == {"format": str(kind), "from": str(tmp_path / "out")}
    kept = {k: v for k, v in back.provenance.items() if k != "imported"}
    assert kept == tiles.provenance


@pytest.mark.real
@every_format
def test_real_tiles_come_back_byte_for_byte(shared_data, tmp_path, kind):
    archive = open_archive("mini-mias", shared_data / "mini-mias")
    few = dataclasses.replace(archive, records=archive.records[:6])
    tiles = build_tiles(few, "9", tmp_path / "set", workers=1, audit=False)
    assert len(tiles) > 10
    export_tiles(tiles, tmp_path / "out", kind)
    source = Source(folder=tmp_path / "out", kind=kind)
    back = import_tiles(source, tmp_path / "back", audit=False)
    assert back.provenance["files"] == tiles.provenance["files"]
    told = (tmp_path / "back" / "build.json").read_bytes()
    assert told == (tmp_path / "set" / "build.json").read_bytes()


REPORTS = {"build.json": "what the build said", "audit.json": '{"verdict": "clean"}'}


def exported_with_reports(make_set, tmp_path, kind=Format.FOLDER):
    tiles = make_set()
    for name, text in REPORTS.items():
        (tiles.folder / name).write_text(text)
    export_tiles(tiles, tmp_path / "out", kind)
    return Source(folder=tmp_path / "out", kind=kind)


@every_format
def test_what_build_and_audit_said_travels_with_an_export_and_back(make_set, tmp_path, kind):
    source = exported_with_reports(make_set, tmp_path, kind)
    import_tiles(source, tmp_path / "back")
    assert {name: (tmp_path / "back" / name).read_text() for name in REPORTS} == REPORTS


@pytest.mark.parametrize("change", ["gone", "changed"])
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_that_did_not_come_as_it_was_exported_is_refused(make_set, tmp_path, name, change):
    source = exported_with_reports(make_set, tmp_path)
    if change == "gone":
        (source.folder / name).unlink()
    else:
        (source.folder / name).write_text('{"verdict": "fair"}')
    with pytest.raises(CorruptFileError, match=rf"{name}: is missing or not as it was exported"):
        import_tiles(source, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_an_imported_set_is_audited_as_a_built_one_is(tmp_path):
    place = foreign_folder(tmp_path / "theirs", ROWS)
    made = import_tiles(Source(folder=place, kind=Format.FOLDER), tmp_path / "set")
    told = json.loads((made.folder / "audit.json").read_text())
    assert told == json.loads(audit_tiles(made, seed=0).to_json())


def test_an_audit_is_left_out_when_nobody_wants_it(tmp_path):
    place = foreign_folder(tmp_path / "theirs", ROWS)
    source = Source(folder=place, kind=Format.FOLDER)
    made = import_tiles(source, tmp_path / "set", audit=False)
    assert not (made.folder / "audit.json").exists()


@every_format
def test_the_same_set_gives_the_same_bytes(make_set, tmp_path, kind):
    tiles = make_set()
    for name in ("one", "two"):
        export_tiles(tiles, tmp_path / name, kind)
    files = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")
         if p.is_file()}
        for name in ("one", "two")
    ]  # fmt: skip
    assert files[0] == files[1]


@every_format
def test_a_file_that_is_missing_is_seen(make_set, tmp_path, kind):
    export_tiles(make_set(), tmp_path / "out", kind)
    parts = {
        Format.TFRECORD: "training9_1.tfrecords",
        Format.WEBDATASET: "train-000000.tar",
        Format.FOLDER: "test/NORMAL/000000000.png",
        Format.HUGGINGFACE: "data/train-00000-of-00001.parquet",
    }
    (tmp_path / "out" / parts[kind]).unlink()
    with pytest.raises(MammoscopeError):
        import_tiles(Source(folder=tmp_path / "out", kind=kind), tmp_path / "back")
    assert not [path for path in tmp_path.iterdir() if "back" in path.name]


@every_format
@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_flipped_bit_never_becomes_another_tile(make_set, tmp_path, kind, where):
    tiles = make_set()
    export_tiles(tiles, tmp_path / "out", kind)
    path = max(
        (p for p in (tmp_path / "out").rglob("*.*") if p.suffix in
         (".tfrecords", ".tar", ".png", ".parquet")),
        key=lambda p: p.stat().st_size,
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 0x10
    path.write_bytes(data)
    try:
        back = import_tiles(Source(folder=tmp_path / "out", kind=kind), tmp_path / "back")
    except MammoscopeError:
        return
    # What is not looked at, such as padding in a tar file, may change.
    assert back.provenance["files"] == tiles.provenance["files"]


def test_a_picture_that_was_exchanged_for_another_is_seen(make_set, tmp_path):
    export_tiles(make_set(), tmp_path / "out", Format.FOLDER)
    picture = tmp_path / "out/test/NORMAL/000000000.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
    with pytest.raises(CorruptFileError, match="split test or their rows are not as they were"):
        import_tiles(Source(folder=tmp_path / "out", kind=Format.FOLDER), tmp_path / "back")


def test_an_export_is_not_read_as_another_format(make_set, tmp_path):
    export_tiles(make_set(), tmp_path / "out", Format.FOLDER)
    with pytest.raises(BadValueError, match="was exported as folder, not as webdataset"):
        import_tiles(Source(folder=tmp_path / "out", kind=Format.WEBDATASET), tmp_path / "back")


def test_somebodys_pictures_become_a_tile_set(tmp_path):
    place = foreign_folder(tmp_path / "pictures", ROWS)
    made = import_tiles(Source(folder=place, kind=Format.FOLDER), tmp_path / "set")
    assert made.table["patient_id"].to_list() == ["p1", "p2", "p1"]
    assert made.table["label"].to_list() == ["cancer", "healthy", "healthy"]
    assert made.table["split"].to_list() == ["train", "test", "train"]
    assert made.table["scan_id"].to_list() == ["p1/a.png", "p2/b.png", "p1/c.png"]
    assert made.pixels([0, 1, 2])[:, 0, 0].tolist() == [0, 1, 2]
    assert made.provenance["recipe"] == "imported"
    assert made.provenance["splits"] == "as given, by patient"


@pytest.mark.parametrize("kind", [Format.WEBDATASET, Format.FOLDER, Format.HUGGINGFACE])
def test_somebodys_pictures_go_out_and_come_back(tmp_path, kind):
    place = foreign_folder(tmp_path / "pictures", ROWS)
    made = import_tiles(Source(folder=place, kind=Format.FOLDER), tmp_path / "set")
    export_tiles(made, tmp_path / "out", kind)
    back = import_tiles(Source(folder=tmp_path / "out", kind=kind), tmp_path / "back")
    assert back.provenance["files"] == made.provenance["files"]


def test_a_patient_in_two_splits_is_refused_and_named(tmp_path):
    rows = [*ROWS, {"file": "d.png", "case": "p1", "class": "cancer", "set": "test"}]
    place = foreign_folder(tmp_path / "pictures", rows)
    with pytest.raises(BadValueError, match=r"1 patients are in two splits \(p1\)"):
        import_tiles(Source(folder=place, kind=Format.FOLDER), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_splits_that_share_patients_are_taken_when_asked_for_and_marked(tmp_path):
    rows = [*ROWS, {"file": "d.png", "case": "p1", "class": "cancer", "set": "test"}]
    place = foreign_folder(tmp_path / "pictures", rows)
    source = Source(folder=place, kind=Format.FOLDER)
    made = import_tiles(source, tmp_path / "set", faithful=True)
    assert made.provenance["splits"] == "as given: 1 patients in two splits"
    assert made.provenance["settings"] == {"faithful": True}


def test_pictures_of_two_sizes_are_refused(tmp_path):
    place = foreign_folder(tmp_path / "pictures", ROWS)
    Image.fromarray(np.zeros((6, 7), np.uint8)).save(place / "b.png")
    with pytest.raises(ScanError, match=r"tile 1 \(p2/b.png\) has 6 x 7 pixels where 6 x 6"):
        import_tiles(Source(folder=place, kind=Format.FOLDER), tmp_path / "set")


def test_a_column_that_no_tile_set_has_is_refused(tmp_path):
    place = foreign_folder(tmp_path / "pictures", ROWS)
    source = Source(folder=place, kind=Format.FOLDER, columns={"age": "years"})
    with pytest.raises(BadValueError, match="age: no column of a tile set; known are file"):
        import_tiles(source, tmp_path / "set")


def test_a_folder_that_is_there_is_not_written_over(make_set, tmp_path):
    tiles = make_set()
    (tmp_path / "out").mkdir()
    with pytest.raises(BadValueError, match="is there already"):
        export_tiles(tiles, tmp_path / "out", Format.FOLDER)


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="no such folder"):
        import_tiles(Source(folder=tmp_path / "x", kind=Format.FOLDER), tmp_path / "set")


@every_format
def test_a_full_disk_leaves_nothing_behind(make_set, tmp_path, monkeypatch, kind):
    tiles = make_set()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trade, "write_card", full)
    with pytest.raises(OSError, match="No space left"):
        export_tiles(tiles, tmp_path / "out", kind)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_damaged_card_is_told_and_without_it_the_files_are_anybodys(make_set, tmp_path):
    tiles = make_set()
    export_tiles(tiles, tmp_path / "out", Format.WEBDATASET)
    card = tmp_path / "out" / CARD
    told = json.loads(card.read_text())
    source = Source(folder=tmp_path / "out", kind=Format.WEBDATASET)
    for text in ("{", json.dumps({**told, "schema": "x/9"}), json.dumps({"schema": 1})):
        card.write_text(text)
        with pytest.raises(CorruptFileError, match=CARD):
            import_tiles(source, tmp_path / "back")
    card.unlink()
    back = import_tiles(source, tmp_path / "back")
    assert back.provenance["recipe"] == "imported"
    changed = ["recipe", "seed", "exam_id", "scan_id", "finding_id"]
    assert back.table.drop(changed).equals(tiles.table.drop(changed))
    assert back.table["scan_id"].to_list()[2] == "p1/s2"
    shutil.rmtree(tmp_path / "back")
