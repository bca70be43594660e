"""Where archives can be had by HTTP: addresses, sizes, checksums and terms, in one table.

Sources of the addresses: the archives' own pages, and for the author's files the download lists in
his public repository (mammography-models, ``download_data``). None was tried from here, where there
is no network; `docs/fetch.md` says so too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file of an archive.

    Attributes
    ----------
    url : its address, http or https
    place : where it lies under the archive's folder, with ``/``; for a packed file the folder that
        takes its members ("" is the archive's folder itself)
    size, sha256 : of the file as it is sent, where known
    packed : it is a ZIP or a tar file, to be unpacked
    members : names that must be in a packed file, with their SHA-256 or None; others are left out.
        Empty takes every member
    most_bytes : it and its members may not be larger than this, each
    scans : how many ``.dcm`` files it must hold; None where that is not known
    """

    url: str
    place: str
    size: int | None = None
    sha256: str | None = None
    packed: bool = False
    members: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    most_bytes: int = 8 * GIB
    scans: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an archive comes from, and on what terms.

    Attributes
    ----------
    name : as in `mammoscope.archives.open.NAMES`
    page : where its keepers say what it is and on what terms
    licence, citation : terms of use, and what to cite
    about_bytes : room that it takes on the disk while it is fetched, roughly
    downloads : its files
    nbia : base address of a REST interface of NBIA that sends the scans of `collection`
    note : what to know before
    """

    name: str
    page: str
    licence: str
    citation: str
    about_bytes: int
    downloads: tuple[Download, ...]
    nbia: str | None = None
    collection: str = ""
    note: str = ""


_UCI = "https://archive.ics.uci.edu/static/public"
_TCIA = "https://wiki.cancerimagingarchive.net/download/attachments/22516629"
_AUTHOR = "https://s3.eu-central-1.amazonaws.com/aws.skoo.ch/files"


def _uci(path: str, name: str, sha256: str) -> Download:
    # The tables are checked, their descriptions need not be.
    members = {f"{name}.data": sha256, f"{name}.names": None}
    return Download(
        url=f"{_UCI}/{path}.zip", place="", packed=True, members=members, most_bytes=4 * MIB
    )


def _table(name: str, size: int, sha256: str) -> Download:
    return Download(
        url=f"{_TCIA}/{name}?api=v2", place=name, size=size, sha256=sha256, most_bytes=4 * MIB
    )


def _author(number: int) -> tuple[Download, ...]:
    """Give the files of one of the author's sets of tiles, as he named them."""
    packed = [f"training{number}_{part}" for part in range(5)]
    packed += [f"test{number}_data", f"cv{number}_data"]
    plain = []
    # The labels of the later sets are packed, and only the earlier ones have file names.
    if number <= 10:
        plain += [f"test{number}_labels", f"cv{number}_labels"]
    else:
        packed += [f"test{number}_labels", f"cv{number}_labels"]
    if number <= 9:
        plain += [f"test{number}_filenames", f"cv{number}_filenames"]
    return (
        *(Download(url=f"{_AUTHOR}/{name}.zip", place="", packed=True) for name in packed),
        *(Download(url=f"{_AUTHOR}/{name}.npy", place=f"{name}.npy") for name in plain),
    )


_AUTHOR_MIAS = {
    "all_mias_slices.npy": "mias_test_images.npy",
    "all_mias_labels.npy": "mias_test_labels_enc.npy",
    "all_mias_slices9.npy": "all_mias_slices9.npy",
    "all_mias_labels9.npy": "all_mias_labels9.npy",
}

