"""What one scan gave, as a file."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mammoscope.core.errors import CorruptFileError, MissingFileError
from mammoscope.core.geometry import Box, Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource, Split
from mammoscope.tiles.parts import Job, Limit, is_whole, make_part, read_part, read_pixels
from mammoscope.tiles.tile import NORMAL, Missed, Origin, Tile


@pytest.fixture
def scan(tmp_path):
    image = np.random.default_rng(0).integers(1, 200, (400, 400), dtype=np.uint8)
    image[:, 200:] = 0
    Image.fromarray(image).save(tmp_path / "s1.png")
    finding = Finding(
        finding_id="f1",
        scan_id="s1",
        kind=FindingKind.MASS,
        roi=Circle(20, 20, 5),
        pathology=Pathology.MALIGNANT,
    )
    return Scan(
        scan_id="s1",
        archive="made",
        path=tmp_path / "s1.png",
        patient_id="p1",
        exam_id="e1",
        spacing_mm=(0.2, 0.1),
        spacing_source=SpacingSource.ARCHIVE,
        split=Split.TEST,
        findings=(finding,),
        facts={"scanner": "LUMISYS"},
    )


def cut_three(scan, loaded, rng):
    """One tile of the finding, and two normal ones of the lots 0.25 and 0.75."""
    for place, (lot, finding_id) in enumerate([(0.0, "f1"), (0.25, None), (0.75, None)]):
        yield Tile(
            pixels=np.ascontiguousarray(loaded.image[:8, place * 8 : place * 8 + 8]),
            scan=scan,
            finding_id=finding_id,
            box=Box(0, place * 8, 8, 8),
            label=NORMAL if finding_id is None else "MALIGNANT_mass",
            origin=Origin.NORMAL if finding_id is None else Origin.LESION,
            lot=lot,
        )


def write(path, scan, cut=cut_three, limit=None):
    path.write_bytes(make_part(Job(index=0, scan=scan, cut=cut, seed=1, limit=limit)))
    return path


def test_a_part_says_why_a_finding_has_no_tile_and_counts_it_as_no_tile(scan, tmp_path):
    def cut(scan, loaded, rng):
        yield Missed(finding_id="f1", why="it lies on air")
        yield from list(cut_three(scan, loaded, rng))[1:]

    part = read_part(write(tmp_path / "a.part", scan, cut))
    assert part.missed == {"f1": "it lies on air"}
    assert part.candidates == {"NORMAL": 2}
    assert part.shape == (2, 8, 8)


def test_a_spacing_that_nobody_knows_has_no_source(scan, tmp_path):
    unknown = replace(scan, spacing_mm=None, spacing_source=None)
    part = read_part(write(tmp_path / "a.part", unknown))
    assert part.rows["spacing_source"] == [None] * 3


def test_a_part_holds_what_was_cut(scan, tmp_path):
    path = write(tmp_path / "a.part", scan)
    part = read_part(path)
    assert (part.archive, part.scan_id, part.shape) == ("made", "s1", (3, 8, 8))
    assert part.candidates == {"MALIGNANT_mass": 1, "NORMAL": 2}
    assert part.normals is None
    assert part.normal_lots == [0.25, 0.75]
    assert {name: values[0] for name, values in part.rows.items()} == {
        "patient_id": "p1",
        "exam_id": "e1",
        "scan_id": "s1",
        "finding_id": "f1",
        "archive": "made",
        "scanner": "LUMISYS",
        "laterality": None,
        "view": None,
        "breast_density": None,
        "pathology": "MALIGNANT",
        "origin": "lesion",
        "lesion_share": None,
        "top": 0.0,
        "left": 0.0,
        "height": 8.0,
        "width": 8.0,
        "spacing_row_mm": 0.2,
        "spacing_column_mm": 0.1,
        "spacing_source": "archive",
        "label": "MALIGNANT_mass",
        "lot": 0.0,
        "official_split": "test",
    }
    image = np.asarray(Image.open(scan.path))
    np.testing.assert_array_equal(
        read_pixels(path, part, [2, 0]), [image[:8, 16:24], image[:8, :8]]
    )
    assert read_pixels(path, part, []).shape == (0, 8, 8)


def test_a_limit_leaves_out_normal_tiles_only_but_counts_them(scan, tmp_path):
    part = read_part(write(tmp_path / "a.part", scan, limit=Limit(normals=7, lot=-1.0)))
    assert part.shape == (1, 8, 8)
    assert part.rows["label"] == ["MALIGNANT_mass"]
    assert part.candidates == {"MALIGNANT_mass": 1, "NORMAL": 2}
    assert part.normals == 7


def test_a_lot_that_equals_the_limit_stays(scan, tmp_path):
    part = read_part(write(tmp_path / "a.part", scan, limit=Limit(normals=1, lot=0.25)))
    assert part.normal_lots == [0.25]


def test_a_scan_that_gives_nothing_has_a_part_too(scan, tmp_path):
    path = write(tmp_path / "a.part", scan, cut=lambda *_: iter(()))
    part = read_part(path)
    assert (part.candidates, part.rows, part.shape[0]) == ({}, {}, 0)
    assert is_whole(path)


def test_the_generator_is_seeded_by_seed_and_scan(scan):
    drawn = []

    def cut(_scan, _loaded, rng):
        drawn.append(rng.random())
        return iter(())

    for seed, scan_id in ((1, "s1"), (1, "s1"), (2, "s1"), (1, "s2")):
        named = Scan(scan_id=scan_id, archive="made", path=scan.path, patient_id="p", exam_id="e")
        make_part(Job(index=0, scan=named, cut=cut, seed=seed))
    assert drawn[0] == drawn[1] == np.random.default_rng([1, *b"s1"]).random()
    assert len(set(drawn)) == 3


def test_a_part_cut_short_anywhere_is_told(scan, tmp_path):
    path = write(tmp_path / "a.part", scan)
    written = path.read_bytes()
    for length in (0, 10, 70, 300, len(written) - 1):
        path.write_bytes(written[:length])
        with pytest.raises(CorruptFileError, match=r"a\.part"):
            read_part(path)


@pytest.mark.parametrize("head", [b"[]", b"{}", b'{"shape": 3}', b'{"shape": [1, 2]}', b"\xff"])
def test_what_is_no_part_is_told(head, tmp_path):
    path = tmp_path / "a.part"
    path.write_bytes(b"0" * 64 + b"\n" + head + b"\n")
    with pytest.raises(CorruptFileError, match="is no part"):
        read_part(path)


def test_one_changed_bit_anywhere_is_seen(scan, tmp_path):
    path = write(tmp_path / "a.part", scan)
    written = path.read_bytes()
    assert is_whole(path)
    for place in (0, 64, 100, len(written) - 1):
        changed = bytearray(written)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert not is_whole(path)


def test_a_file_that_changed_since_has_another_stamp(scan, tmp_path):
    before = read_part(write(tmp_path / "a.part", scan)).stamp
    scan.path.write_bytes(scan.path.read_bytes() + b"\0")
    assert read_part(write(tmp_path / "b.part", scan)).stamp != before


@pytest.mark.parametrize("pixels", [np.zeros((8, 9), np.uint8), np.zeros((8, 8), np.uint16)])
def test_tiles_of_two_sizes_or_of_more_than_bytes_are_a_fault_of_the_recipe(scan, pixels):
    def cut(scan, loaded, rng):
        one = next(cut_three(scan, loaded, rng))
        yield one
        yield Tile(pixels=pixels, scan=scan, finding_id=None, box=one.box, label=NORMAL)

    with pytest.raises(ValueError, match="s1: tiles must be uint8 of one size"):
        make_part(Job(index=0, scan=scan, cut=cut, seed=0))


def test_a_scan_that_is_not_there_is_named(scan):
    scan.path.unlink()
    with pytest.raises(MissingFileError, match=r"s1\.png"):
        make_part(Job(index=0, scan=scan, cut=cut_three, seed=0))


def test_the_head_is_one_line_of_json(scan, tmp_path):
    lines = write(tmp_path / "a.part", scan).read_bytes().split(b"\n", 2)
    assert json.loads(lines[1])["scan_id"] == "s1"
