"""The frozen splits: what their files hold is what the archives give, worked out anew."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from mammoscope.archives.open import open_archive
from mammoscope.core.errors import BadValueError, CorruptFileError, LayoutError, UnknownNameError
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import Split
from mammoscope.evaluation import public_splits
from mammoscope.evaluation.public_splits import DIGESTS, read_public_split, split_and_part


def scan(patient, archive="cbis-ddsm", split=None):
    return Scan(
        scan_id=f"{patient}-{split}",
        archive=archive,
        path=Path("x"),
        patient_id=patient,
        exam_id=patient,
        split=split,
    )


@pytest.mark.parametrize("name", sorted(set(DIGESTS) - {"cbis-ddsm-official"}))
def test_no_patient_is_in_two_parts(name):
    parts = read_public_split(name).parts
    assert max(Counter(p for part in parts.values() for p in part).values()) == 1


def test_the_official_split_has_the_31_patients_in_both_parts_and_the_purged_none():
    official = read_public_split("cbis-ddsm-official").parts
    purged = read_public_split("cbis-ddsm-purged").parts
    shared = official["train"] & official["test"]
    assert len(shared) == 31
    assert purged["test"] == official["test"]
    assert purged["train"] == official["train"] - shared


@pytest.mark.real
def test_the_official_split_is_that_of_the_four_published_tables(shared_data):
    parts = {}
    for part in ("train", "test"):
        parts[part] = set()
        for kind in ("calc", "mass"):
            path = shared_data / f"cbis-ddsm/csv/{kind}_case_description_{part}_set.csv"
            with path.open(encoding="utf-8", newline="") as stream:
                parts[part] |= {row["patient_id"] for row in csv.DictReader(stream)}
    assert read_public_split("cbis-ddsm-official").parts == parts


@pytest.mark.real
def test_the_folds_of_mias_are_its_women_dealt_by_gravity_and_digest(shared_data):
    """Films 2k-1 and 2k are one woman; the gravest finding of Info.txt is hers."""
    gravest = dict.fromkeys(range(161), 0)
    for line in (shared_data / "mini-mias/Info.txt").read_text("latin-1").splitlines():
        if line.startswith("mdb"):
            woman = (int(line[3:6]) - 1) // 2
            gravest[woman] = max(
                gravest[woman], {" B ": 1, " M ": 2}.get(f"{line.rstrip():20}"[13:16], 0)
            )
    ids = {woman: f"mias-{woman + 1:03d}" for woman in gravest}
    order = sorted(
        ids.values(),
        key=lambda p: (gravest[int(p[5:]) - 1], hashlib.sha256(p.encode()).hexdigest()),
    )
    dealt = {str(fold): set(order[fold::5]) for fold in range(5)}
    split = read_public_split("mias-folds")
    assert split.parts == dealt
    scans = open_archive("mini-mias", shared_data / "mini-mias").scans()
    assert len(split.chosen(scans, None)) == len(scans) == 258


@pytest.mark.real
def test_the_cases_of_ddsm_are_all_that_the_archives_show(shared_data):
    split = read_public_split("ddsm-cases")
    ours = {s.patient_id for s in open_archive("ddsm-299", shared_data / "ddsm-299").scans()}
    official = read_public_split("cbis-ddsm-official")
    # DDSM's cases that CBIS-DDSM shows again, and the 900 of the small archive.
    assert split.patients(None) == ours | official.patients(None)
    assert split.parts["test"] == official.parts["test"]
    sizes = [len(split.parts[str(fold)]) for fold in range(5)]
    assert max(sizes) - min(sizes) <= 1


def test_of_a_patient_in_both_parts_only_the_films_of_the_part_are_taken():
    split = read_public_split("cbis-ddsm-purged")
    official = read_public_split("cbis-ddsm-official").parts
    both = min(official["train"] & official["test"])
    scans = [scan(both, split=Split.TRAIN), scan(both, split=Split.TEST)]
    assert split.chosen(scans, "test") == (scans[1],)
    with pytest.raises(LayoutError, match="None of the 1 scans"):
        split.chosen(scans[:1], "train")


def test_a_split_of_another_archive_is_refused():
    with pytest.raises(LayoutError, match="not of rsna"):
        read_public_split("mias-folds").chosen([scan("p", archive="rsna")], None)


def test_names_and_parts_are_told():
    assert split_and_part("cbis-ddsm-official")[1] == "test"
    assert split_and_part("mias-folds")[1] is None
    assert split_and_part("mias-folds:3")[1] == "3"
    with pytest.raises(BadValueError, match="no part '7'; it has 0, 1, 2, 3, 4"):
        split_and_part("mias-folds:7")
    with pytest.raises(UnknownNameError, match="mias-folds"):
        split_and_part("mias-fold")


def test_a_file_that_was_changed_is_refused(monkeypatch):
    monkeypatch.setitem(public_splits.DIGESTS, "mias-folds", "0" * 64)
    with pytest.raises(CorruptFileError, match="not 000000000000"):
        read_public_split("mias-folds")
