"""The page of a tile set."""

import re
from html.parser import HTMLParser

import pytest

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import UnknownNameError
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, SpacingSource
from mammoscope.report.tiles_page import write_tiles_page
from mammoscope.report.tiles_sheet import Choice


def page_of(tiles, tmp_path, **choice):
    write_tiles_page(tiles, tmp_path / "new" / "tiles.html", Choice(**choice))
    return (tmp_path / "new" / "tiles.html").read_text(encoding="utf-8")


def make_archive(tmp_path):
    finding = Finding(
        finding_id="f1",
        scan_id="s3",
        kind=FindingKind.MASS,
        roi=Circle(50, 50, 12),
        pathology=Pathology.BENIGN,
    )
    scan = Scan(
        scan_id="s3",
        archive="mini-mias",
        path=tmp_path / "s.png",
        patient_id="p1",
        exam_id="e1",
        spacing_mm=(0.2, 0.2),
        spacing_source=SpacingSource.ARCHIVE,
        findings=(finding,),
    )
    return Archive(name="mini-mias", folder=tmp_path, licence="", citation="", records=(scan,))


def test_the_page_loads_nothing_from_elsewhere(tile_set, tmp_path):
    text = page_of(tile_set(), tmp_path)
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert "<script" not in text


def test_counts_of_splits_are_in_their_order_with_patients(tile_set, tmp_path):
    text = page_of(tile_set(), tmp_path)
    cells = re.findall(r"<tr><td>(train|test)</td>(.*?)</tr>", text)
    assert [(name, re.findall(r">([\d,]+)<", row)) for name, row in cells] == [
        ("train", ["6", "2", "8", "4"]),
        ("test", ["4", "0", "4", "2"]),
    ]


def test_every_tile_that_was_chosen_is_shown_with_its_caption(tile_set, tmp_path):
    text = page_of(tile_set(), tmp_path, each=2)
    assert text.count("data:image/jpeg") == 2 + 2 + 2
    assert text.count("<span>finding f1</span>") == 2


def test_mias_may_not_be_passed_on_and_the_page_says_so(tile_set, tmp_path):
    assert "This holds tiles of mini-mias, which may not be passed on" in page_of(
        tile_set(), tmp_path
    )


def test_names_from_archives_are_text_and_never_markup(tile_set, tmp_path):
    text = page_of(tile_set(scanner="<b>$x_1$</b>"), tmp_path)
    assert "<b>" not in text
    assert "&lt;b&gt;$x_1$&lt;/b&gt;" in text


def test_sizes_are_drawn_where_an_archive_tells_them(tile_set, tmp_path):
    tiles = tile_set()
    assert "Radius against severity" not in page_of(tiles, tmp_path)
    write_tiles_page(tiles, tmp_path / "a.html", Choice(), [make_archive(tmp_path)])
    text = (tmp_path / "a.html").read_text()
    assert "Radius against severity" in text
    assert "benign (1, median 5 mm)" in text


def test_the_same_set_gives_the_same_page(tile_set, tmp_path):
    tiles = tile_set()
    assert page_of(tiles, tmp_path) == page_of(tiles, tmp_path)


def test_no_two_elements_of_the_page_share_an_id(tile_set, tmp_path):
    write_tiles_page(tile_set(), tmp_path / "a.html", Choice(), [make_archive(tmp_path)])
    found = []

    class Ids(HTMLParser):
        def handle_starttag(self, _tag, attrs):
            found.extend(value for name, value in attrs if name == "id")

    Ids().feed((tmp_path / "a.html").read_text())
    assert len(found) == len(set(found))


def test_no_page_is_written_of_a_class_that_is_not_there(tile_set, tmp_path):
    with pytest.raises(UnknownNameError):
        page_of(tile_set(), tmp_path, label="MALIGNANT_mass")
    assert not (tmp_path / "new").exists()
