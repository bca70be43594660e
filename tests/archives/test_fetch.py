"""Whole archives from a local server: what is fetched, kept, taken up, and refused."""

import csv
import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from mammoscope.archives import cbis_ddsm, mini_mias, uci
from mammoscope.archives import fetch as module
from mammoscope.archives.fetch import Watch, fetch_archive, source_of
from mammoscope.archives.fetch_http import Manners
from mammoscope.archives.fetch_sources import SOURCES, Download, Source
from mammoscope.core.errors import ArchiveError, BadValueError, UnknownNameError

local = SimpleNamespace(**run_path(str(Path(__file__).with_name("fetch_server.py"))))
TABLE = b"patient_id,pathology\nP_00001,MALIGNANT\n" * 500
SHA = hashlib.sha256(TABLE).hexdigest()


@pytest.fixture
def server():
    with local.running() as state:
        yield state


@pytest.fixture
def fetch(tmp_path):
    def run(source, **options):
        manners = Manners(tries=2, timeout_s=5, pause=lambda _: None)
        return fetch_archive(source, tmp_path / "out", manners=manners, **options)

    return run


def make_source(*downloads, **more):
    facts = {"name": "made", "page": "", "licence": "CC0", "citation": "", "about_bytes": 0}
    return Source(**facts, downloads=downloads, **more)


def make_zip(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "."), content)
    return data.getvalue()