_ALL = (
    Source(
        name="mini-mias",
        page="http://peipa.essex.ac.uk/info/mias.html",
        licence="MIAS licence: research use, no selling, no passing on",
        citation="Suckling et al. (1994) The Mammographic Image Analysis Society Digital "
        "Mammogram Database, Excerpta Medica International Congress Series 1069, 375-378",
        about_bytes=450 * MIB,
        downloads=(
            Download(
                url="http://peipa.essex.ac.uk/pix/mias/all-mias.tar.gz",
                place="",
                packed=True,
                most_bytes=GIB,
            ),
        ),
        note="sent over plain http, without a checksum; `archive check mini-mias` compares the "
        "pixels of its scans with known ones",
    ),
    Source(
        name="uci",
        page="https://archive.ics.uci.edu",
        licence="CC BY 4.0",
        citation="Dua and Graff (2019) UCI Machine Learning Repository; Wolberg, Street and "
        "Mangasarian (breast cancer Wisconsin); Elter, Schulz-Wendtland and Wittenberg (2007) "
        "(mammographic mass)",
        about_bytes=2 * MIB,
        downloads=(
            _uci(
                "15/breast+cancer+wisconsin+original",
                "breast-cancer-wisconsin",
                "402c585309c399237740f635ef9919dc512cca12cbeb20de5e563a4593f22b64",
            ),
            _uci(
                "17/breast+cancer+wisconsin+diagnostic",
                "wdbc",
                "d606af411f3e5be8a317a5a8b652b425aaf0ff38ca683d5327ffff94c3695f4a",
            ),
            _uci(
                "16/breast+cancer+wisconsin+prognostic",
                "wpbc",
                "f2bd5ccdb6086fa832370dc043319907430cf6bfcfd3b96a3961a357be345c8e",
            ),
            _uci(
                "161/mammographic+mass",
                "mammographic_masses",
                "2ed8bb60a517f631256d218a4885c56ef196d41023c63307ab40d69985be3b4a",
            ),
        ),
    ),
    Source(
        name="cbis-ddsm",
        page="https://www.cancerimagingarchive.net/collection/cbis-ddsm/",
        licence="CC BY 3.0",
        citation="Lee et al. (2017) A curated mammography data set for use in computer-aided "
        "detection and diagnosis research, Scientific Data 4, 170177; Clark et al. (2013) The "
        "Cancer Imaging Archive (TCIA), Journal of Digital Imaging 26, 1045-1057",
        about_bytes=165 * GIB,
        downloads=(
            _table(
                "mass_case_description_train_set.csv",
                772727,
                "a4bcc1c32bfd040212737e6e8c304819334abe717cfefff56431dc50ae6db723",
            ),
            _table(
                "mass_case_description_test_set.csv",
                217038,
                "60f0b4504ec024106bbdd1555030d220163ea9da0ea4688473a4c9c3e8ab0457",
            ),
            _table(
                "calc_case_description_train_set.csv",
                925310,
                "3c7b07e8202f66709f446b9695e96c5d17484a65fda6a24d0170a0c1b81d56e3",
            ),
            _table(
                "calc_case_description_test_set.csv",
                190388,
                "03a2f72efb6ed29f417e07f4598950e6a1e02e6b11250ff516ebe7924ace3689",
            ),
        ),
        nbia="https://services.cancerimagingarchive.net/nbia-api/services/v1",
        collection="CBIS-DDSM",
        note="6,775 series of 10,239 images; --only Mass-Test, for example, takes a part",
    ),
    Source(
        name="author-tiles",
        page="https://github.com/escuccim/mias-mammography",
        licence="no terms of its own; made from DDSM and CBIS-DDSM (CC BY 3.0) and from MIAS "
        "(research use)",
        citation="Scuccimarra (2018) ConvNets for classifying abnormalities in mammograms",
        # A guess: some 350,000 tiles of 299 x 299 bytes, the later sets with their masks.
        about_bytes=60 * GIB,
        downloads=(
            *(file for number in (6, 8, 9, 10, 11, 12, 13) for file in _author(number)),
            *(Download(url=f"{_AUTHOR}/{sent}", place=kept) for sent, kept in _AUTHOR_MIAS.items()),
        ),
        note="the author's storage has probably been emptied; --only 9_ takes recipe 9 alone",
    ),
)

SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _ALL})
