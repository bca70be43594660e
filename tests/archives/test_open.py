"""Opening an archive by name or by what its folder holds."""

from importlib import import_module
from pathlib import Path

import pytest

from mammoscope.archives import open as opening
from mammoscope.archives.open import _MODULES, NAMES, SAME_FILMS, open_archive, share_films
from mammoscope.core.errors import LayoutError, MissingFileError, UnknownNameError

SMALL = ("mini-mias", "cbis-ddsm-800")
"""Archives whose folders are quickly made; the others are opened in their own tests."""


@pytest.fixture
def folders(make_mias, make_cbis):
    """What makes a folder of each archive, by name."""
    return {"mini-mias": lambda: make_mias("mdb001 G NORM"), "cbis-ddsm-800": lambda: make_cbis({})}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_named_archive_opens_from_its_folder(folders, name, kind):
    archive = open_archive(name, kind(folders[name]()))
    assert archive.name == name
    assert len(archive.scans()) == 1


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_alone_tells_which_archive_it_holds(folders, name, kind):
    assert open_archive(kind(folders[name]())).name == name


def test_an_unknown_name_is_told_with_those_near(tmp_path):
    with pytest.raises(UnknownNameError, match="'mini-mia'; known are: mini-mias"):
        open_archive("mini-mia", tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    for arguments in ((tmp_path / "gone",), ("mini-mias", tmp_path / "gone")):
        with pytest.raises(MissingFileError, match=r"gone: there is no such folder"):
            open_archive(*arguments)


@pytest.mark.parametrize("name", ["Info.txt", "labels.csv", "holiday.txt"])
def test_a_foreign_folder_is_refused_with_what_was_expected(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\xffnothing,of,this\n")
    with pytest.raises(LayoutError, match=r"no archive is recognised.*tables or scans"):
        open_archive(tmp_path)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_empty_folder_is_refused_with_what_was_expected(tmp_path, name):
    with pytest.raises(LayoutError, match=r"expected|no DICOM mammogram"):
        open_archive(name, tmp_path)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_archive_has_its_module_name_terms_and_page(name):
    module = import_module(_MODULES[name])
    assert name == module.NAME
    assert module.LICENCE
    assert module.CITATION
    page = Path(__file__).parents[2] / "docs" / "archives" / f"{name}.md"
    assert page.read_text(encoding="utf-8").startswith(f"# {name}")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_archive_is_seen_in_a_folder_of_other_files(tmp_path, name):
    (tmp_path / "below").mkdir()
    (tmp_path / "notes.txt").write_bytes(b"\xff\x00 words")
    (tmp_path / "below" / "table.csv").write_text("a,b\n1,2\n")
    assert import_module(_MODULES[name]).is_here(tmp_path) is False


@pytest.mark.real
@pytest.mark.parametrize(
    ("place", "name", "scans"),
    [
        ("mini-mias", "mini-mias", 258),
        ("cbis-ddsm/mass-800", "cbis-ddsm-800", 1231),
        ("ddsm-299", "ddsm-299", 3600),
        ("ddsm/ljpeg/minicase", "ddsm", 20),
        ("uci", "uci", 0),
    ],
)
def test_shared_folders_tell_by_themselves_what_they_are(shared_data, place, name, scans):
    archive = open_archive(shared_data / place)
    assert archive.name == name
    assert len(archive.scans()) == scans


@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_is_told_the_archive_s_name(folders, name):
    assert name in open_archive(name, folders[name]())._repr_html_()


def test_a_folder_that_may_not_be_opened_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(opening.os, "access", lambda *_: False)
    for arguments in ((tmp_path,), ("mini-mias", tmp_path)):
        with pytest.raises(MissingFileError, match=r"may not be opened; change its permissions"):
            open_archive(*arguments)


def test_a_table_that_cannot_be_opened_is_named(tmp_path):
    # A link that leads nowhere meets the system's refusal as a locked file does.
    table = tmp_path / "mass_case_description_train_set.csv"
    table.symlink_to(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match=rf"{table}: it cannot be opened \(No such file"):
        open_archive("cbis-ddsm", tmp_path)


def test_archives_of_the_same_patients_are_known():
    assert set().union(*SAME_FILMS) <= set(NAMES)
    assert share_films("cbis-ddsm", "cbis-ddsm-800")
    assert share_films("ddsm", "cbis-ddsm")
    assert share_films("rsna", "rsna")
    assert not share_films("mini-mias", "cbis-ddsm")
    assert not share_films("rsna", "")