def files_of(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def table(server):
    return Download(url=server.put("/t.csv", local.whole(TABLE)), place="t.csv", sha256=SHA)


def test_every_file_comes_and_no_other_stays(server, fetch, table, tmp_path):
    url = server.put("/a.zip", local.whole(make_zip(a__data=b"1,2", extra=b"no")))
    packed = Download(url=url, place="", packed=True, members={"a.data": None})
    fetched = fetch(make_source(table, packed))
    assert set(fetched.new) == {"t.csv", "a.zip"}
    assert not fetched.failed
    assert files_of(tmp_path / "out") == {"t.csv", "a.data", ".fetched.jsonl"}


def test_what_is_complete_is_not_fetched_again(server, fetch, table):
    fetch(make_source(table))
    again = fetch(make_source(table))
    assert (again.new, again.before) == ((), ("t.csv",))
    assert len(server.seen) == 1


def test_what_somebody_else_put_there_is_known_by_its_checksum(server, fetch, table, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "t.csv").write_bytes(TABLE)
    assert fetch(make_source(table)).before == ("t.csv",)
    assert server.seen == []


def test_a_file_that_has_lost_bytes_is_fetched_again(fetch, table, tmp_path):
    fetch(make_source(table))
    (tmp_path / "out" / "t.csv").write_bytes(TABLE[:-1])
    assert fetch(make_source(table)).new == ("t.csv",)
    assert (tmp_path / "out" / "t.csv").read_bytes() == TABLE


def test_one_failure_does_not_stop_the_others(server, fetch, table, tmp_path):
    gone = Download(url=server.put("/gone.npy", local.status(404)), place="gone.npy")
    fetched = fetch(make_source(gone, table))
    assert fetched.new == ("t.csv",)
    assert "404" in fetched.failed["gone.npy"]
    assert not (tmp_path / "out" / "gone.npy").exists()


def test_a_checksum_that_differs_puts_nothing_in_place(server, fetch, tmp_path):
    url = server.put("/t.csv", local.whole(TABLE[::-1]))
    fetched = fetch(make_source(Download(url=url, place="t.csv", sha256=SHA)))
    assert "SHA-256" in fetched.failed["t.csv"]
    assert files_of(tmp_path / "out") == set()


def test_a_cut_file_is_taken_up_by_the_next_run(server, fetch, tmp_path):
    url = server.put("/t.csv", local.cut(TABLE, 1000), local.status(503), local.status(503))
    source = make_source(Download(url=url, place="t.csv"))
    assert fetch(source).failed
    server.put("/t.csv", local.whole(TABLE))
    assert fetch(source).new == ("t.csv",)
    assert server.seen[-1][1]["Range"] == "bytes=1000-"
    assert files_of(tmp_path / "out") == {"t.csv", ".fetched.jsonl"}


def test_a_zip_that_leaves_the_folder_is_refused(server, fetch, tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        packed.writestr("../evil", b"1")
    url = server.put("/a.zip", local.whole(data.getvalue()))
    fetched = fetch(make_source(Download(url=url, place="", packed=True)))
    assert "leaves the folder" in fetched.failed["a.zip"]
    assert files_of(tmp_path) == set()


def test_a_zip_whose_end_is_missing_is_fetched_anew_by_the_next_run(server, fetch):
    whole = make_zip(a=b"1" * 5000)
    url = server.put("/a.zip", local.whole(whole[:-30]), local.whole(whole))
    source = make_source(Download(url=url, place="", packed=True))
    assert "cannot be unpacked" in fetch(source).failed["a.zip"]
    assert fetch(source).new == ("a.zip",)


def test_a_tar_of_scans_is_laid_where_the_reader_looks(server, fetch, tmp_path):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as packed:
        for name in ("mdb001.pgm", "Info.txt"):
            entry = tarfile.TarInfo(name)
            entry.size = 2
            packed.addfile(entry, io.BytesIO(b"P5"))
    url = server.put("/all-mias.tar.gz", local.whole(data.getvalue()))
    fetch(make_source(Download(url=url, place="", packed=True)))
    assert files_of(tmp_path / "out") == {"mdb001.pgm", "Info.txt", ".fetched.jsonl"}


def test_several_files_come_at_a_time(server, fetch):
    urls = [server.put(f"/{i}", local.whole(TABLE)) for i in range(20)]
    source = make_source(*(Download(url=u, place=f"{i}") for i, u in enumerate(urls)))
    files, total = [], []
    watch = Watch(on_bytes=total.append, on_file=lambda done, all_: files.append((done, all_)))
    assert len(fetch(source, parallel=8, watch=watch).new) == 20
    assert files == [(i, 20) for i in range(21)]
    assert sum(total) == 20 * len(TABLE)


def test_a_part_can_be_chosen(server, fetch, table):
    other = Download(url=server.put("/u", local.whole(TABLE)), place="u")
    assert fetch(make_source(table, other), only="t.cs").new == ("t.csv",)
    with pytest.raises(BadValueError, match="no file of made has this"):
        fetch(make_source(table, other), only="zzz")


@pytest.mark.parametrize("parallel", [0, 17, -1])
def test_only_a_polite_number_of_files_comes_at_a_time(fetch, table, parallel):
    with pytest.raises(BadValueError, match="choose 1 to 16"):
        fetch(make_source(table), parallel=parallel)


def test_too_little_room_is_told_before_anything_comes(server, fetch, table, monkeypatch):
    usage = SimpleNamespace(free=10**9)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    source = replace(make_source(table), about_bytes=165 * 10**9)
    with pytest.raises(ArchiveError, match=r"needs about 165\.3 GB there and 1\.0 GB are free"):
        fetch(source)
    assert server.seen == []


def test_a_full_disk_ends_everything(fetch, table, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "bring", full)
    with pytest.raises(OSError, match="No space"):
        fetch(make_source(table))


def test_an_interruption_keeps_what_can_be_taken_up(server, fetch, tmp_path):
    url = server.put("/t.csv", local.drip(TABLE, 0.002), local.whole(TABLE))
    source = make_source(
        Download(url=server.put("/quick", local.whole(b"1")), place="quick"),
        Download(url=url, place="t.csv"),
    )

    def interrupt(done, _):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(source, watch=Watch(on_file=interrupt))
    assert "t.csv" not in files_of(tmp_path / "out")
    assert fetch(source).before == ("quick",)
    assert (tmp_path / "out" / "t.csv").read_bytes() == TABLE


def test_a_damaged_journal_only_fetches_again(fetch, table, tmp_path):
    fetch(make_source(table))
    journal = tmp_path / "out" / ".fetched.jsonl"
    journal.write_text(journal.read_text()[:-20])
    (tmp_path / "out" / "t.csv").unlink()
    assert fetch(make_source(table)).new == ("t.csv",)
    assert fetch(make_source(table)).before == ("t.csv",)


@pytest.fixture
def nbia(server):
    """A collection of two series, as the REST interface sends it."""
    rows = [
        {
            "SeriesInstanceUID": f"1.2.{i}",
            "StudyInstanceUID": "1.2",
            "PatientID": patient,
            "Collection": "CBIS-DDSM",
            "Modality": "MG",
            "ImageCount": 2,
        }
        for i, patient in enumerate(
            ("Mass-Test_P_00001_LEFT_CC", "Mass-Training_P_00002_LEFT_CC_1")
        )
    ]
    server.put(
        "/v1/getSeries?Collection=CBIS-DDSM&format=json", local.chunked(json.dumps(rows).encode())
    )
    md5 = hashlib.md5(b"DICM").hexdigest()
    sent = {"1-1__dcm": b"DICM", "1-2__dcm": b"DICM", "LICENSE": b"CC BY"}
    sums = f"Filename,MD5Hash\n1-1.dcm,{md5}\n1-2.dcm,{md5}\n"
    for i in range(2):
        server.put(
            f"/v1/getImageWithMD5Hash?SeriesInstanceUID=1.2.{i}",
            local.chunked(make_zip(**sent, md5hashes__csv=sums)),
        )
    return f"{server.url}/v1"


def locations(folder):
    with (folder / "metadata.csv").open(newline="") as stream:
        return [row["File Location"] for row in csv.DictReader(stream)]


def test_a_collection_comes_with_the_retrievers_table(fetch, nbia, table, tmp_path):
    fetched = fetch(make_source(table, nbia=nbia, collection="CBIS-DDSM"))
    assert len(fetched.new) == 3
    out = tmp_path / "out"
    assert (out / "CBIS-DDSM/Mass-Test_P_00001_LEFT_CC/1.2/1.2.0/1-2.dcm").is_file()
    assert locations(out) == [
        "./CBIS-DDSM/Mass-Test_P_00001_LEFT_CC/1.2/1.2.0",
        "./CBIS-DDSM/Mass-Training_P_00002_LEFT_CC_1/1.2/1.2.1",
    ]
    assert all((out / place).is_dir() for place in locations(out))


def test_a_collection_is_completed_by_the_next_run(server, fetch, nbia, tmp_path):
    broken = "/v1/getImageWithMD5Hash?SeriesInstanceUID=1.2.1"
    good = server.answers[broken]
    server.put(broken, local.status(500))
    source = make_source(nbia=nbia, collection="CBIS-DDSM")
    assert len(fetch(source).failed) == 1
    assert len(locations(tmp_path / "out")) == 1
    server.put(broken, *good)
    server.counts.clear()
    again = fetch(source)
    assert (len(again.new), len(again.before)) == (1, 1)
    assert len(locations(tmp_path / "out")) == 2


def test_a_part_of_a_collection_can_be_chosen(fetch, nbia, tmp_path):
    fetch(make_source(nbia=nbia, collection="CBIS-DDSM"), only="Mass-Test")
    assert locations(tmp_path / "out") == ["./CBIS-DDSM/Mass-Test_P_00001_LEFT_CC/1.2/1.2.0"]


def test_a_series_that_lacks_a_scan_is_refused(server, fetch, nbia, tmp_path):
    server.put(
        "/v1/getImageWithMD5Hash?SeriesInstanceUID=1.2.0",
        local.whole(make_zip(**{"1-1__dcm": b"DICM"})),
    )
    fetched = fetch(make_source(nbia=nbia, collection="CBIS-DDSM"))
    (why,) = fetched.failed.values()
    assert "1 scans came where 2 are listed" in why
    assert len(locations(tmp_path / "out")) == 1


def test_an_archive_that_cannot_be_had_is_told():
    with pytest.raises(UnknownNameError, match="no archive to fetch called 'ddsm'"):
        source_of("ddsm")


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_table_of_sources_is_sound(source):
    urls = [d.url for d in source.downloads]
    assert len(set(urls)) == len(urls)
    assert all(url.startswith(("https://", "http://peipa.essex.ac.uk/")) for url in urls)
    plain = [d.place for d in source.downloads if not d.packed]
    assert len(set(plain)) == len(plain)
    assert all(place and ".." not in place for place in plain)
    assert source.licence
    assert source.citation
    sums = [d.sha256 for d in source.downloads] + [
        s for d in source.downloads for s in d.members.values()
    ]
    assert all(len(s) == 64 for s in sums if s)


@pytest.mark.real
def test_the_checksums_are_those_of_the_archives_own_files(shared_data):
    known = {d.place: d.sha256 for d in SOURCES["cbis-ddsm"].downloads}
    known |= {n: s for d in SOURCES["uci"].downloads for n, s in d.members.items() if s}
    places = {p.name: p for f in ("uci", "cbis-ddsm/csv") for p in (shared_data / f).iterdir()}
    for name, checksum in known.items():
        assert hashlib.sha256(places[name].read_bytes()).hexdigest() == checksum


def as_tar(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as packed:
        for path in files:
            packed.add(path, arcname=path.name)
    return data.getvalue()


@pytest.mark.real
def test_the_reader_of_mini_mias_reads_what_was_fetched(server, fetch, shared_data, tmp_path):
    folder = shared_data / "mini-mias"
    sent = as_tar([folder / "Info.txt", folder / "scans" / "mdb001.png"])
    url = server.put("/all-mias.tar.gz", local.whole(sent))
    fetch(make_source(Download(url=url, place="", packed=True)))
    assert [scan.scan_id for scan in mini_mias.read(tmp_path / "out").scans()] == ["mdb001"]


@pytest.mark.real
def test_the_reader_of_uci_reads_what_was_fetched(server, fetch, shared_data, tmp_path):
    known = SOURCES["uci"].downloads[1]
    names = [shared_data / "uci" / name for name in known.members]
    sent = make_zip(**{p.name.replace(".", "__"): p.read_bytes() for p in names})
    fetch(make_source(replace(known, url=server.put("/17.zip", local.whole(sent)))))
    assert uci.read(tmp_path / "out").tables["wdbc"].height == 569


@pytest.mark.real
def test_the_reader_of_cbis_ddsm_reads_what_was_fetched(server, fetch, shared_data, tmp_path):
    name, patient = "mass_case_description_train_set.csv", "Mass-Training_P_00001_LEFT_CC"
    table = (shared_data / "cbis-ddsm" / "csv" / name).read_bytes()
    names = {"Collection": "CBIS-DDSM", "PatientID": patient, "StudyInstanceUID": "1.2.3"}
    listed = [names | {"SeriesInstanceUID": "1.2.3.4", "ImageCount": 1}]
    server.put(
        "/v1/getSeries?Collection=CBIS-DDSM&format=json", local.whole(json.dumps(listed).encode())
    )
    sent = make_zip(**{"1-1__dcm": dicom_file(patient)})
    server.put("/v1/getImageWithMD5Hash?SeriesInstanceUID=1.2.3.4", local.chunked(sent))
    csv_file = Download(url=server.put(f"/{name}", local.whole(table)), place=name)
    fetch(make_source(csv_file, nbia=f"{server.url}/v1", collection="CBIS-DDSM"))
    (scan,) = cbis_ddsm.read(tmp_path / "out").records
    assert scan.scan_id == "P_00001_LEFT_CC"
    assert scan.path.parent.name == "1.2.3.4"


def dicom_file(patient):
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = "1.2.3.4.5"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    header.PatientID, header.Modality, header.BodyPartExamined = patient, "MG", "BREAST"
    header.SeriesDescription = "full mammogram images"
    header.Rows, header.Columns, header.SamplesPerPixel = 40, 30, 1
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation, header.PhotometricInterpretation = 0, "MONOCHROME2"
    header.PixelData = bytes(2400)
    header["PixelData"].VR = "OW"
    stream = io.BytesIO()
    header.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
