"""Made archives, a made recipe and a way to build them, for the tests of building."""

import numpy as np
from PIL import Image

from mammoscope.archives.archive import Archive
from mammoscope.archives.splits import Division
from mammoscope.core.geometry import Circle
from mammoscope.core.records import Finding, Scan
from mammoscope.core.vocabulary import FindingKind, Pathology, Split
from mammoscope.tiles.build import build_tiles
from mammoscope.tiles.recipes import Recipe
from mammoscope.tiles.tile import NORMAL, Origin, Tile

PARTS = [Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST]


def make_scan(folder, number):
    """Every second patient has a mass on its first scan; a film half air, half breast."""
    scan_id, patient_id = f"mdb{number:03d}", f"mias-{(number + 1) // 2:03d}"
    path = folder / f"{scan_id}.png"
    if not path.exists():
        rng = np.random.default_rng(number)
        image = np.zeros((512, 512), np.uint8)
        image[:, :256] = rng.normal(120, 15, (512, 256)).clip(1, 220)
        Image.fromarray(image).save(path)
    mass = Finding(
        finding_id=f"{scan_id}-1",
        scan_id=scan_id,
        kind=FindingKind.MASS,
        pathology=Pathology.BENIGN if number % 8 == 1 else Pathology.MALIGNANT,
        roi=Circle(200, 120, 30),
    )
    return Scan(
        scan_id=scan_id,
        archive="mini-mias",
        path=path,
        patient_id=patient_id,
        exam_id=patient_id,
        findings=(mass,) if number % 4 == 1 else (),
    )


def make_archive(folder, count=8, name="mini-mias"):
    return Archive(
        name=name,
        folder=folder,
        licence="none",
        citation="none",
        records=tuple(make_scan(folder, number) for number in range(1, count + 1)),
    )


def division_of(archive):
    return Division(patients={p: PARTS[number % 4] for number, p in enumerate(archive.patients())})


def run(archive, out, **changes):
    """Build recipe 9 in this process, without an audit."""
    given = {"seed": 1, "division": division_of(archive), "workers": 1, "audit": False}
    return build_tiles(archive, "9", out, **{**given, **changes})


def draw_tiles(scan, loaded, rng, *, normals=6):
    """Cut one tile a finding, or six of normal tissue with lots of their own."""
    for number in range(len(scan.findings) or normals):
        yield Tile(
            pixels=np.ascontiguousarray(loaded.image[number : number + 8, :8]),
            scan=scan,
            finding_id=scan.findings[0].finding_id if scan.findings else None,
            box=Circle(20 + number, 20, 4).box,
            label="BENIGN_mass" if scan.findings else NORMAL,
            origin=Origin.LESION if scan.findings else Origin.NORMAL,
            lot=0.0 if scan.findings else float(rng.random()),
        )


def draw_recipe(**changes):
    given = {
        "name": "made",
        "archives": ("mini-mias",),
        "cut": draw_tiles,
        "normals_per_abnormal": 2.0,
        "settings": {"side": 8},
    }
    return Recipe(**{**given, **changes})


def same_bytes(a, b):
    names = sorted(path.name for path in a.iterdir())
    assert names == sorted(path.name for path in b.iterdir())
    return [name for name in names if (a / name).read_bytes() != (b / name).read_bytes()] == []
