"""Lists of series as NBIA sends them, and the table of its retriever."""

import csv
import json
from dataclasses import replace

import pytest

from mammoscope.archives.fetch_sources import SOURCES
from mammoscope.archives.fetch_tcia import (
    COLUMNS,
    listing,
    read_listing,
    series_download,
    write_metadata,
)
from mammoscope.core.errors import CorruptFileError

SOURCE = replace(SOURCES["cbis-ddsm"], nbia="http://localhost/v1")
ROW = {
    "SeriesInstanceUID": "1.3.6.1.4.1.9590.100.1.2.342386194811267636608694132590482924515",
    "StudyInstanceUID": "1.3.6.1.4.1.9590.100.1.2.422112722213189649807611434612228974994",
    "Modality": "MG",
    "SeriesDescription": "full mammogram images",
    "Collection": "CBIS-DDSM",
    "PatientID": "Mass-Training_P_00001_LEFT_CC",
    "ImageCount": 1,
    "StudyDesc": "DDSM",
}


def write_list(tmp_path, rows):
    path = tmp_path / "series.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return path


def test_a_collection_is_asked_for_by_its_name():
    assert listing(SOURCE).url == "http://localhost/v1/getSeries?Collection=CBIS-DDSM&format=json"


def test_a_series_is_laid_down_as_the_retriever_does():
    download = series_download(ROW, SOURCE)
    assert download.url.endswith(
        f"/getImageWithMD5Hash?SeriesInstanceUID={ROW['SeriesInstanceUID']}"
    )
    assert download.place.split("/") == [
        "CBIS-DDSM",
        "Mass-Training_P_00001_LEFT_CC",
        ROW["StudyInstanceUID"],
        ROW["SeriesInstanceUID"],
    ]
    assert download.scans == 1


def test_the_list_is_sorted_by_patient(tmp_path):
    later = ROW | {"PatientID": "Mass-Training_P_00002_LEFT_CC"}
    assert read_listing(write_list(tmp_path, [later, ROW]), SOURCE) == (ROW, later)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1]", '{"error": "down"}', "<html>", "[{}]"])
def test_what_is_no_list_of_series_is_refused(tmp_path, text):
    with pytest.raises(CorruptFileError, match=r"series\.json"):
        read_listing(write_list(tmp_path, text), SOURCE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SeriesInstanceUID", "../../evil"),
        ("StudyInstanceUID", "1.2/3"),
        ("PatientID", "..\\evil"),
        ("PatientID", ".hidden"),
        ("PatientID", None),
        ("Collection", "/"),
        ("SeriesInstanceUID", "1." + "2" * 200),
    ],
)
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path, key, value):
    with pytest.raises(CorruptFileError, match=f"with the {key}"):
        read_listing(write_list(tmp_path, [ROW | {key: value}]), SOURCE)


def test_the_table_lists_the_series_that_are_there(tmp_path):
    absent = ROW | {"SeriesInstanceUID": "1.2.3"}
    write_metadata(tmp_path, [ROW, absent], {ROW["SeriesInstanceUID"]: 14_060_000})
    with (tmp_path / "metadata.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert tuple(row) == COLUMNS
    assert row["Subject ID"] == ROW["PatientID"]
    assert row["Series UID"] == ROW["SeriesInstanceUID"]
    assert row["Number of Images"] == "1"
    assert row["File Size"] == "14.06 MB"
    assert row["SOP Class UID"] == ""
    assert row["File Location"] == f"./{series_download(ROW, SOURCE).place}"
