"""Sound files of every kind that `fuzz.py` damages: made ones, and real ones where they are."""

import csv
import gzip
import io
import plistlib
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless, generate_uid

from mammoscope.archives import rsna
from mammoscope.formats.tf_example import format_example
from mammoscope.formats.tfrecord import write_records

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
MOST_SEED_BYTES = 1_000_000
ROWS, COLUMNS = 40, 30


def image_of(bits: int) -> NDArray[np.uint16]:
    """Make a smooth image with some noise, uint16 in [0, 2^bits)."""
    rng = np.random.default_rng(bits)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    smooth = (np.sin(rows / 9) + np.cos(columns / 7) + 2) / 4 * (2**bits - 1)
    return np.clip(smooth + rng.normal(0, 2, smooth.shape), 0, 2**bits - 1).astype(np.uint16)


def shared_files(pattern: str, *, most: int = 60) -> list[bytes]:
    """Give the smaller of the real files that fit a pattern, as many as `most`."""
    files = sorted(p for p in SHARED.glob(pattern) if p.is_file())
    small = [p for p in files if 0 < p.stat().st_size <= MOST_SEED_BYTES]
    return [p.read_bytes() for p in small[:: max(1, len(small) // most)]]


def encoders() -> Iterator[tuple[str, int, Callable[[NDArray[np.uint16]], bytes] | None]]:
    """Give each transfer syntax, the bits of its image, and its encoder; None: plain pixels."""
    base = "1.2.840.10008.1.2"
    for native in ("", ".1", ".1.99", ".2"):
        yield f"{base}{native}", 12, None
        yield f"{base}{native}", 8, None
    yield f"{base}.5", 12, None
    yield f"{base}.5", 8, None
    for lossless in (".4.57", ".4.70"):
        for bits in (8, 12, 16):
            yield f"{base}{lossless}", bits, lambda a: _jpeg(a, lossless=True)
    yield f"{base}.4.50", 8, lambda a: _jpeg(a, lossless=False)
    yield f"{base}.4.51", 8, lambda a: _jpeg(a, lossless=False)
    yield f"{base}.4.51", 12, lambda a: _jpeg(a, lossless=False)
    for bits in (8, 12, 16):
        yield f"{base}.4.80", bits, lambda a: bytes(imagecodecs.jpegls_encode(a))
        yield f"{base}.4.81", bits, lambda a: bytes(imagecodecs.jpegls_encode(a, 2))
        for reversible in (True, False):
            suffix = ".4.90" if reversible else ".4.91"
            yield f"{base}{suffix}", bits, lambda a, r=reversible: _jpeg_2000(a, r)
        yield f"{base}.4.201", bits, lambda a: bytes(imagecodecs.htj2k_encode(a))


def _jpeg(image: NDArray[np.uint16], *, lossless: bool) -> bytes:
    bits = 8 if image.dtype == np.uint8 else 12 if image.max() < 4096 else 16
    return bytes(imagecodecs.jpeg8_encode(image, 90, lossless=lossless, bitspersample=bits))


def _jpeg_2000(image: NDArray[np.uint16], reversible: bool) -> bytes:  # noqa: FBT001
    level = 0 if reversible else 40
    return bytes(imagecodecs.jpeg2k_encode(image, level, codecformat="j2k", reversible=reversible))


def dicom_files() -> list[bytes]:
    """Make a small mammogram in every transfer syntax that is read."""
    made = []
    for syntax, bits, encode in encoders():
        image = image_of(bits).astype(np.uint8 if bits == 8 else np.uint16)
        header = header_of(image, bits, syntax)
        order = ">" if syntax == "1.2.840.10008.1.2.2" else "<"
        plain = image.astype(image.dtype.newbyteorder(order)).tobytes()
        header.PixelData = plain if encode is None else encapsulate([encode(image)])
        header["PixelData"].VR = "OW" if encode is None else "OB"
        if syntax == RLELossless:
            header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            header.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
        stream = io.BytesIO()
        header.save_as(stream, enforce_file_format=True)
        made.append(stream.getvalue())
    return made


def codec_files() -> list[bytes]:
    """Make compressed images alone, each behind the number of its transfer syntax."""
    return [
        bytes([number]) + encode(image_of(bits).astype(np.uint8 if bits == 8 else np.uint16))
        for number, (_, bits, encode) in enumerate(encoders())
        if encode is not None
    ]


def header_of(image: NDArray[np.generic], bits: int, syntax: str) -> Dataset:
    """Make the header of a mammogram that holds the image, without its pixels."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(syntax)
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = UID(
        "1.2.840.10008.5.1.4.1.1.1.2"
    )
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid(
        entropy_srcs=[syntax, str(bits)]
    )
    header.PatientID, header.Modality = "P_00001", "MG"
    header.ImageLaterality, header.ViewPosition = "L", "MLO"
    header.PresentationIntentType = "FOR PRESENTATION"
    header.Rows, header.Columns = image.shape
    header.SamplesPerPixel, header.PixelRepresentation = 1, 0
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = image.dtype.itemsize * 8
    header.BitsStored, header.HighBit = bits, bits - 1
    header.ImagerPixelSpacing = [0.07, 0.07]
    header.WindowCenter, header.WindowWidth = "2000", "4000"
    return header


def pgm_files() -> list[bytes]:
    """Make PGM files, plain and raw, of 8 and 16 bits."""
    byte, word = image_of(8).astype(np.uint8), image_of(12)
    heads = [
        f"{kind}\n# made\n{COLUMNS} {ROWS}\n{top}\n".encode()
        for kind, top in (("P5", 255), ("P5", 4095), ("P2", 255), ("P2", 4095))
    ]
    plain = ["\n".join(" ".join(map(str, row)) for row in a).encode() + b"\n" for a in (byte, word)]
    return [
        heads[0] + byte.tobytes(),
        heads[1] + word.astype(">u2").tobytes(),
        heads[2] + plain[0],
        heads[3] + plain[1],
    ]


def png_files() -> list[bytes]:
    """Make PNG files of every kind of pixel that is met."""
    byte, word = image_of(8).astype(np.uint8), image_of(16)
    arrays = [byte, word, np.stack([byte] * 3, -1), np.stack([word] * 3, -1)]
    arrays.append(np.dstack([byte, np.full_like(byte, 255)]))
    made = [bytes(imagecodecs.png_encode(a)) for a in arrays]
    for mode in ("P", "1"):
        made.append(_saved(Image.fromarray(byte).convert(mode), "PNG"))
    return made


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def tiff_files() -> list[bytes]:
    """Make TIFF files in every compression that scanners and programs write."""
    made = []
    for image in (image_of(8).astype(np.uint8), image_of(16)):
        for compression in (None, "zlib", "lzw", "packbits", "zstd", "lzma", "jpeg2000"):
            for more in ({}, {"tile": (16, 16)}, {"rowsperstrip": 7}):
                stream = io.BytesIO()
                tifffile.imwrite(stream, image, compression=compression, **more)
                made.append(stream.getvalue())
    for options in (
        {"data": image_of(8).astype(np.uint8), "compression": "jpeg"},
        {"data": image_of(16), "predictor": True, "compression": "zlib"},
        {"data": image_of(16), "byteorder": ">"},
        {"data": image_of(16), "bigtiff": True},
        {"data": image_of(16).astype(np.float32)},
        {"data": image_of(16), "photometric": "miniswhite"},
    ):
        stream = io.BytesIO()
        tifffile.imwrite(stream, **options)
        made.append(stream.getvalue())
    return made


def picture_files(kind: str) -> list[bytes]:
    """Make JPEG or WebP pictures."""
    grey = Image.fromarray(image_of(8).astype(np.uint8))
    options: list[dict[str, object]] = [{}, {"quality": 100}, {"quality": 5}]
    options += [{"progressive": True}] if kind == "JPEG" else [{"lossless": True}]
    return [_saved(p, kind, **o) for o in options for p in (grey, grey.convert("RGB"))]


def _features() -> dict[str, object]:
    return {
        "label": np.array([2], np.int64),
        "label_normal": np.array([1], np.int64),
        "image": [image_of(8).astype(np.uint8).tobytes()],
        "filename": ["P_00001_LEFT_CC.jpg".encode("utf-32")],
    }


def tfrecord_files() -> list[bytes]:
    """Make files of three records as the paper's author wrote them, with smaller images."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiles.tfrecords"
        write_records(path, [format_example(_features())] * 3)
        return [path.read_bytes()]


def npy_files() -> list[bytes]:
    """Make arrays of tiles and of labels."""
    made = []
    for array in (np.zeros((3, 20, 20, 1), np.uint8), np.arange(9), np.array(["a.jpg", "b.jpg"])):
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        made.append(stream.getvalue())
    return made


def tape_files() -> list[bytes]:
    """Make films side by side, as DDSM's tapes hold them."""
    films = np.zeros((80, 70), np.uint16)
    for row in (2, 42):
        for column in (2, 38):
            films[row : row + ROWS - 4, column : column + COLUMNS] = image_of(12)[:36]
    head = f"P5\n{films.shape[1]} {films.shape[0]}\n65535\n\n".encode()
    return [head + films.astype(">u2").tobytes()]


def example_files() -> list[bytes]:
    """Make a record of the author's files without the checksums round it."""
    return [format_example(_features())]


def zip_files() -> list[bytes]:
    """Make packed files as archives are sent."""
    made = []
    files = {"1-1.dcm": dicom_files()[0], "LICENSE": b"CC BY 3.0" * 50, "a/b.csv": b"1,2,3" * 99}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as packed:
            for name, data in files.items():
                packed.writestr(name, data)
        made.append(stream.getvalue())
    for mode in ("w", "w:gz"):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode) as packed:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                packed.addfile(entry, io.BytesIO(data))
        made.append(stream.getvalue())
    return made


def checkpoint_files() -> list[bytes]:
    """Make PyTorch checkpoints of the older and the newer kind."""
    weight = torch.arange(24.0).reshape(2, 3, 4)
    content = {"a.weight": weight, "b": torch.tensor(3), "c": weight[:, 1:].half(), "d": weight[1]}
    files = []
    for is_zip in (True, False):
        stream = io.BytesIO()
        torch.save(content, stream, _use_new_zipfile_serialization=is_zip)
        files.append(stream.getvalue())
    return files


def gzip_files() -> list[bytes]:
    """Make a packed outline file, as some copies of DDSM have."""
    return [gzip.compress(b"TOTAL_ABNORMALITIES 1\nABNORMALITY 1\n" * 40)]


def outline_files() -> list[bytes]:
    """Make a list of outlines as INbreast has it."""
    points = [f"({x:.6f}, {x * 2:.6f})" for x in range(5)]
    roi = {"Name": "Mass", "NumberOfPoints": 5, "Point_px": points, "Type": 15, "Area": 0.2}
    return [plistlib.dumps({"Images": [{"ImageIndex": 0, "NumberOfROIs": 2, "ROIs": [roi, roi]}]})]


def dicomdir_files() -> list[bytes]:
    """Make a DICOMDIR of three scans."""
    with tempfile.TemporaryDirectory() as folder:
        files = FileSet()
        for number, data in enumerate(dicom_files()[:3]):
            scan = dcmread(io.BytesIO(data))
            scan.PatientName, scan.StudyID, scan.StudyInstanceUID = "P", "1", "1.2"
            scan.StudyDate, scan.StudyTime = "20170829", "101010"
            scan.SeriesInstanceUID, scan.SeriesNumber, scan.InstanceNumber = "1.3", 1, number + 1
            files.add(scan)
        files.write(folder)
        return [(Path(folder) / "DICOMDIR").read_bytes()]


def label_files() -> list[bytes]:
    """Make a table as the RSNA's, with the columns that are read."""
    rows = [
        ",".join(rsna.COLUMNS),
        *(",".join(f"{i}{j}" for j in range(len(rsna.COLUMNS))) for i in range(9)),
    ]
    return ["\n".join(rows).encode()]


def table_heads(place: str, lines: int = 60) -> list[bytes]:
    """Give the beginning of a real table, so that most damage falls on rows that matter."""
    return [b"\n".join(data.split(b"\n")[:lines]) + b"\n" for data in shared_files(place)]


def named_files(table: Path) -> None:
    """Make empty files of the names that a table's first column gives: its pictures."""
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            picture = table.parent / row["file"]
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()
