"""Opening an archive by name or by what its folder holds."""

from pathlib import Path

import pytest

from mammoscope.archives.open import NAMES, open_archive
from mammoscope.core.errors import LayoutError, MissingFileError, UnknownNameError


@pytest.fixture
def folders(make_mias, make_cbis):
    """What makes a folder of each archive, by name."""
    return {"mini-mias": lambda: make_mias("mdb001 G NORM"), "cbis-ddsm-800": lambda: make_cbis({})}


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("kind", [str, Path])
def test_a_named_archive_opens_from_its_folder(folders, name, kind):
    archive = open_archive(name, kind(folders[name]()))
    assert archive.name == name
    assert len(archive.scans()) == 1


@pytest.mark.parametrize("name", sorted(NAMES))
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
    with pytest.raises(LayoutError, match=r"no archive is recognised.*Info\.txt or labels\.csv"):
        open_archive(tmp_path)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_empty_folder_is_refused_with_what_was_expected(tmp_path, name):
    with pytest.raises(LayoutError, match=r"expected (Info\.txt|labels\.csv)"):
        open_archive(name, tmp_path)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_archive_names_its_licence_and_what_to_cite(folders, name):
    archive = open_archive(name, folders[name]())
    assert archive.licence
    assert archive.citation
    assert name in archive._repr_html_()
