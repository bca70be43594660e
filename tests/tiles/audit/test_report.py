"""A whole audit: leaks and shortcuts to one word, stored with the set that it is of."""

import json

import numpy as np
import pytest
from scipy import ndimage

from mammoscope.core.errors import CorruptFileError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.tiles.audit.report import (
    SCHEMA,
    audit_tiles,
    leak_reasons,
    missing_reasons,
    read_verdict,
    write_audit,
)
from mammoscope.tiles.audit.tables import Leak, LeakKind
from mammoscope.tiles.store import load_tiles, write_tiles
from mammoscope.tiles.tile import NORMAL, Origin, Tile

PATIENTS, SIDE = 40, 96


def make_tile(number, scan_id, patient, folder, label):
    rng = np.random.default_rng(number)
    smooth = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 4)
    level = rng.uniform(80, 150) + 30 * smooth / smooth.std() + rng.normal(0, 3, (SIDE, SIDE))
    scan = Scan(
        scan_id=scan_id,
        archive="made",
        path=folder / f"{scan_id}.png",
        patient_id=patient,
        exam_id=patient,
        findings=(),
    )
    return Tile(
        pixels=np.clip(level, 0, 255).astype(np.uint8),
        scan=scan,
        finding_id=None if label == NORMAL else f"{scan_id}-1",
        box=Box(0, 0, SIDE, SIDE),
        label=label,
        origin=Origin.NORMAL if label == NORMAL else Origin.LESION,
    )


@pytest.fixture(scope="module")
def make_set(tmp_path_factory):
    def make(twice=False):
        folder = tmp_path_factory.mktemp("set")
        tiles, splits = [], {}
        for number in range(PATIENTS):
            label = "BENIGN_mass" if number % 2 else NORMAL
            patient = f"p{number}"
            splits[patient] = ("train", "validation", "test")[number // 2 % 3]
            # The picture of patient 0, who is in another split, once more.
            seed = 0 if twice and number == PATIENTS - 2 else number
            tiles.append(make_tile(seed, f"s{number}", patient, folder, label))
        write_tiles(folder / "made", tiles, splits, {"recipe": "made", "seed": 0})
        return load_tiles(folder / "made")

    return make


@pytest.fixture(scope="module")
def audited(make_set):
    tiles = make_set()
    return tiles, audit_tiles(tiles)


def test_an_honest_set_is_clean_and_has_no_reasons(audited):
    assert audited[1].verdict == "clean"
    assert audited[1].reasons == ()


def test_a_picture_in_two_splits_makes_a_set_leaking_and_is_named(make_set):
    audit = audit_tiles(make_set(twice=True))
    assert audit.verdict == "leaking"
    assert set(audit.reasons[0].pictures) == {0, PATIENTS - 2}
    assert audit.reasons[0].sentence.startswith("1 pair of equal pictures lies in two splits")


def test_the_json_has_the_keys_that_others_rely_on(audited):
    told = json.loads(audited[1].to_json())
    assert told["schema"] == SCHEMA == "mammoscope.audit/1"
    assert told["verdict"] == "clean"
    assert told["counts"][0] == {"split": "test", "label": "BENIGN_mass", "pictures": 6}
    for figure in told["shortcuts"]["figures"]:
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert told["shortcuts"]["measured"] == told["shortcuts"]["of"] == PATIENTS


def test_the_same_set_gives_the_same_bytes_wherever_it_lies(audited, tmp_path):
    tiles, audit = audited
    moved = tmp_path / tiles.folder.name
    tiles.folder.rename(moved)
    try:
        assert audit_tiles(load_tiles(moved)).to_json() == audit.to_json()
    finally:
        moved.rename(tiles.folder)


def test_a_stored_verdict_is_read_back(audited):
    tiles, audit = audited
    assert read_verdict(tiles.folder) is None
    path = write_audit(tiles.folder, audit)
    try:
        assert read_verdict(tiles.folder) == "clean"
        # The tile set itself is as it was.
        assert len(load_tiles(tiles.folder)) == PATIENTS
    finally:
        path.unlink()


def test_the_audit_of_another_set_is_not_taken_for_this_ones(audited, make_set):
    other = make_set(twice=True)
    write_audit(other.folder, audited[1])
    assert read_verdict(other.folder) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"verdict": "fine", "set_digest": ""}'])
def test_a_damaged_audit_is_named(audited, text, tmp_path):
    (tmp_path / "provenance.json").write_text('{"files": {}}')
    (tmp_path / "audit.json").write_text(text)
    with pytest.raises(CorruptFileError, match=r"audit.json: is damaged; make it again"):
        read_verdict(tmp_path)


def test_leaks_of_a_kind_are_one_reason_with_an_example():
    leaks = [
        Leak(
            kind=kind,
            first=number,
            second=number + 10,
            first_split="train",
            second_split="test",
            score=1.0,
            relation="2 in train, 1 in test",
            subject=subject,
        )
        for number, (kind, subject) in enumerate(
            [(LeakKind.PATIENT, "p1"), (LeakKind.PATIENT, "p2"), (LeakKind.SCAN, "s1")]
        )
    ]
    patients, scans = leak_reasons(leaks)
    assert patients.sentence == (
        "2 patients lie in two splits; for example p1: picture 0 in train, picture 10 in test "
        "(2 in train, 1 in test)."
    )
    assert patients.pictures == (0, 10, 1, 11)
    assert scans.sentence.startswith("1 scan lies in two splits")


def test_a_split_without_a_class_of_many_patients_is_a_reason(audited):
    table = audited[0].table
    part = table.filter(~((table["split"] == "test") & (table["label"] == NORMAL)))
    reasons, _ = missing_reasons(with_files(part))
    assert [reason.sentence for reason in reasons] == ["The split test has no normal picture."]


def test_a_split_without_a_class_of_few_patients_is_a_note(audited):
    import polars as pl

    table = audited[0].table
    rare = table.with_columns(
        pl.when(pl.col("scan_id") == "s1")
        .then(pl.lit("MALIGNANT_mass"))
        .otherwise("label")
        .alias("label")
    )
    reasons, notes = missing_reasons(with_files(rare))
    assert reasons == ()
    assert notes[0] == (
        "The split test has no picture of class MALIGNANT_mass, of which there is 1 patient in all"
    )


def with_files(table):
    import polars as pl

    return table.with_columns(pl.lit(None, pl.String).alias("file"))
