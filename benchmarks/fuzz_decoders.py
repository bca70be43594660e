"""The decoders that `fuzz.py` tries: how each one's file is called, sound files, and the call."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from fuzz_seeds import (
    checkpoint_files,
    codec_files,
    dicom_files,
    dicomdir_files,
    encoders,
    example_files,
    gzip_files,
    header_of,
    image_of,
    label_files,
    named_files,
    npy_files,
    outline_files,
    pgm_files,
    picture_files,
    png_files,
    shared_files,
    table_heads,
    tape_files,
    tfrecord_files,
    tiff_files,
    zip_files,
)
from pydicom.encaps import encapsulate

from mammoscope.archives import rsna
from mammoscope.archives.cbis_tables import read_tables
from mammoscope.archives.fetch_unpack import unpack
from mammoscope.archives.inbreast_outlines import read_outlines
from mammoscope.archives.label_tables import read_csv
from mammoscope.archives.mias_info import read_info
from mammoscope.formats.dicom import read_dicom
from mammoscope.formats.dicom_pixels import decode_pixels
from mammoscope.formats.dicomdir import read_dicomdir
from mammoscope.formats.ics import read_ics
from mammoscope.formats.ljpeg import decode_ljpeg
from mammoscope.formats.masks import mask_of
from mammoscope.formats.npy import map_npy
from mammoscope.formats.overlay import read_overlay
from mammoscope.formats.packed import read_packed
from mammoscope.formats.raster import read_raster
from mammoscope.formats.tape import films_of, read_tape
from mammoscope.formats.tf_example import parse_example
from mammoscope.formats.tfrecord import read_records
from mammoscope.models.foreign import read_checkpoint


@dataclass(frozen=True, slots=True)
class Decoder:
    """How a kind of file is called, sound ones of it, what reads one, and what it needs beside."""

    name: str
    file: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    is_text: bool = False
    prepare: Callable[[Path], None] = lambda _: None


def _read_ljpeg(path: Path) -> object:
    return decode_ljpeg(path.read_bytes())


def _read_dicom(path: Path) -> object:
    return read_dicom(path, values="display").image


def _read_codec(path: Path) -> object:
    data = path.read_bytes()
    syntaxes = list(encoders())
    syntax, bits, _ = syntaxes[data[0] % len(syntaxes)]
    image = image_of(bits).astype(np.uint8 if bits == 8 else np.uint16)
    header = header_of(image, bits, syntax)
    header.PixelData = encapsulate([data[1:]]) if len(data) > 1 else b""
    return decode_pixels(path, header)


def _read_raster(path: Path) -> object:
    return read_raster(path)


def _read_tfrecord(path: Path) -> object:
    return [parse_example(bytes(record.data)) for record in read_records(path)]


def _read_npy(path: Path) -> object:
    array = map_npy(path)
    return array.size and array.reshape(-1)[-1]


def _read_ics(path: Path) -> object:
    return read_ics(path)


def _read_overlay(path: Path) -> object:
    found = read_overlay(path)
    return [mask_of(a.boundary, (4000, 3000)).sum() for a in found if a.boundary is not None]


def _read_info(path: Path) -> object:
    return read_info(path)


def _read_tape(path: Path) -> object:
    return films_of(read_tape(path))


def _read_archive(name: str, path: Path) -> object:
    archive = import_module(f"mammoscope.archives.{name}").read(path.parent)
    return archive.problems, archive.records, archive.tables


def _read_example(path: Path) -> object:
    return parse_example(path.read_bytes())


def _read_zip(path: Path) -> object:
    with tempfile.TemporaryDirectory() as folder:
        return unpack(path, Path(folder), {}, 1 << 24)


def _read_cbis_table(path: Path) -> object:
    return read_tables({path.name: path})


def _read_packed(path: Path) -> object:
    return read_packed(path)


def _read_outlines(path: Path) -> object:
    return read_outlines(path, "1")


def _read_dicomdir(path: Path) -> object:
    return read_dicomdir(path)


def _read_labels(path: Path) -> object:
    return read_csv(path, rsna.COLUMNS)


def _text(
    name: str,
    file: str,
    seeds: Callable[[], list[bytes]],
    read: Callable[[Path], object],
    prepare: Callable[[Path], None] = lambda _: None,
) -> Decoder:
    return Decoder(name, file, seeds, read, is_text=True, prepare=prepare)


MASSES = "mass_case_description_train_set.csv"
_ALL = (
    Decoder("ljpeg", "a.LJPEG", lambda: shared_files("ddsm/ljpeg/vectors/*.ljpeg"), _read_ljpeg),
    Decoder("dicom", "scan.dcm", dicom_files, _read_dicom),
    Decoder("codecs", "frame", codec_files, _read_codec),
    Decoder("pgm", "scan.pgm", pgm_files, _read_raster),
    Decoder("png", "scan.png", png_files, _read_raster),
    Decoder("tiff", "scan.tif", tiff_files, _read_raster),
    Decoder("jpeg", "scan.jpg", lambda: picture_files("JPEG"), _read_raster),
    Decoder("webp", "scan.webp", lambda: picture_files("WEBP"), _read_raster),
    Decoder("tfrecord", "tiles.tfrecords", tfrecord_files, _read_tfrecord),
    Decoder("example", "record", example_files, _read_example),
    Decoder("npy", "tiles.npy", npy_files, _read_npy),
    Decoder("zip", "series.zip", zip_files, _read_zip),
    Decoder("checkpoint", "weights.pth", checkpoint_files, read_checkpoint),
    Decoder("gzip", "a.OVERLAY.gz", gzip_files, _read_packed),
    Decoder("dicomdir", "DICOMDIR", dicomdir_files, _read_dicomdir),
    _text("outlines", "1.xml", outline_files, _read_outlines),
    _text("labels", "train.csv", label_files, _read_labels),
    Decoder("tape", "TAPE_A_0001_1.16_PGM", tape_files, _read_tape),
    _text("ics", "A-0001-1.ics", lambda: shared_files("ddsm/**/*.ics"), _read_ics),
    _text("overlay", "a.OVERLAY", lambda: shared_files("ddsm/**/*.OVERLAY"), _read_overlay),
    _text("info", "Info.txt", lambda: shared_files("mini-mias/Info.txt"), _read_info),
    _text(
        "csv-uci",
        "wdbc.data",
        lambda: table_heads("uci/wdbc.data"),
        lambda path: _read_archive("uci", path),
    ),
    _text("csv-cbis", MASSES, lambda: table_heads(f"cbis-ddsm/csv/{MASSES}"), _read_cbis_table),
    _text(
        "csv-800",
        "labels.csv",
        lambda: table_heads("cbis-ddsm/mass-800/labels.csv"),
        lambda path: _read_archive("cbis_ddsm_800", path),
        named_files,
    ),
    _text(
        "csv-299",
        "index.csv",
        lambda: table_heads("ddsm-299/index.csv"),
        lambda path: _read_archive("ddsm_299", path),
        named_files,
    ),
)
DECODERS = {decoder.name: decoder for decoder in _ALL}
